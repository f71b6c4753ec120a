"""A log that lost its end and grew again past where the meter stood: nothing is metered wrongly.

What a power cut or an unclean election does to a log is done here by hand: of the broker's file the
last batches are cut off while it is down.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition

from services.aggregator.decoding.record_batch import PREFIX
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from tests.integration.faults import (
    checkpoints,
    kafka_admin,
    log_ends,
    metering,
    metric,
    select,
)
from tests.waiting import eventually

#: All go there: it is one log that is cut.
PARTITION = 0
NEVER_SECONDS = "3600"


def send(pipeline: Pipeline, first: int, count: int, *, batch: int = 10) -> None:
    """Put events onto the partition, acknowledged, so many in a Kafka batch."""
    producer = Producer(
        {"bootstrap.servers": pipeline.infrastructure.bootstrap_servers, "acks": "all"}
    )
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for number in range(first, first + count):
        event = {
            **{"id": f"rewritten-{number}", "source": "test", "tenant": "t", "time": now},
            **{"region": "r", "provider": "p", "model": "m"},
            **{"input_tokens": 1, "output_tokens": 0},
        }
        producer.produce(pipeline.topic, json.dumps(event).encode(), partition=PARTITION)
        if (number - first + 1) % batch == 0:
            assert producer.flush(30) == 0
    assert producer.flush(30) == 0


def cut_off(pipeline: Pipeline, batches: int) -> None:
    """Take the last batches from the broker's file, as if they had never been on its disk."""
    folder = next(
        pipeline.infrastructure.data.rglob(f"{pipeline.topic}-{PARTITION}/00000000000000000000.log")
    ).parent
    log = folder / "00000000000000000000.log"
    data, begins, place = log.read_bytes(), [], 0
    while place + PREFIX.size <= len(data):
        _, length = PREFIX.unpack_from(data, place)
        if length <= 0:
            break  # the rest of the file is kept free for what comes
        begins.append(place)
        place += PREFIX.size + length
    assert len(begins) > batches
    log.write_bytes(data[: begins[-batches]])
    for index in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")):
        index.unlink()


def wait_until_metered(pipeline: Pipeline) -> None:
    """Wait until the partition's checkpoint is at its end."""
    eventually("metered", lambda: ends_at(pipeline, checkpoints(pipeline).get(PARTITION, -1)))


@contextmanager
def broker_down(infrastructure: Infrastructure) -> Iterator[None]:
    """Have the broker killed, and started again with what is left."""
    infrastructure.broker.kill(signal.SIGKILL)
    infrastructure.broker.wait(30)
    yield
    infrastructure.broker.restart()


def ends_at(pipeline: Pipeline, offset: int) -> bool:
    """Whether the partition ends there; not while its broker has yet to hear that it leads it."""
    try:
        return log_ends(pipeline)[PARTITION] == offset
    except KafkaException:
        return False


def loses_and_grows(pipeline: Pipeline, lost: int, grown: int) -> None:
    """Ten events are a batch: so many of the last are lost, and so many others appended."""
    with broker_down(pipeline.infrastructure):
        cut_off(pipeline, lost // 10)
    eventually("the log is shorter", lambda: ends_at(pipeline, 100 - lost))
    send(pipeline, 1000, grown)
    eventually("others are there", lambda: ends_at(pipeline, 100 - lost + grown))


def assert_stops(pipeline: Pipeline) -> None:
    """Hold that the worker ends with the error, and that nothing was added."""
    worker = pipeline.aggregator
    assert worker.wait(60) != 0
    said = worker.plan.log_path.read_text()
    assert "the log has other records below offset 100 than were read there" in said
    assert "docs/runbook.md, 'Checkpoint ahead of the log'" in said
    assert checkpoints(pipeline)[PARTITION] == 100
    assert events(pipeline) == 100


def events(pipeline: Pipeline) -> int:
    """How many events the registers count."""
    return int(select(pipeline, "SELECT sum(requests) FROM registers")[0][0])


def waited_for(pipeline: Pipeline, count: int) -> Callable[[], bool]:
    return lambda: events(pipeline) == count


def test_a_worker_that_comes_back_does_not_go_on_in_another_log(
    infrastructure: Infrastructure,
) -> None:
    with metering(infrastructure, aggregator_flush_interval_seconds="0.3") as pipeline:
        send(pipeline, 0, 100)
        wait_until_metered(pipeline)
        pipeline.aggregator.kill(signal.SIGTERM)
        assert pipeline.aggregator.wait(30) == 0
        loses_and_grows(pipeline, 30, 50)
        pipeline.aggregator.start()
        assert_stops(pipeline)


def test_a_worker_under_which_the_log_changes_stops(infrastructure: Infrastructure) -> None:
    """It stands still while the broker is away, so it never sees the log shorter than it was."""
    with metering(infrastructure, aggregator_flush_interval_seconds="0.3") as pipeline:
        send(pipeline, 0, 100)
        wait_until_metered(pipeline)
        pipeline.aggregator.kill(signal.SIGSTOP)
        loses_and_grows(pipeline, 30, 50)
        pipeline.aggregator.kill(signal.SIGCONT)
        assert_stops(pipeline)


@pytest.mark.nightly
def test_what_was_read_and_not_yet_metered_is_read_again(infrastructure: Infrastructure) -> None:
    """Of what the log lost nothing is counted, of what it has everything."""
    with metering(
        infrastructure,
        aggregator_flush_interval_seconds=NEVER_SECONDS,
        aggregator_instance_id="first",
    ) as pipeline:
        send(pipeline, 0, 100)
        worker = pipeline.aggregator
        eventually("all is read", lambda: reads(pipeline) >= 100)
        worker.kill(signal.SIGSTOP)
        loses_and_grows(pipeline, 30, 50)
        worker.kill(signal.SIGCONT)
        eventually("the log is read again", lambda: "reading the log again" in worker.log_tail())
        eventually("to its end", lambda: reads(pipeline) >= 100 + 120)
        worker.kill(signal.SIGTERM)
        assert worker.wait(60) == 0, worker.log_tail()
        assert checkpoints(pipeline)[PARTITION] == 120
        assert events(pipeline) == 120


@pytest.mark.nightly
def test_a_worker_that_reads_beyond_a_log_recovers_by_itself(
    infrastructure: Infrastructure,
) -> None:
    """It asks for an offset that is not there any more; what it had read is not counted."""
    with metering(infrastructure, aggregator_flush_interval_seconds=NEVER_SECONDS) as pipeline:
        send(pipeline, 0, 100)
        worker = pipeline.aggregator
        pid = worker.pid
        eventually("all is read", lambda: reads(pipeline) >= 100)
        with broker_down(infrastructure):
            cut_off(pipeline, 3)
        eventually("it is noticed", lambda: "does not have what is to be read" in worker.log_tail())
        eventually("the log is read again", lambda: reads(pipeline) >= 100 + 70)
        assert worker.alive and worker.pid == pid
        send(pipeline, 1000, 20)
        eventually("to its end", lambda: reads(pipeline) >= 100 + 70 + 20)
        worker.kill(signal.SIGTERM)
        assert worker.wait(60) == 0, worker.log_tail()
        assert checkpoints(pipeline)[PARTITION] == 90
        assert events(pipeline) == 90


@pytest.mark.nightly
def test_a_worker_ahead_of_a_log_says_so(infrastructure: Infrastructure) -> None:
    with metering(infrastructure, aggregator_flush_interval_seconds="0.3") as pipeline:
        send(pipeline, 0, 100)
        wait_until_metered(pipeline)
        with broker_down(infrastructure):
            cut_off(pipeline, 3)
        worker = pipeline.aggregator
        assert worker.wait(60) != 0
        said = worker.plan.log_path.read_text()
        assert "docs/runbook.md, 'Checkpoint ahead of the log'" in said
        assert "OffsetOutOfRangeError" not in said
        assert (checkpoints(pipeline)[PARTITION], events(pipeline)) == (100, 100)


@pytest.mark.nightly
def test_what_was_read_before_retention_overtook_it_is_metered(
    infrastructure: Infrastructure,
) -> None:
    with metering(infrastructure, aggregator_flush_interval_seconds=NEVER_SECONDS) as pipeline:
        send(pipeline, 0, 100)
        worker = pipeline.aggregator
        eventually("all is read", lambda: reads(pipeline) >= 100)
        worker.kill(signal.SIGSTOP)
        send(pipeline, 100, 50)
        place = TopicPartition(pipeline.topic, PARTITION, 120)
        admin = kafka_admin(pipeline)
        assert admin.delete_records([place])[place].result(60).low_watermark == 120
        worker.kill(signal.SIGCONT)
        assert worker.wait(60) != 0
        said = worker.plan.log_path.read_text()
        assert "docs/runbook.md, 'Retention overtook the meter'" in said
        # The first batch of what came meanwhile may have been on its way.
        assert checkpoints(pipeline)[PARTITION] == events(pipeline)
        assert events(pipeline) in (100, 110)


def test_a_leader_that_lost_nothing_is_believed(infrastructure: Infrastructure) -> None:
    """Also across a restart of the worker, with markers of transactions at the log's end."""
    with metering(infrastructure, aggregator_flush_interval_seconds="0.3") as pipeline:
        send(pipeline, 0, 100)
        wait_until_metered(pipeline)
        with broker_down(infrastructure):
            pass
        send(pipeline, 100, 20)
        eventually("goes on", waited_for(pipeline, 120))
        producer = Producer(
            {
                "bootstrap.servers": infrastructure.bootstrap_servers,
                "transactional.id": f"{pipeline.topic}-aborts",
            }
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(pipeline.topic, b"taken back", partition=PARTITION)
        producer.flush(30)
        producer.abort_transaction(30)
        wait_until_metered(pipeline)
        pipeline.aggregator.kill(signal.SIGKILL)
        pipeline.aggregator.wait(30)
        with broker_down(infrastructure):
            pass
        pipeline.aggregator.start()
        send(pipeline, 120, 20)
        eventually("goes on after a restart", waited_for(pipeline, 140))


@pytest.mark.nightly
def test_a_batch_that_was_deleted_meanwhile_ends_no_worker(infrastructure: Infrastructure) -> None:
    """All of an idle partition is deleted, its broker restarted: the next event is metered."""
    with metering(infrastructure, aggregator_flush_interval_seconds="0.3") as pipeline:
        send(pipeline, 0, 100)
        wait_until_metered(pipeline)
        admin = kafka_admin(pipeline)
        place = TopicPartition(pipeline.topic, PARTITION, 100)
        assert admin.delete_records([place])[place].result(60).low_watermark == 100
        with broker_down(infrastructure):
            pass
        pid = pipeline.aggregator.pid
        send(pipeline, 100, 20)
        eventually("goes on", waited_for(pipeline, 120))
        assert pipeline.aggregator.alive and pipeline.aggregator.pid == pid


def reads(pipeline: Pipeline) -> float:
    """How many records the worker has read."""
    return metric(pipeline.aggregator, "records_total")

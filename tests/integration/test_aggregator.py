"""What a worker does at the edges: its end, another log, a lost database, poison, its commits."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)

from schemas.wire import WireEvent, encode
from services.local_stack.errors import StackError
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.process_table import children
from services.local_stack.supervisor import Supervisor
from tests.integration.faults import (
    PARTITIONS,
    assert_exact,
    audit,
    checkpoints,
    commits,
    database,
    kafka_admin,
    load,
    log_ends,
    log_name,
    metering,
    metric,
    select,
    send,
    wait_until_metered,
)
from tests.living import left_after
from tests.waiting import eventually

#: Faust's commit interval and some more.
COMMITTED_WITHIN_SECONDS = 20


pytestmark = pytest.mark.faults


def producer(pipeline: Pipeline, **config: object) -> Producer:
    return Producer(
        {"bootstrap.servers": pipeline.infrastructure.bootstrap_servers, "log_level": 0, **config}
    )


def event(number: int) -> bytes:
    """A valid event that adds 1 request, 7 input and 3 output tokens."""
    names = (f"valid-{number}", "gateway", "acme", datetime.now(UTC), "eu", "openai", "gpt-5")
    return encode(WireEvent(*names, 7, 3))


def why_it_stopped(pipeline: Pipeline) -> str:
    """Wait until the worker ends by itself with an error; give what it said last."""
    worker = pipeline.aggregator
    assert worker.wait(90) == 1, worker.log_tail(30)
    (message,) = worker.log_tail(1).splitlines()
    assert message.startswith("wattoken: "), worker.log_tail()
    return message


def why_it_does_not_start(pipeline: Pipeline) -> str:
    """Start the worker, which must end as above."""
    pipeline.aggregator.start()
    return why_it_stopped(pipeline)


def stop_in_order(pipeline: Pipeline) -> None:
    """Have the worker end as an operator does."""
    pipeline.aggregator.kill(signal.SIGTERM)
    assert pipeline.aggregator.wait(60) == 0, pipeline.aggregator.log_tail(30)


def test_sigterm_writes_what_was_read(infrastructure: Infrastructure, tmp_path: Path) -> None:
    with metering(infrastructure, aggregator_flush_interval_seconds="600") as pipeline:
        send(pipeline, tmp_path / "ledger", events=5_000)
        worker, ends = pipeline.aggregator, log_ends(pipeline)
        eventually("all read", lambda: metric(worker, "records_total") == sum(ends.values()))
        assert checkpoints(pipeline) == {}
        stop_in_order(pipeline)
        assert checkpoints(pipeline) == ends
        assert commits(pipeline) == ends
        left = [path.name for path in worker.plan.directory.iterdir()]
        assert pipeline.group + "-data" not in left, "Faust's folders for tables"
        assert_exact(pipeline, tmp_path / "ledger")


def decoders_of(pipeline: Pipeline) -> list[int]:
    """The worker's decoder processes; another child asks Kafka its questions."""
    return [
        pid
        for pid in children(pipeline.aggregator.pid)
        if b"decoding.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_without_its_decoder_a_worker_stops(infrastructure: Infrastructure, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with metering(infrastructure) as pipeline:
        # The first gets the first batch.
        os.kill(min(decoders_of(pipeline)), signal.SIGKILL)
        send(pipeline, ledger, events=3_000)
        assert "a decoder process ended with -9" in why_it_stopped(pipeline)
        pipeline.aggregator.start()
        assert_exact(pipeline, ledger)
        assert len(decoders_of(pipeline)) == 2
        helpers = children(pipeline.aggregator.pid)
        pipeline.aggregator.kill(signal.SIGKILL)
        assert left_after(helpers, 20) == [], "none outlives its worker"


def test_an_assignment_made_without_the_topic_is_made_again(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    """A broker that has just started may know of no topic, and the worker then owns nothing."""
    with metering(infrastructure) as pipeline:
        stop_in_order(pipeline)
        sighted = pipeline.aggregator.plan
        script = [sys.executable, "-m", "tests.integration.blind_aggregator", "aggregator"]
        blind = replace(sighted, name="blind", command=script, ready=lambda: False)
        send(pipeline, tmp_path / "ledger", events=3_000)
        with Supervisor() as supervisor:
            worker = supervisor.launch(blind)
            eventually("it owns nothing", lambda: "missing topic" in worker.log_tail(1000))
            eventually("it is asked again", lambda: checkpoints(pipeline) == log_ends(pipeline), 45)
        assert_exact(pipeline, tmp_path / "ledger")


def test_commits_follow_the_checkpoints(infrastructure: Infrastructure, tmp_path: Path) -> None:
    with metering(infrastructure) as pipeline:
        seen: set[int] = set()
        with load(pipeline, tmp_path / "ledger", rate=2_000) as running:
            deadline = time.monotonic() + 60
            while len(seen) < 5:
                assert time.monotonic() < deadline, seen
                # In this order: a checkpoint only grows, so it is at least what it was before.
                committed, stored = commits(pipeline), checkpoints(pipeline)
                for partition, offset in committed.items():
                    assert offset <= stored.get(partition, 0)
                seen.add(sum(committed.values()))
            running.stop()
        assert_exact(pipeline, tmp_path / "ledger")
        ends = log_ends(pipeline)
        eventually("commits", lambda: commits(pipeline) == ends, COMMITTED_WITHIN_SECONDS)
        assert checkpoints(pipeline) == ends


#: Records that are no usage event, and the reason that each must be refused for.
POISON: list[tuple[bytes | None, str]] = [
    (None, "invalid_json"),
    (b"", "invalid_json"),
    (bytes(range(256)), "invalid_json"),
    (b"\xff\xfe" + "{}".encode("utf-16-le"), "invalid_json"),
    (event(0)[:-20], "invalid_json"),
    (event(0) + event(0), "invalid_json"),
    (event(0).replace(b":7", b":NaN"), "invalid_json"),
    (event(0).replace(b":7", b":18446744073709551616"), "invalid_event"),
    (event(0).replace(b":7", b":-1"), "invalid_event"),
    (event(0).replace(b":7", b":null"), "invalid_event"),
    (event(0).replace(b":7", b':"7"'), "invalid_event"),
    (event(0).replace(b"gpt-5", b"m" * 900_000), "invalid_event"),
    (b"null", "invalid_event"),
    (b"[" * 100_000, "invalid_event"),
]
#: Passes the broker, which measures what is compressed, and is 2 MB at the worker.
LARGE = b'{"id":"' + b"x" * 2_000_000 + b'"}'


def test_poison_stops_no_partition(infrastructure: Infrastructure) -> None:
    with metering(infrastructure, aggregator_flush_interval_seconds="0.3") as pipeline:
        expected: dict[tuple[int, int], tuple[str, int]] = {}
        valid: list[int] = []
        delivered: list[KafkaError | None] = []
        sender = producer(pipeline, **{"compression.type": "lz4", "message.max.bytes": 4_000_000})

        def put(value: bytes | None, partition: int, reason: str | None) -> None:
            def report(error: KafkaError | None, message: Message) -> None:
                delivered.append(error)
                if reason is None:
                    valid.append(partition)
                    return
                place = (partition, message.offset() or 0)
                expected[place] = (reason, len(value or b""))

            key = b"no-identity-hash" if len(delivered) % 2 else None
            sender.produce(pipeline.topic, value, key, partition, on_delivery=report)
            sender.flush(20)

        for partition in range(PARTITIONS):
            for number, (value, reason) in enumerate([*POISON, (LARGE, "invalid_event")]):
                put(value, partition, reason)
                put(event(partition * 1000 + number), partition, None)
        assert delivered == [None] * (len(valid) + len(expected))
        refused_by_the_broker(pipeline)

        def letters() -> dict[tuple[int, int], tuple[str, int]]:
            query = "SELECT partition, offset, reason, payload_bytes FROM dead_letters FINAL"
            return {(row[0], row[1]): (row[2], row[3]) for row in select(pipeline, query)}

        wait_until_metered(pipeline)
        assert letters() == expected
        assert select(pipeline, "SELECT max(length(payload)) FROM dead_letters") == [(8 * 1024,)]
        query = "SELECT requests, input_tokens, output_tokens FROM registers"
        count = len(valid)
        assert select(pipeline, query) == [(count, 7 * count, 3 * count)]


def refused_by_the_broker(pipeline: Pipeline) -> None:
    """Hold that 2 MB that do not compress come no further than the broker."""
    errors: list[KafkaError | None] = []
    sender = producer(pipeline, **{"message.max.bytes": 4_000_000})
    sender.produce(
        pipeline.topic, LARGE, b"key", 0, on_delivery=lambda error, _: errors.append(error)
    )
    sender.flush(20)
    (error,) = errors
    assert error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_a_transactions_marker_at_the_end_is_no_standstill(infrastructure: Infrastructure) -> None:
    """Markers take offsets and are no records: the log's end lies behind the last record."""
    with metering(infrastructure, aggregator_standstill_seconds="1") as pipeline:
        sender = producer(pipeline, **{"transactional.id": pipeline.name})
        sender.init_transactions(20)
        for commit in (True, False, True, False):
            sender.begin_transaction()
            for number in range(PARTITIONS):
                sender.produce(pipeline.topic, event(commit * 100 + number), None, number)
            sender.flush(20)
            if commit:
                sender.commit_transaction(20)
            else:
                sender.abort_transaction(20)
        wait_until_metered(pipeline)
        received = "SELECT sum(received), sum(accepted), sum(duplicate) FROM checkpoints FINAL"
        assert select(pipeline, received) == [(2 * PARTITIONS, PARTITIONS, PARTITIONS)]


def test_a_topic_recreated_is_another_log(infrastructure: Infrastructure, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with metering(infrastructure) as pipeline:
        send(pipeline, ledger, events=3_000)
        wait_until_metered(pipeline)
        first = log_name(pipeline)
        admin = kafka_admin(pipeline)
        admin.delete_topics([pipeline.topic])[pipeline.topic].result()
        eventually("the topic is gone", lambda: topic_is_gone(pipeline))
        pipeline.run("migrate", "--partitions", str(PARTITIONS))
        second = log_name(pipeline)
        assert second != first
        message = why_it_stopped(pipeline)
        assert "deleted and recreated" in message and first in message and second in message
        pipeline.aggregator.start()
        send(pipeline, ledger, events=4_000, seed=2)
        result = audit(pipeline, ledger)
        assert result["rows"] == []
        assert min(result["rows_compared"].values()) > 50
        counted = dict(select(pipeline, "SELECT log, sum(accepted) FROM checkpoints GROUP BY log"))
        assert counted.keys() == {first, second}
        assert sum(counted.values()) == result["unique_events"]
        assert result["metered_events"] == counted[second]


def topic_is_gone(pipeline: Pipeline) -> bool:
    admin = kafka_admin(pipeline)
    return pipeline.topic not in admin.list_topics(timeout=10).topics


def test_a_database_that_is_lost_is_metered_anew(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    with metering(infrastructure, aggregator_replica_wait_seconds="1") as pipeline:
        send(pipeline, ledger, events=5_000)
        before = assert_exact(pipeline, ledger)
        stop_in_order(pipeline)
        with database(pipeline) as client:
            client.command(f"DROP DATABASE {pipeline.database} SYNC")
        pipeline.run("migrate", "--partitions", str(PARTITIONS))
        message = why_it_does_not_start(pipeline)
        assert "the checkpoint is 0" in message and "wattoken accept-restore" in message
        assert checkpoints(pipeline) == {}
        pipeline.run("accept-restore")
        pipeline.aggregator.restart()
        assert assert_exact(pipeline, ledger) == before


def test_what_stops_a_worker(infrastructure: Infrastructure, tmp_path: Path) -> None:
    """Each message names what is wrong; nothing is guessed, and after the remedy it goes on."""
    ledger = tmp_path / "ledger"
    with metering(infrastructure) as pipeline, database(pipeline) as client:
        # As with a right that was never granted: no retry fixes it.
        client.command("RENAME TABLE slices_hour TO elsewhere")
        # So many that the insert fails while others are still being read.
        send(pipeline, ledger, events=40_000)
        message = why_it_stopped(pipeline)
        assert "slices_hour does not exist" in message and "run `wattoken migrate`" in message
        assert checkpoints(pipeline) == {}
        client.command("RENAME TABLE elsewhere TO slices_hour")
        pipeline.aggregator.restart()
        wait_until_metered(pipeline)
        stop_in_order(pipeline)
        stored = checkpoints(pipeline)

        client.command("TRUNCATE TABLE metering_rules")
        message = why_it_does_not_start(pipeline)
        assert "no metering rules" in message and "run `wattoken migrate`" in message
        assert log_name(pipeline) in message
        pipeline.run("migrate", "--partitions", str(PARTITIONS))

        client.command(
            "INSERT INTO checkpoints SELECT * REPLACE (next_offset + 1000000 AS next_offset)"
            " FROM checkpoints FINAL WHERE partition = 2"
        )
        message = why_it_does_not_start(pipeline)
        assert f"partition 2 of {pipeline.topic}" in message and "docs/runbook.md" in message
        assert f"the checkpoint is {stored[2] + 1_000_000}" in message
        assert f"the log ends at {stored[2]}" in message
        client.command("DELETE FROM checkpoints WHERE next_offset > 1000000")

        send(pipeline, ledger, events=1_000, seed=2)
        assert checkpoints(pipeline) == stored
        pipeline.aggregator.restart()
        assert_exact(pipeline, ledger)
        stop_in_order(pipeline)
        stored = checkpoints(pipeline)

        send(pipeline, ledger, events=1_000, seed=3)
        delete_records(pipeline, 1, stored[1] + 5)
        message = why_it_does_not_start(pipeline)
        assert f"partition 1 of {pipeline.topic}" in message and "docs/runbook.md" in message
        assert f"the log starts at {stored[1] + 5}" in message
        assert f"only {stored[1]} was metered, so 5 records were deleted" in message
        assert checkpoints(pipeline) == stored


def delete_records(pipeline: Pipeline, partition: int, before: int) -> None:
    admin = kafka_admin(pipeline)
    place = TopicPartition(pipeline.topic, partition, before)
    for answer in admin.delete_records([place]).values():
        answer.result()


@pytest.mark.nightly
def test_records_deleted_before_the_first_checkpoint_are_missed(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    """Retention overtakes a worker that has not begun yet: it must not begin behind the gap."""
    ledger = tmp_path / "ledger"
    with metering(infrastructure) as pipeline:
        stop_in_order(pipeline)
        send(pipeline, ledger, events=1_000)
        delete_records(pipeline, 1, 7)
        message = why_it_does_not_start(pipeline)
        assert f"partition 1 of {pipeline.topic}" in message
        assert "the log starts at 7, but only 0 was metered, so 7 records" in message
        assert checkpoints(pipeline) == {}

        # The same in a database from before `migrate` saw the log.
        with database(pipeline) as client:
            client.command("TRUNCATE TABLE log_partitions")
        with pytest.raises(StackError, match="starts at 7.*--accept-log-start"):
            pipeline.run("migrate", "--partitions", str(PARTITIONS))
        pipeline.run("migrate", "--partitions", str(PARTITIONS), "--accept-log-start")
        pipeline.aggregator.restart()
        wait_until_metered(pipeline)
        starts = "SELECT partition, start_offset FROM checkpoints FINAL ORDER BY partition"
        assert select(pipeline, starts) == [(0, 0), (1, 7), (2, 0), (3, 0)]


def test_an_open_transaction_is_no_standstill(infrastructure: Infrastructure) -> None:
    """Nothing can be read past it, for as long as its producer likes."""
    with metering(infrastructure, aggregator_standstill_seconds="5") as pipeline:
        sender = producer(
            pipeline, **{"transactional.id": pipeline.name, "transaction.timeout.ms": 120_000}
        )
        sender.init_transactions(20)
        sender.begin_transaction()
        sender.produce(pipeline.topic, event(1), None, 0)
        assert sender.flush(20) == 0
        pid = pipeline.aggregator.pid
        # The watch looks every 15 s, and at its third look patience would be at its end.
        time.sleep(50)
        assert pipeline.aggregator.alive and pipeline.aggregator.pid == pid
        sender.commit_transaction(20)
        eventually("metered", lambda: checkpoints(pipeline) == {0: log_ends(pipeline)[0]})
        assert select(pipeline, "SELECT sum(accepted) FROM checkpoints FINAL") == [(1,)]
        assert pipeline.aggregator.pid == pid


def test_a_commit_of_the_old_log_stops_no_worker_of_the_new(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    """Kafka keeps commits by the topic's name; a late worker may commit after it was recreated."""
    ledger = tmp_path / "ledger"
    with metering(infrastructure, aggregator_replica_wait_seconds="1") as pipeline:
        old = log_name(pipeline)
        stop_in_order(pipeline)
        admin = kafka_admin(pipeline)
        admin.delete_topics([pipeline.topic])[pipeline.topic].result()
        eventually("the topic is gone", lambda: topic_is_gone(pipeline))
        pipeline.run("migrate", "--partitions", str(PARTITIONS))
        late = [TopicPartition(pipeline.topic, p, 1_000_000, old) for p in range(PARTITIONS)]
        request = [ConsumerGroupTopicPartitions(pipeline.group, late)]
        admin.alter_consumer_group_offsets(request)[pipeline.group].result()
        pipeline.aggregator.restart()
        send(pipeline, ledger, events=1_000)
        assert_exact(pipeline, ledger)

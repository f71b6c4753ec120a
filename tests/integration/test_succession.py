"""`wattoken succeed` on running systems: no event lost, held or counted twice across it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import NewPartitions, NewTopic

from schemas.identity import identity_hash
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.processes import Child
from services.operate.succession.steps import STEPS
from tests.integration.faults import kafka_admin, select
from tests.integration.succession_world import (
    Fleet,
    Sent,
    add_service,
    assert_counted_once,
    counted,
    ends_of,
    log_of,
    next_offsets,
    refusal,
    start_succeed,
    succeed,
    succeed_options,
    totals,
    wait_until_metered,
)
from tests.waiting import eventually

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
RESENDS = 2_000
_numbers = itertools.count(1)
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@contextmanager
def running(
    infrastructure: Infrastructure, name: str, partitions: int, **env: str
) -> Iterator[tuple[Pipeline, Fleet]]:
    """A pipeline of ingest and one worker, and a fleet that sends to it."""
    # Workers start often here, and there is little to decode.
    given = {"aggregator_decoder_processes": "0", **env}
    settings = {f"WATTOKEN_{key.upper()}": value for key, value in given.items()}
    with Pipeline(
        infrastructure,
        name,
        partitions=partitions,
        services=("ingest", "aggregator"),
        env=settings,
    ) as pipeline:
        yield pipeline, Fleet(pipeline, [pipeline.addresses["ingest"]])


def restart_with_empty_disk(worker: Child) -> None:
    """Kill a worker and start it on a machine that knows nothing."""
    worker.kill(signal.SIGKILL)
    shutil.rmtree(worker.plan.directory)
    worker.start()
    worker.wait_ready()


@pytest.mark.timeout(600)
def test_resends_across_two_successions_under_load(infrastructure: Infrastructure) -> None:
    """`succeed` dies in between, too; one worker has its ids in memory, the other on disk."""
    with running(infrastructure, "succession1", 12) as (pipeline, fleet):
        old, new, last = (f"{pipeline.topic}{end}" for end in ("", ".16", ".5"))
        ingest = add_service(pipeline, "ingest", "ingest2")
        on_disk = {"WATTOKEN_AGGREGATOR_IDS_IN_MEMORY_MAX": "500"}
        workers = [pipeline.aggregator, add_service(pipeline, "aggregator", "worker2", **on_disk)]
        for child in (ingest, workers[1]):
            child.wait_ready()
        fleet.urls.append(f"http://127.0.0.1:{ingest.plan.env['WATTOKEN_INGEST_PORT']}")
        pids = {child.pid for child in workers}
        first = fleet.send(RESENDS)
        with fleet.driving():
            die(pipeline, "after:announce_successor", new, 16)
            command = start_succeed(pipeline, new, 16)
            # On both sides of it, and across.
            while command.poll() is None:
                fleet.send_again(first)
                time.sleep(0.5)
            said = command.communicate()[0]
            assert command.returncode == 0, said
            before = counted(pipeline, "duplicate")
            fleet.send_again(first)
        for topic in (old, new):
            wait_until_metered(pipeline, topic)
        assert_counted_once(pipeline, fleet.sent)
        logs = {topic: log_of(pipeline, topic).name for topic in (old, new)}
        assert counted(pipeline, "duplicate") >= before + RESENDS
        assert counted(pipeline, "duplicate", [logs[new]]) >= RESENDS
        assert counted(pipeline, "accepted", [logs[old]]) > RESENDS
        assert counted(pipeline, "accepted", [logs[new]]) > 0
        # All went over by themselves, under their own process ids; ingest never said no.
        assert {child.pid for child in workers} == pids
        assert fleet.answers.keys() == {202}, fleet.answers

        # Soon after, another; then one worker starts again, and one on a disk that knows nothing.
        succeed(pipeline, last, 5)
        workers[0].restart()
        restart_with_empty_disk(workers[1])
        known = counted(pipeline, "duplicate")
        sent = fleet.sent
        fleet.send_again(sent)
        for topic in (new, last):
            wait_until_metered(pipeline, topic)
        assert_counted_once(pipeline, sent)
        assert counted(pipeline, "duplicate") == known + len(sent.numbers)
        assert fleet.answers.keys() == {202}, fleet.answers


#: Where it is killed, one run after the other.
POINTS = [
    *(f"{when}:{step.__name__}" for step in STEPS for when in ("before", "after")),
    "within:write_ends",
]


def die(pipeline: Pipeline, point: str, topic: str, partitions: int) -> None:
    """Run `wattoken succeed` up to a point where it kills itself."""
    died = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.dying_succeed", point),
            *succeed_options(topic, partitions),
        ],
        env={**os.environ, **pipeline.env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, (point, died.stdout, died.stderr)


@pytest.mark.skipif(
    os.environ.get("WATTOKEN_EVERY_STEP") != "1", reason="WATTOKEN_EVERY_STEP=1: minutes"
)
@pytest.mark.timeout(900)
def test_killed_at_every_step_and_run_again(infrastructure: Infrastructure) -> None:
    with running(infrastructure, "succession2", 3) as (pipeline, fleet):
        new = f"{pipeline.topic}.5"
        order = sorted(POINTS, key=lambda point: point.startswith("within"))
        # A run that dies in step 7 comes before one that gets beyond it.
        order.insert(order.index("after:write_ends"), order.pop())
        with fleet.driving(threads=1):
            for point in order:
                die(pipeline, point, new, 5)
            succeed(pipeline, new, 5)
        wait_until_metered(pipeline, pipeline.topic)
        wait_until_metered(pipeline, new)
        assert_counted_once(pipeline, fleet.sent)
        assert fleet.answers.keys() == {202}, fleet.answers
        rows = select(pipeline, "SELECT predecessor_partition, end_offset FROM successions")
        assert sorted(rows) == sorted(ends_of(pipeline, pipeline.topic).items())


def test_direct_producers_several_commands_and_a_topic_that_is_gone(
    infrastructure: Infrastructure,
) -> None:
    with running(infrastructure, "succession3", 3) as (pipeline, fleet):
        old, new = pipeline.topic, f"{pipeline.topic}.4"
        servers = {"bootstrap.servers": infrastructure.bootstrap_servers, "log_level": 0}
        records = {at: fleet.record(10_000 + at) for at in range(60)}
        # A transaction that was begun before, ends after.
        begun = in_transaction(servers, old, records.values())
        commands = [start_succeed(pipeline, new, 4) for _ in range(2)]
        commands.append(start_succeed(pipeline, f"{old}.other", 4))
        eventually("closed", lambda: refused(servers, old, *records[0]))
        begun.commit_transaction(20)
        said = [command.communicate(timeout=200)[0] for command in commands]
        codes = [command.returncode for command in commands]
        # Whoever announced first is the one; the others of another mind are told.
        assert sorted(codes) in ([0, 0, 1], [0, 1, 1]), said
        losers = [text for text, code in zip(said, codes, strict=True) if code]
        assert all("is being succeeded by" in text for text in losers), losers
        new = new if codes[2] else f"{old}.other"
        ends = ends_of(pipeline, old)
        for codec in CODECS:
            for size in (1, 50):
                assert refused(servers, old, *records[0], codec=codec, count=size)
        with pytest.raises(KafkaException):
            in_transaction(servers, old, [records[0]]).commit_transaction(20)
        assert ends_of(pipeline, old) == ends
        # What sends again to the successor counts once, by whatever way it came first.
        straight = Producer({**servers, "partitioner": "murmur2_random"})
        for key, value in records.values():
            straight.produce(new, key=key, value=value)
        assert straight.flush(20) == 0
        pipeline.run("simulate", "--fast", "--rate", "200", "--duration", "1", "--seed", "7")
        wait_until_metered(pipeline, new)
        logs = [log_of(pipeline, new).name]
        assert counted(pipeline, "duplicate", logs) >= 60
        assert counted(pipeline, "accepted", logs) > 100
        assert counted(pipeline, "accepted", [log_of(pipeline, old).name]) == 60

        # Without the predecessor's topic, a worker that needs it does not guess.
        admin = kafka_admin(pipeline)  # Held: a client that is dropped answers nothing.
        admin.delete_topics([old])[old].result()
        worker = pipeline.aggregator
        worker.kill(signal.SIGKILL)
        shutil.rmtree(worker.plan.directory)
        worker.start()
        assert worker.wait(90) == 1
        assert f"topic {old} was followed by this log" in worker.log_tail(1)


def in_transaction(
    servers: dict[str, object], topic: str, records: Iterable[tuple[bytes, bytes]]
) -> Producer:
    """A producer that has handed over records in a transaction, which is open still."""
    producer = Producer({**servers, "transactional.id": f"gateway-{next(_numbers)}"})
    producer.init_transactions(20)
    producer.begin_transaction()
    for key, value in records:
        producer.produce(topic, key=key, value=value)
    producer.flush(20)
    return producer


def refused(
    servers: dict[str, object],
    topic: str,
    key: bytes,
    value: bytes,
    *,
    codec: str = "none",
    count: int = 1,
) -> bool:
    """Whether a topic takes none of some records of a producer, whatever its codec."""
    names: list[str] = []
    producer = Producer({**servers, "compression.type": codec, "linger.ms": 5})
    for _ in range(count):
        producer.produce(
            topic,
            key=key,
            value=value,
            on_delivery=lambda error, _: names.append("" if error is None else error.name()),
        )
    producer.flush(20)
    return names == ["MSG_SIZE_TOO_LARGE"] * count


@pytest.mark.timeout(600)
def test_partitions_added_under_the_meter(infrastructure: Infrastructure) -> None:
    with running(infrastructure, "succession7", 4) as (pipeline, fleet):
        old, new = pipeline.topic, f"{pipeline.topic}.6"
        first = fleet.send(500)
        worker = pipeline.aggregator
        before = ends_of(pipeline, old)
        admin = kafka_admin(pipeline)
        admin.create_partitions([NewPartitions(old, 6)])[old].result()
        # Ingest would hear of the new partitions within minutes; started again, it knows them.
        pipeline.ingest.restart()
        fleet.send(500)
        fleet.send_again(first)
        assert worker.wait(90) == 1, worker.log_tail(30)
        assert "was made with 4 partitions and has 6" in worker.log_tail(1)
        for at, offset in next_offsets(pipeline, old).items():
            assert offset <= before[at], "nothing is metered that was keyed again"
        with pytest.raises(Exception, match="was made with 4 partitions and has 6"):
            pipeline.run("migrate")
        worker.start()
        assert worker.wait(90) == 1
        assert "was made with 4 partitions and has 6" in worker.log_tail(1)
        # A record without a key, and one that is no event, are copied as they are.
        straight = Producer({"bootstrap.servers": infrastructure.bootstrap_servers})
        straight.produce(old, value=fleet.record(20_000)[1])
        straight.produce(old, value=b"{")
        assert straight.flush(20) == 0
        with fleet.driving(threads=1):
            command = start_succeed(pipeline, new, 6)
            said, _ = command.communicate(timeout=200)
        assert command.returncode == 0, said
        assert "2 partitions were added" in said
        worker.start()
        worker.wait_ready()
        fleet.send_again(first)
        wait_until_metered(pipeline, new)
        [(rejected,)] = select(pipeline, "SELECT count() FROM dead_letters FINAL")
        assert rejected == 1
        assert_counted_once(pipeline, Sent([*fleet.sent.numbers, 20_000]))
        # Said again, it changes nothing.
        held = totals(pipeline)
        succeed(pipeline, new, 6)
        wait_until_metered(pipeline, new)
        assert totals(pipeline) == held


def test_what_it_refuses(infrastructure: Infrastructure) -> None:
    with Pipeline(infrastructure, "succession8", partitions=2, services=()) as pipeline:
        admin = kafka_admin(pipeline)
        made = [
            NewTopic("succession8.three", 3, 1, config={"message.timestamp.type": "LogAppendTime"}),
            NewTopic("succession8.create-time", 3, 1),
        ]
        for future in admin.create_topics(made).values():
            future.result()
        for topic, partitions, text in (
            (pipeline.topic, 3, "cannot follow itself"),
            ("a b", 3, "is no name of a topic"),
            ("succession8.three", 4, "exists with 3 partitions, not 4"),
            ("succession8.create-time", 3, "message.timestamp.type=CreateTime"),
        ):
            assert text in refusal(pipeline, topic, partitions)
        # Nothing was announced, so the next may be another. Nobody meters, so it says what it
        # waits for; the succession stands all the same.
        key = identity_hash("t", "s", "1")
        producer = Producer({"bootstrap.servers": infrastructure.bootstrap_servers})
        producer.produce(
            pipeline.topic, key=key, value=b"poison that is as long as an event is" * 3
        )
        assert producer.flush(20) == 0
        said = refusal(pipeline, "succession8.three", 3)
        assert "to be metered" in said and "start `wattoken aggregator`" in said, said
        said = refusal(pipeline, "succession8.three", 4)
        assert "was announced with 3 partitions" in said, said
        said = pipeline.run("migrate")
        assert f"topic {pipeline.topic}: exists" not in said, "none is made or checked in its place"

"""`wattoken succeed` on running systems: no event lost, held or counted twice across it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import NewPartitions, NewTopic

from deploy.local.infrastructure import Infrastructure
from deploy.local.pipeline import Pipeline
from deploy.local.processes import Child
from schemas.identity import identity_hash
from services.operate.succession.steps import STEPS
from tests.integration.faults import kafka_admin, metric, select
from tests.integration.succession_world import (
    Fleet,
    Sent,
    add_service,
    assert_counted_once,
    behind,
    counted,
    ends_of,
    log_of,
    next_offsets,
    run_succeed,
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
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@contextmanager
def running(
    infrastructure: Infrastructure, name: str, partitions: int, **env: str
) -> Iterator[tuple[Pipeline, Fleet]]:
    """A pipeline of ingest and one worker, and a fleet that sends to it."""
    settings = {f"WATTOKEN_{key.upper()}": value for key, value in env.items()}
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
def test_resends_across_more_partitions_under_load(infrastructure: Infrastructure) -> None:
    with Pipeline(
        infrastructure, "succession1", partitions=12, services=("ingest", "aggregator")
    ) as pipeline:
        old, new = pipeline.topic, f"{pipeline.topic}.16"
        ingest = add_service(pipeline, "ingest", "ingest2")
        worker = add_service(pipeline, "aggregator", "worker2")
        for child in (ingest, worker):
            child.wait_ready()
        port = ingest.plan.env["WATTOKEN_INGEST_PORT"]
        fleet = Fleet(pipeline, [pipeline.addresses["ingest"], f"http://127.0.0.1:{port}"])
        pids = {child.pid for child in (pipeline.aggregator, worker)}
        first = fleet.send(RESENDS)
        with fleet.driving():
            command = start_succeed(pipeline, new, 16)
            # On both sides of it, and across.
            while command.poll() is None:
                fleet.send_again(first)
            said = command.communicate()[0]
            assert command.returncode == 0, said
            before = counted(pipeline, "duplicate")
            fleet.send_again(first)
        wait_until_metered(pipeline, old)
        wait_until_metered(pipeline, new)
        assert_counted_once(pipeline, fleet.sent)
        assert counted(pipeline, "duplicate") >= before + RESENDS
        logs = {topic: log_of(pipeline, topic).name for topic in (old, new)}
        assert counted(pipeline, "accepted", [logs[old]]) > RESENDS
        assert counted(pipeline, "accepted", [logs[new]]) > 0
        assert counted(pipeline, "duplicate", [logs[new]]) >= RESENDS
        # All went over by themselves, under their own process ids.
        assert {child.pid for child in (pipeline.aggregator, worker)} == pids
        assert fleet.answers.keys() == {202}, fleet.answers


#: Where it is killed, one run after the other.
POINTS = [
    *(f"{when}:{step.__name__}" for step in STEPS for when in ("before", "after")),
    "within:write_ends",
]


@pytest.mark.timeout(900)
def test_killed_at_every_step_and_run_again(infrastructure: Infrastructure) -> None:
    with running(infrastructure, "succession2", 3) as (pipeline, fleet):
        new = f"{pipeline.topic}.5"
        order = sorted(POINTS, key=lambda point: point.startswith("within"))
        # A run that dies in step 7 comes before one that gets beyond it.
        order.insert(order.index("after:write_ends"), order.pop())
        with fleet.driving(threads=1):
            for point in order:
                died = subprocess.run(
                    [
                        *(sys.executable, "-m", "tests.integration.dying_succeed", point),
                        *succeed_options(new, 5),
                    ],
                    env={**os.environ, **pipeline.env},
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                assert died.returncode == -signal.SIGKILL, (point, died.stdout, died.stderr)
            succeed(pipeline, new, 5)
        wait_until_metered(pipeline, pipeline.topic)
        wait_until_metered(pipeline, new)
        assert_counted_once(pipeline, fleet.sent)
        assert fleet.answers.keys() == {202}, fleet.answers
        # Said again by each run from the seventh step on, and always the same.
        rows = select(pipeline, "SELECT predecessor_partition, end_offset FROM successions")
        assert sorted(set(rows)) == sorted(ends_of(pipeline, pipeline.topic).items())
        assert len(rows) > 3


def test_from_two_places_at_once(infrastructure: Infrastructure) -> None:
    with running(infrastructure, "succession3", 3) as (pipeline, fleet):
        new = f"{pipeline.topic}.4"
        with fleet.driving(threads=1):
            commands = [start_succeed(pipeline, new, 4) for _ in range(2)]
            other = start_succeed(pipeline, f"{pipeline.topic}.other", 4)
            said = [command.communicate(timeout=200)[0] for command in (*commands, other)]
        codes = [command.returncode for command in (*commands, other)]
        # Whoever announced first is the one; the others of another mind are told.
        assert sorted(codes) in ([0, 0, 1], [0, 1, 1]), said
        losers = [text for text, code in zip(said, codes, strict=True) if code]
        assert all("is being succeeded by" in text for text in losers), losers
        winner = new if codes[2] else f"{pipeline.topic}.other"
        wait_until_metered(pipeline, pipeline.topic)
        wait_until_metered(pipeline, winner)
        assert_counted_once(pipeline, fleet.sent)


@pytest.mark.parametrize("in_memory", ["8000000", "40"])
def test_a_worker_that_starts_again_knows_the_predecessors_ids(
    infrastructure: Infrastructure, in_memory: str
) -> None:
    """With its disk and without, with ids in memory and on disk; and through two successions."""
    name = f"succession4-{in_memory}"
    with running(infrastructure, name, 4, aggregator_ids_in_memory_max=in_memory) as (
        pipeline,
        fleet,
    ):
        sent = [fleet.send(400)]
        topics = [pipeline.topic]
        for partitions in (6, 5):
            topics.append(f"{pipeline.topic}.{partitions}")
            succeed(pipeline, topics[-1], partitions)
            fleet.send_again(sent[0])
            sent.append(fleet.send(100))
        worker = pipeline.aggregator
        for restart in (worker.restart, lambda: restart_with_empty_disk(worker)):
            wait_until_metered(pipeline, topics[-1])
            restart()
            for part in sent:
                fleet.send_again(part)
            wait_until_metered(pipeline, topics[-1])
            assert_counted_once(pipeline, fleet.sent)
        resends = 2 * len(sent[0].numbers) + 2 * len(fleet.sent.numbers)
        assert counted(pipeline, "duplicate") == resends
        for topic in topics[:-1]:
            assert behind(pipeline, topic) == {}


def test_without_the_predecessors_topic_it_does_not_guess(infrastructure: Infrastructure) -> None:
    with running(infrastructure, "succession5", 2) as (pipeline, fleet):
        new = f"{pipeline.topic}.3"
        fleet.send(100)
        succeed(pipeline, new, 3)
        kafka_admin(pipeline).delete_topics([pipeline.topic])[pipeline.topic].result()
        worker = pipeline.aggregator
        worker.kill(signal.SIGKILL)
        shutil.rmtree(worker.plan.directory)
        worker.start()
        assert worker.wait(90) == 1
        assert f"topic {pipeline.topic} was followed by this log" in worker.log_tail(1)


def test_direct_producers_are_refused_and_tools_follow(infrastructure: Infrastructure) -> None:
    with running(infrastructure, "succession6", 3) as (pipeline, fleet):
        new = f"{pipeline.topic}.4"
        servers = {"bootstrap.servers": infrastructure.bootstrap_servers, "log_level": 0}
        # A transaction that was begun before, ends after.
        begun = Producer({**servers, "transactional.id": "begun-before"})
        begun.init_transactions(20)
        begun.begin_transaction()
        records = {at: fleet.record(10_000 + at) for at in range(60)}
        for key, value in records.values():
            begun.produce(pipeline.topic, key=key, value=value)
        begun.flush(20)
        command = start_succeed(pipeline, new, 4)
        eventually("closed", lambda: refused(servers, pipeline.topic, *records[0]))
        begun.commit_transaction(20)
        assert command.wait(120) == 0, command.communicate()[0]
        ends = ends_of(pipeline, pipeline.topic)
        for codec in CODECS:
            for size in (1, 50):
                assert refused(servers, pipeline.topic, *records[0], codec=codec, count=size)
        late = Producer({**servers, "transactional.id": "begun-after"})
        late.init_transactions(20)
        late.begin_transaction()
        late.produce(pipeline.topic, key=records[0][0], value=records[0][1])
        with pytest.raises(KafkaException):
            late.commit_transaction(20)
        assert ends_of(pipeline, pipeline.topic) == ends
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
        assert counted(pipeline, "accepted", [log_of(pipeline, pipeline.topic).name]) == 60


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
            assert offset <= before[at], "nothing is metered that was keyed anew"
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
            code, said = run_succeed(pipeline, topic, partitions)
            assert code == 1 and text in said, said
        # Nothing was announced, so the next may be another. Nobody meters, so it says what it
        # waits for; the succession stands all the same.
        key = identity_hash("t", "s", "1")
        producer = Producer({"bootstrap.servers": infrastructure.bootstrap_servers})
        producer.produce(
            pipeline.topic, key=key, value=b"poison that is as long as an event is" * 3
        )
        assert producer.flush(20) == 0
        code, said = run_succeed(pipeline, "succession8.three", 3, "--timeout", "2")
        assert code == 1
        assert "to be metered" in said and "start `wattoken aggregator`" in said, said
        code, said = run_succeed(pipeline, "succession8.three", 4)
        assert code == 1 and "was announced with 3 partitions" in said, said
        said = pipeline.run("migrate")
        assert f"topic {pipeline.topic}: exists" not in said, "none is made or checked in its place"
        worker = add_service(pipeline, "aggregator", "late")
        eventually("over", lambda: worker.plan.ready() and metric(worker, "partitions") == 3)
        succeed(pipeline, "succession8.three", 3)

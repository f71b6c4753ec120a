"""Exactly once under real faults: each test ends equal to the senders' ledger, row by row."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from random import Random

import pytest

from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.process_table import memory_of
from services.local_stack.processes import Child
from tests.integration.faults import (
    PARTITIONS,
    add_worker,
    assert_exact,
    checkpoints,
    database,
    load,
    metering,
    metric,
    send,
    wait_until_metered,
)
from tests.waiting import eventually

pytestmark = pytest.mark.faults

DAY_SECONDS = 24 * 3600
#: What is older is refused: late events are of the last weekend, up to a week back.
KEEP_DAYS = 36
KILLS = 20
#: Fewer kills of a worker at work than this, and the test would say little.
KILLS_AT_WORK_MIN = 5
FLUSH_SECONDS = "0.3"


def wait_for_progress(pipeline: Pipeline, *workers: Child) -> None:
    """Wait until every partition moves on, by these workers and no new ones."""
    pids = [worker.pid for worker in workers]
    before = checkpoints(pipeline)

    def moved() -> bool:
        ended = [worker.failure(worker.ending) for worker in workers if not worker.alive]
        assert not ended, ended[0]
        now = checkpoints(pipeline)
        return all(now.get(number, 0) > before.get(number, 0) for number in range(PARTITIONS))

    eventually("progress in every partition", moved)
    assert [worker.pid for worker in workers] == pids


def wait_until_shared(*workers: Child) -> None:
    """Wait until each of two workers has half of the partitions."""
    half = [PARTITIONS / 2] * 2
    eventually("half each", lambda: [metric(each, "partitions") for each in workers] == half)


def kill_at_random(worker: Child, draw: Random) -> bool:
    """Kill a worker that was just started; say whether it was at work by then."""
    if draw.random() < 0.5:
        time.sleep(draw.uniform(0.0, 3.0))  # in start-up, joining the group or recovering
    else:
        deadline = time.monotonic() + 30
        while not worker.plan.ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(draw.uniform(0.0, 1.0))  # between any two steps of its work
    at_work = worker.plan.ready()
    worker.kill(signal.SIGKILL)
    return at_work


def kill_and_start(pipeline: Pipeline, draw: Random, times: int) -> int:
    """Kill the worker at random moments and start it again; count those that were at work."""
    at_work = 0
    for _ in range(times):
        at_work += kill_at_random(pipeline.aggregator, draw)
        pipeline.aggregator.start()
    pipeline.aggregator.wait_ready()
    return at_work


def stop_in_a_flush(pipeline: Pipeline) -> None:
    """SIGSTOP the worker while it waits for the answer to an insert, and let the insert succeed."""
    clickhouse = pipeline.infrastructure.clickhouse
    clickhouse.kill(signal.SIGSTOP)
    time.sleep(3 * float(FLUSH_SECONDS))
    pipeline.aggregator.kill(signal.SIGSTOP)
    clickhouse.kill(signal.SIGCONT)


@pytest.mark.timeout(600)
def test_kills_restarts_and_a_zombie(infrastructure: Infrastructure, tmp_path: Path) -> None:
    draw = Random(20)
    ledger = tmp_path / "ledger"
    settings = {
        "aggregator_flush_interval_seconds": FLUSH_SECONDS,
        # With a name of its own, a worker that is started again need not wait until Kafka gives up
        # on the one that was killed; most of the test would be that.
        "aggregator_instance_id": "first",
    }
    with (
        metering(infrastructure, **settings) as pipeline,
        load(pipeline, ledger, rate=2500) as running,
    ):
        worker = pipeline.aggregator
        at_work = kill_and_start(pipeline, draw, KILLS // 2)
        infrastructure.broker.kill(signal.SIGKILL)
        infrastructure.broker.restart()
        wait_for_progress(pipeline, worker)
        at_work += kill_and_start(pipeline, draw, KILLS - KILLS // 2)
        assert at_work >= KILLS_AT_WORK_MIN
        infrastructure.clickhouse.kill(signal.SIGKILL)
        infrastructure.clickhouse.restart()
        wait_for_progress(pipeline, worker)

        stop_in_a_flush(pipeline)
        successor = add_worker(pipeline, "successor")
        successor.wait_ready()
        wait_for_progress(pipeline, successor)
        worker.kill(signal.SIGCONT)
        wait_until_shared(worker, successor)
        wait_for_progress(pipeline, worker, successor)
        assert running.stop() > 50_000
        result = assert_exact(pipeline, ledger)
    assert result["duplicates_dropped"] > 1_000
    assert result["late"] > 500
    assert result["rejected"] > 200


def test_a_rebalance_after_the_broker_was_restarted(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    """The worker asks for the log's offsets again, of a leader whose epoch is another by now."""
    ledger = tmp_path / "ledger"
    with (
        metering(infrastructure, aggregator_flush_interval_seconds=FLUSH_SECONDS) as pipeline,
        load(pipeline, ledger, rate=500) as running,
    ):
        worker = pipeline.aggregator
        wait_for_progress(pipeline, worker)
        infrastructure.broker.kill(signal.SIGKILL)
        infrastructure.broker.restart()
        guest = add_worker(pipeline, "guest")
        guest.wait_ready()
        wait_until_shared(worker, guest)
        wait_for_progress(pipeline, worker, guest)
        guest.kill(signal.SIGTERM)
        assert guest.wait(30) == 0, guest.log_tail()
        wait_for_progress(pipeline, worker)
        running.stop()
        assert_exact(pipeline, ledger)


@pytest.mark.nightly
def test_workers_join_and_leave(infrastructure: Infrastructure, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with (
        metering(infrastructure, aggregator_flush_interval_seconds=FLUSH_SECONDS) as pipeline,
        load(pipeline, ledger, rate=2500) as running,
    ):
        for number in range(3):
            guest = add_worker(pipeline, f"guest{number}")
            guest.wait_ready()
            wait_until_shared(pipeline.aggregator, guest)
            wait_for_progress(pipeline, pipeline.aggregator, guest)
            guest.kill(signal.SIGTERM)
            assert guest.wait(30) == 0, guest.log_tail()
        wait_for_progress(pipeline, pipeline.aggregator)
        running.stop()
        assert_exact(pipeline, ledger)


#: What is sent while ClickHouse stands still; a worker without bounds reads all of it.
BACKLOG_EVENTS = 40_000
PENDING_ROWS_MAX = 1_000
#: Enough for so many rows, and the batch that goes beyond.
READ_WHILE_HELD_MAX = 15_000
#: What is fetched and not metered: at most 8 batches in the stream and 1 of each partition before
#: it, of about 0.2 MB, twice that as Python objects; and as much again for the allocator. What
#: such a short backlog can show of leaks is little: the bound on records read is the sharper one.
GROWTH_MB_MAX = 10.5


@pytest.mark.nightly
def test_clickhouse_stands_still(infrastructure: Infrastructure, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with metering(
        infrastructure,
        aggregator_flush_interval_seconds=FLUSH_SECONDS,
        aggregator_pending_rows_max=str(PENDING_ROWS_MAX),
        aggregator_fetch_bytes_max=str(64 * 1024),
        # Nothing is old enough to be looked up: waiting for an answer would be a bound as well.
        aggregator_keep_minutes_seconds=str(KEEP_DAYS * DAY_SECONDS),
        aggregator_keep_hours_seconds=str(KEEP_DAYS * DAY_SECONDS),
    ) as pipeline:
        worker = pipeline.aggregator
        pid = worker.pid
        send(pipeline, ledger, events=10_000)
        wait_until_metered(pipeline)
        before, read_before = memory_of(worker.pid), metric(worker, "records_total")
        infrastructure.clickhouse.kill(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            send(pipeline, ledger, events=BACKLOG_EVENTS, seed=2)
            time.sleep(max(0.0, stopped + 15 - time.monotonic()))
            read = metric(worker, "records_total") - read_before
            growth_mb = memory_of(worker.pid).now_mb - before.now_mb
            assert 0 < read < READ_WHILE_HELD_MAX
            assert growth_mb < GROWTH_MB_MAX
            eventually("retries", lambda: metric(worker, "retries_total") > 0)
        finally:
            infrastructure.clickhouse.kill(signal.SIGCONT)
        assert_exact(pipeline, ledger)
        assert worker.alive and worker.pid == pid


#: Where an insert is refused, and the table's setting that has ClickHouse say so.
REFUSALS = [
    ("slices_minute", "parts_to_throw_insert", "TOO_MANY_PARTS"),
    ("dead_letters", "table_readonly", "TABLE_IS_PERMANENTLY_READ_ONLY"),
    ("checkpoints", "table_readonly", "TABLE_IS_PERMANENTLY_READ_ONLY"),
]


@pytest.mark.nightly
def test_clickhouse_refuses_inserts(infrastructure: Infrastructure, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with (
        metering(infrastructure, aggregator_flush_interval_seconds=FLUSH_SECONDS) as pipeline,
        database(pipeline) as client,
    ):
        worker = pipeline.aggregator
        pid = worker.pid
        send(pipeline, ledger, events=2_000)
        wait_until_metered(pipeline)
        for seed, (table, setting, error) in enumerate(REFUSALS, start=2):
            before, retries = checkpoints(pipeline), metric(worker, "retries_total")
            client.command(f"ALTER TABLE {table} MODIFY SETTING {setting} = 1")
            send(pipeline, ledger, events=2_000, seed=seed)
            eventually("retries", lambda: metric(worker, "retries_total") > retries + 2)  # noqa: B023
            assert checkpoints(pipeline) == before
            assert error in worker.log_tail()
            client.command(f"ALTER TABLE {table} RESET SETTING {setting}")
            wait_until_metered(pipeline)
        assert_exact(pipeline, ledger)
        assert worker.pid == pid

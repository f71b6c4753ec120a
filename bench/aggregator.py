"""The aggregator as shipped: `wattoken aggregator`, default settings, dedup on, to ClickHouse.

Timed from its first fetch (the moment it says it is ready) to the ClickHouse time of its last
checkpoint; peers are timed from their first message in hand, which is later. Database and consumer
group are fresh, and a run counts only if every total is exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from bench.errors import BenchError
from bench.fill import FilledTopic
from bench.processor_time import ProcessorTime, ProcessorWatch
from bench.worker import Worker, metering
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.process_table import Memory

SHARED_TIMEOUT_SECONDS = 60.0
SHARED_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class AggregatorRun:
    """One run over a topic: the seconds it took, and of the first worker what it came to.

    That is its memory at the end, and the mean of its flushes in seconds. And of all programs, what
    the processors did meanwhile.
    """

    events: int
    seconds: float
    memory: Memory
    flush_seconds: float
    processors: ProcessorTime

    @property
    def events_per_second(self) -> float:
        """Throughput of all workers together."""
        return self.events / self.seconds


def measure(
    infrastructure: Infrastructure,
    topic: FilledTopic,
    name: str,
    *,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
    prepare: Callable[[Client], None] | None = None,
) -> AggregatorRun:
    """Meter the whole topic with a fresh database and group; the totals must then be exact.

    With several workers, time and events count from when all of them read: what the first one did
    alone before is left out. ``prepare`` may change the tables first. Raises `BenchError`,
    `VoidRunError`.
    """
    with metering(infrastructure, topic, name, env) as meter, ProcessorWatch() as watch:
        if prepare is not None:
            prepare(meter.client)
        for _ in range(workers):
            meter.launch()
        for worker in meter.workers:
            worker.wait_reading()
        started, before = meter.workers[0].ready_at, 0
        if workers > 1:
            wait_shared(meter.workers, topic.partitions)
            started, before = time.time(), meter.metered()[0]
        ended = meter.wait_metered(topic.totals.events)
        memory, flush_seconds = meter.workers[0].memory(), meter.workers[0].flush_seconds()
        processors = watch.between(started, ended)
        meter.check(topic.totals)
        meter.check_sums(topic.grain, topic.sums)
    events, seconds = topic.totals.events - before, ended - started
    return AggregatorRun(events, seconds, memory, flush_seconds, processors)


def wait_shared(workers: Sequence[Worker], partitions: int) -> None:
    """Wait until all partitions are metered and every worker has some of them."""
    deadline = time.monotonic() + SHARED_TIMEOUT_SECONDS
    while True:
        held = [worker.metric("wattoken_aggregator_partitions") or 0 for worker in workers]
        if all(held) and sum(held) == partitions:
            return
        if time.monotonic() > deadline:
            raise BenchError(f"the workers hold {held} of {partitions} partitions")
        time.sleep(SHARED_POLL_SECONDS)

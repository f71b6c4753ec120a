"""How soon the aggregator consumes again after kill -9, with many slices in its memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import BenchError
from bench.fill import Report, fill_topic
from bench.generator import Load, now_ms
from bench.worker import Worker, metering
from services.local_stack.infrastructure import Infrastructure

#: Events that wait for the worker when it comes back.
WAITING_EVENTS = 20_000
POLL_SECONDS = 0.02
TIMEOUT_SECONDS = 180.0
NAMED = {"WATTOKEN_AGGREGATOR_INSTANCE_ID": "the-worker"}


@dataclass(frozen=True, slots=True)
class Recovery:
    """One restart: seconds from the start of the process to its first record, and its memory.

    What comes first are the records of the dedup horizon whose ids were only in memory: how many
    of them it reads a second is `rebuilt_ids_per_second`.
    """

    slices: int
    seconds: float
    rebuilt_ids_per_second: float
    peak_mb: float


def many_tenants(slices: int, seed: int = 7) -> Load:
    """A load of about this many slices: nearly every event has an hour slice of its own."""
    events = slices + slices // 10 + 1000
    return Load(events, now_ms(), seed, tenants=max(1000, slices // 5))


def measure(
    infrastructure: Infrastructure, load: Load, runs: int, name: str, say: Report
) -> Iterator[Recovery]:
    """Meter a load, then kill and restart ``runs`` times.

    The worker has a name of its own (``WATTOKEN_AGGREGATOR_INSTANCE_ID``), so Kafka gives it its
    partitions back at once; without one it would keep them for the killed process until the
    session timeout has run out.
    """
    servers = infrastructure.bootstrap_servers
    topic = fill_topic(servers, name, 4, load, say)
    produced = topic.totals.events
    with metering(infrastructure, topic, name, env=NAMED) as meter:
        worker = meter.launch()
        worker.wait_reading()
        meter.wait_metered(produced)
        for run in range(1, runs + 1):
            held = int(worker.metric("wattoken_aggregator_slices") or 0)
            worker.child.kill()
            lost = produced
            more = Load(WAITING_EVENTS, now_ms(), seed=1000 + run, tenants=load.tenants)
            fill_topic(servers, topic.name, topic.partitions, more, lambda line: None)
            produced += WAITING_EVENTS
            worker.child.start()
            seconds = _read(worker, 1)
            rebuilding = _read(worker, lost)
            meter.wait_metered(produced)
            yield Recovery(held, seconds, lost / rebuilding, worker.memory().peak_mb)


def _read(worker: Worker, records: int) -> float:
    """Wait until the worker has read so many records; return the seconds that took."""
    started = time.monotonic()
    while (worker.metric("wattoken_aggregator_records_total") or 0) < records:
        if not worker.child.alive:
            raise BenchError(worker.child.failure(f"ended with {worker.child.ending}"))
        if time.monotonic() - started > TIMEOUT_SECONDS:
            raise BenchError(worker.child.failure(f"read nothing in {TIMEOUT_SECONDS:g} s"))
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started

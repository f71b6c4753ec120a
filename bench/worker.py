"""The aggregator as shipped, `wattoken aggregator`: started, timed, watched and checked."""

from __future__ import annotations

import dataclasses
import re
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from bench.errors import BenchError, VoidRunError
from bench.fill import FilledTopic
from bench.generator import Totals
from bench.peers.grain import Grain, Sums, clickhouse_sums
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.process_table import Memory, children, memory_of
from services.local_stack.processes import Child
from services.local_stack.readiness import http_answers
from services.local_stack.services import service_plan
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings

READY_POLL_SECONDS = 0.01
READY_TIMEOUT_SECONDS = 90.0
#: Rare, so that looking takes nothing from what is looked at; times come from ClickHouse.
PROGRESS_POLL_SECONDS = 0.5
STALL_SECONDS = 120.0


@dataclass(slots=True)
class Worker:
    """A running aggregator; ``ready_at`` is the last moment it was seen not to read yet."""

    child: Child
    port: int
    ready_at: float = 0.0

    def metric(self, name: str) -> float | None:
        """One of the worker's own metrics without labels; None while it does not answer."""
        url = f"http://{LOOPBACK}:{self.port}/metrics"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def memory(self) -> Memory:
        """Resident memory of the worker and the processes that it started, from the kernel."""
        found = [memory_of(pid) for pid in [self.child.pid, *children(self.child.pid)]]
        return Memory(sum(one.now_mb for one in found), sum(one.peak_mb for one in found))

    def flush_seconds(self) -> float:
        """The mean of its flushes so far; 0 before the first."""
        name = "wattoken_aggregator_flush_seconds"
        count = self.metric(f"{name}_count") or 0
        return (self.metric(f"{name}_sum") or 0) / count if count else 0.0

    def wait_reading(self) -> None:
        """Wait until it reads, and set `ready_at`.

        The worker says so when it has joined and recovered; its first fetch follows within 10 ms.
        Polling stops here, so that nothing disturbs what is measured.
        """
        ready = http_answers(f"http://{LOOPBACK}:{self.port}/readyz")
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while True:
            before = time.time()
            if ready():
                return
            self.ready_at = before
            if not self.child.alive:
                raise BenchError(self.child.failure(f"ended with {self.child.ending}"))
            if time.monotonic() > deadline:
                raise BenchError(self.child.failure(f"not ready in {READY_TIMEOUT_SECONDS:g} s"))
            time.sleep(READY_POLL_SECONDS)


class Meter:
    """A fresh database and consumer group over a prefilled topic, and workers on them."""

    def __init__(self, pipeline: Pipeline, client: Client) -> None:
        self.pipeline = pipeline
        self.client = client
        self.workers: list[Worker] = []

    def launch(self) -> Worker:
        """Start one more worker; returns at once."""
        number = len(self.workers) + 1
        port = pick_port()
        infrastructure = self.pipeline.infrastructure
        plan = service_plan(
            *("aggregator", port, self.pipeline.env),
            infrastructure.logs / f"{self.pipeline.name}-aggregator-{number}.log",
            infrastructure.data / "services" / self.pipeline.name / str(number),
        )
        plan = dataclasses.replace(plan, name=f"aggregator-{number}")
        worker = Worker(self.pipeline.supervisor.launch(plan), port, time.time())
        self.workers.append(worker)
        return worker

    def metered(self) -> tuple[int, float]:
        """Records below the checkpoints, and when the last checkpoint was written (Unix time)."""
        row = self.client.query(
            "SELECT sum(next_offset), toUnixTimestamp64Milli(max(written_at))"
            " FROM checkpoints FINAL"
        ).first_row
        return int(row[0]), int(row[1]) / 1000

    def wait_metered(self, events: int) -> float:
        """Wait until the checkpoints reach ``events``; return when the last was written.

        Raises `BenchError` when a worker ends or nothing moves any more.
        """
        best, moved_at = -1, time.monotonic()
        while True:
            done, written_at = self.metered()
            if done >= events:
                return written_at
            if done > best:
                best, moved_at = done, time.monotonic()
            for worker in self.workers:
                if not worker.child.alive:
                    raise BenchError(worker.child.failure(f"ended with {worker.child.ending}"))
            if time.monotonic() - moved_at > STALL_SECONDS:
                raise BenchError(f"the aggregator stands still at {done} of {events} records")
            time.sleep(PROGRESS_POLL_SECONDS)

    def check_sums(self, grain: Grain, expected: Sums) -> None:
        """Compare the windows of a grain with what was produced, key by key.

        Raises `VoidRunError`.
        """
        view = f"usage_{grain.name}"
        found = Sums(*map(int, self.client.query(clickhouse_sums(grain, view)).first_row))
        if found != expected:
            raise VoidRunError(f"{view} has {found} by key, produced were {expected}")

    def check(self, expected: Totals) -> None:
        """Compare registers, minutes and hours with what was produced; raises `VoidRunError`."""
        for view in ("registers", "usage_minute", "usage_hour"):
            found = self.client.query(
                f"SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM {view}"
            ).first_row
            if Totals(*map(int, found)) != expected:
                raise VoidRunError(f"{view} shows {found}, produced were {expected}")


@contextmanager
def metering(
    infrastructure: Infrastructure,
    topic: FilledTopic,
    name: str,
    env: Mapping[str, str] | None = None,
) -> Iterator[Meter]:
    """Make the database and tables, hand out a `Meter`, and drop it all at the end."""
    pipeline = Pipeline(
        infrastructure,
        name,
        partitions=topic.partitions,
        services=(),
        accounts=(),
        env={"WATTOKEN_KAFKA_TOPIC": topic.name, **(env or {})},
    )
    with pipeline, closing(clickhouse_client(infrastructure, pipeline.database)) as client:
        meter = Meter(pipeline, client)
        try:
            yield meter
        finally:
            pipeline.supervisor.kill()
            give_back(*(worker.port for worker in meter.workers))
            # Its merges would run into the next measurement.
            client.command(f"DROP DATABASE `{pipeline.database}` SYNC")


def clickhouse_client(infrastructure: Infrastructure, database: str) -> Client:
    """A client of the stack's ClickHouse."""
    settings = ClickHouseSettings(
        clickhouse_host=LOOPBACK,
        clickhouse_port=infrastructure.ports.clickhouse_http,
        clickhouse_timeout_seconds=60,
    )
    return connect(settings, database=database)

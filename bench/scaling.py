"""`make bench SCALING=1`: what the aggregator costs as one thing at a time grows."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import aggregator, recovery, seen_ids
from bench.aggregator import AggregatorRun
from bench.comparison import Say
from bench.errors import BenchError
from bench.fill import PARTITIONS, FilledTopic, fill_topic
from bench.generator import Load, now_ms
from bench.machine import ROOT, commit, machine
from bench.results import RESULTS, write
from bench.run import stack_versions
from bench.worker import metering
from services.local_stack.infrastructure import Infrastructure
from services.platform.errors import WattokenError

SCALING = RESULTS / "scaling.json"
CHARTS = ROOT / "docs" / "img"
TENANTS = 1000
#: With 60 series, in one hour or two and 4 partitions, they make a million hour slices or two.
MEMORY_TENANTS = 4_200
KIB = 1024
Point = dict[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what to measure."""

    events: int = 1_000_000
    runs: int = 1
    slices_max: int = 1_000_000
    ids_max: int = 100_000_000
    #: Names of sweeps; empty means all.
    only: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """One thing that grows, from the x of its points to their y."""

    title: str
    x: str
    y: str
    x_label: str
    y_label: str
    points: Callable[[Bench], Iterator[Point]]


class Bench:
    """The stack and the topics that sweeps share."""

    def __init__(self, infrastructure: Infrastructure, plan: Plan, say: Say) -> None:
        self.infrastructure = infrastructure
        self.plan = plan
        self.say = say
        self._topics: dict[tuple[int, int], FilledTopic] = {}
        self._number = 0

    def topic(self, partitions: int = PARTITIONS, tenants: int = TENANTS) -> FilledTopic:
        """The prefilled topic of so many partitions and tenants."""
        shape = (partitions, tenants)
        if shape not in self._topics:
            self._topics[shape] = fill_topic(
                self.infrastructure.bootstrap_servers,
                f"bench.{partitions}.{tenants}",
                partitions,
                Load(self.plan.events, now_ms(), tenants=tenants),
                self.say,
            )
        return self._topics[shape]

    def throughput(
        self, topic: FilledTopic, workers: int = 1, env: dict[str, str] | None = None
    ) -> Point:
        """Median events/s and highest memory over the runs."""
        runs: list[AggregatorRun] = []
        for _ in range(self.plan.runs):
            self._number += 1
            name = f"scaling-{self._number}"
            runs.append(
                aggregator.measure(self.infrastructure, topic, name, workers=workers, env=env)
            )
        return {
            "events_per_second": round(statistics.median(run.events_per_second for run in runs)),
            "peak_rss_mb": round(max(run.memory.peak_mb for run in runs), 1),
        }


def workers(bench: Bench) -> Iterator[Point]:
    """One and two workers of one group; two share the cores with broker and ClickHouse."""
    for count in (1, 2):
        yield {"workers": count, **bench.throughput(bench.topic(), workers=count)}


def partitions(bench: Bench) -> Iterator[Point]:
    """The same events over more partitions: smaller batches, more slices."""
    for count in (1, 4, 12, 48):
        yield {"partitions": count, **bench.throughput(bench.topic(partitions=count))}


def tenants(bench: Bench) -> Iterator[Point]:
    """More tenants: hour slices up to one for each event."""
    for count in (100, 1_000, 10_000, 100_000):
        yield {"tenants": count, **bench.throughput(bench.topic(tenants=count))}


def fetch_bytes(bench: Bench) -> Iterator[Point]:
    """Smaller and larger fetches, which are the batches that the agent works on."""
    for kib in (64, 256, 1024, 4096, 16384):
        env = {"WATTOKEN_AGGREGATOR_FETCH_BYTES_MAX": str(kib * KIB)}
        yield {"fetch_kib": kib, **bench.throughput(bench.topic(), env=env)}


def memory(bench: Bench) -> Iterator[Point]:
    """More and more ids within the horizon, in the end with some 10^6 slices beside them."""
    for ids in (1_000_000, 4_000_000, 10_000_000):
        if ids > bench.plan.ids_max:
            return
        load = Load(ids, now_ms(), tenants=MEMORY_TENANTS)
        servers = bench.infrastructure.bootstrap_servers
        topic = fill_topic(servers, f"bench.memory.{ids}", PARTITIONS, load, bench.say)
        with metering(bench.infrastructure, topic, f"memory-{ids}") as meter:
            worker = meter.launch()
            worker.wait_reading()
            ended = meter.wait_metered(ids)
            yield {
                "ids": ids,
                "slices": worker.metric("wattoken_aggregator_slices") or 0,
                "peak_rss_mb": round(worker.memory().peak_mb, 1),
                "events_per_second": round(ids / (ended - worker.ready_at)),
            }


def restarts(bench: Bench) -> Iterator[Point]:
    """Restart after kill -9 with more and more slices in memory."""
    for slices in (10_000, 100_000, 1_000_000):
        if slices > bench.plan.slices_max:
            return
        found = list(
            recovery.measure(
                bench.infrastructure,
                recovery.many_tenants(slices),
                bench.plan.runs,
                f"bench.slices.{slices}",
                bench.say,
            )
        )
        yield {
            "slices": statistics.median(run.slices for run in found),
            "recovery_seconds": round(statistics.median(run.seconds for run in found), 3),
            "rebuilt_ids_per_second": round(
                statistics.median(run.rebuilt_ids_per_second for run in found)
            ),
            "peak_rss_mb": round(max(run.peak_mb for run in found), 1),
        }


RATE = ("events_per_second", "events per second")
SWEEPS = {
    "workers": Sweep("Workers", "workers", RATE[0], "workers", RATE[1], workers),
    "partitions": Sweep("Partitions", "partitions", RATE[0], "partitions", RATE[1], partitions),
    "tenants": Sweep("Tenants", "tenants", RATE[0], "tenants", RATE[1], tenants),
    "fetch_bytes": Sweep(
        "Fetch size",
        "fetch_kib",
        RATE[0],
        "KiB of one partition in one fetch",
        RATE[1],
        fetch_bytes,
    ),
    "recovery": Sweep(
        "Restart after kill -9", "slices", "recovery_seconds", "slices", "seconds", restarts
    ),
    "memory": Sweep("Memory", "ids", "peak_rss_mb", "ids within the horizon", "MB", memory),
    "seen_ids": Sweep(
        "Dedup store",
        *("ids", "ids_per_second", "ids in the store", "ids checked per second"),
        lambda bench: seen_ids.points(
            bench.infrastructure.state_dir, bench.plan.ids_max, bench.say
        ),
    ),
}


def run(plan: Plan, results: Path, charts: Path, say: Say) -> None:
    """Measure the chosen sweeps, and write result file and charts after each.

    Raises `StackError` when broker or ClickHouse do not start.
    """
    unknown = set(plan.only) - SWEEPS.keys()
    if unknown:
        raise BenchError(f"no sweep {sorted(unknown)}: there are {', '.join(SWEEPS)}")
    state_dir = ROOT / ".wattoken" / f"scaling-{time.strftime('%Y%m%d-%H%M%S')}"
    with Infrastructure(state_dir, broker="kafka", prometheus="none", report=say) as started:
        bench = Bench(started, plan, say)
        surroundings = {
            "machine": machine(stack_versions(started)),
            "commit": commit(),
            "settings": asdict(plan),
        }
        for name, sweep in SWEEPS.items():
            if plan.only and name not in plan.only:
                continue
            began = datetime.now(UTC).isoformat(timespec="seconds")
            found = measured(bench, name, sweep)
            # What other goes have measured stays.
            contents = json.loads(results.read_text("utf-8")) if results.exists() else {}
            contents[name] = {"date": began, **surroundings, **found}
            write(results, contents)
            draw(sweep, found["points"], charts / f"scaling_{name}.png")
    say(f"wrote {results}")


def measured(bench: Bench, name: str, sweep: Sweep) -> dict[str, Any]:
    """Measure one sweep's points; what fails ends the sweep, not the others."""
    points: list[Point] = []
    try:
        for point in sweep.points(bench):
            points.append(point)
            bench.say(f"{name}: " + ", ".join(f"{key} {value:,}" for key, value in point.items()))
    except WattokenError as error:
        bench.say(f"{name}: VOID: {error}")
        return {"points": points, "void": str(error)}
    return {"points": points}


def draw(sweep: Sweep, points: list[Point], path: Path) -> None:
    """Draw a sweep that has points."""
    from bench.chart import draw_growth

    if points:
        pairs = [(point[sweep.x], point[sweep.y]) for point in points]
        draw_growth(pairs, sweep.title, sweep.x_label, sweep.y_label, path)

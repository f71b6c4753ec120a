"""Ingest's memory under a steady load: flat, or something is kept that should be let go."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.http_load import HttpLoad, HttpResult
from bench.ingest import BATCH_CONNECTIONS, BATCH_EVENTS, run_load
from bench.machine import ROOT, machine
from bench.results import RESULTS, write
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.process_table import memory_of

SOAK = RESULTS / "soak.json"
SAMPLE_SECONDS = 2.0
#: Memory still finds its level at first: that part is no evidence of growth.
WARM_UP_SHARE = 0.3
GROWTH_RATIO_MAX = 0.05


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident memory after the warm-up and at the end, medians over a tenth of the time."""

    early_mb: float
    late_mb: float
    peak_mb: float

    @property
    def flat(self) -> bool:
        """Whether the end is no more than a twentieth above the beginning."""
        return self.late_mb <= self.early_mb * (1 + GROWTH_RATIO_MAX)


def growth(samples_mb: Sequence[float]) -> Growth:
    """Compare the samples after the warm-up with the last ones."""
    window = max(1, len(samples_mb) // 10)
    start = int(len(samples_mb) * WARM_UP_SHARE)
    early = statistics.median(samples_mb[start : start + window])
    return Growth(early, statistics.median(samples_mb[-window:]), max(samples_mb))


def run(minutes: float, rate: float, results: Path, say: Callable[[str], None]) -> bool:
    """Load ingest for so long, write what its memory did; True if it stayed flat."""
    state_dir = ROOT / ".wattoken" / f"soak-{time.strftime('%Y%m%d-%H%M%S')}"
    infrastructure = Infrastructure(state_dir, broker="kafka", prometheus="none", report=say)
    with (
        infrastructure,
        Pipeline(infrastructure, "soak", partitions=4, services=("ingest",)) as pipeline,
    ):
        load = HttpLoad(
            *(pipeline.ports["ingest"], pipeline.credentials[0].key, "/v1/events"),
            events=BATCH_EVENTS,
            connections=BATCH_CONNECTIONS,
            seconds=minutes * 60,
            requests_per_second=rate / BATCH_EVENTS,
        )
        found: list[HttpResult] = []
        loading = threading.Thread(target=lambda: found.append(run_load(load)), daemon=True)
        loading.start()
        samples_mb = []
        while loading.is_alive():
            samples_mb.append(memory_of(pipeline.ingest.pid).now_mb)
            time.sleep(SAMPLE_SECONDS)
    grown, result = growth(samples_mb), found[0]
    events_per_second = result.requests * BATCH_EVENTS / result.seconds
    write(
        results,
        {
            "machine": machine({}),
            "minutes": minutes,
            "events_per_second": round(events_per_second),
            "refused_requests": result.refused,
            "flat": grown.flat,
            **{name: round(value, 1) for name, value in asdict(grown).items()},
            "samples_mb": [round(sample, 1) for sample in samples_mb],
        },
    )
    say(
        f"{minutes:g} min at {events_per_second:,.0f} events/s: {grown.early_mb:.1f} MB after the"
        f" warm-up, {grown.late_mb:.1f} MB at the end, peak {grown.peak_mb:.1f} MB"
    )
    return grown.flat

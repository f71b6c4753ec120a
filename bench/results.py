"""The result file: what `make bench` writes and others read (`bench/results/latest.json`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.attacks import Attacked
from bench.durability import Durability
from bench.exporter import Scraped
from bench.freshness import Freshness
from bench.ingest import IngestRun
from bench.machine import ROOT, commit, machine
from bench.processor_time import ProcessorTime
from bench.questions import Answered
from bench.recovery import Recovery
from bench.schedule import medians
from services.local_stack.process_table import Memory

RESULTS = ROOT / "bench" / "results"
LATEST = RESULTS / "latest.json"
WATTOKEN = "wattoken"
#: What of an ingest run is a result; the rest stands with the runs.
INGEST_KEYS = (
    "batch_events_per_second",
    "single_requests_per_second",
    "single_p99_ms",
    "empty_handler_requests_per_second",
)
#: The same of an exporter run.
EXPORTER_KEYS = ("scrape_p99_ms", "rss_mb", "series", "minute_slices")


@dataclass(slots=True)
class Measured:
    """Everything one `make bench` measured, run by run."""

    settings: dict[str, Any]
    #: By program: events/s of each valid run, in order.
    events_per_second: dict[str, list[float]] = field(default_factory=dict)
    #: By program: how many events a run has.
    events: dict[str, int] = field(default_factory=dict)
    #: By program: how it is set up, from its own docstring.
    setup: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    #: By program: events/s of each valid run's second half, of those that report it.
    second_half: dict[str, list[float]] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    #: By program: what all programs took of processors and memory in each valid run.
    processors: dict[str, list[ProcessorTime]] = field(default_factory=dict)
    #: With many slices, and so with many tenants that a restarted worker has to learn.
    recovery: list[Recovery] = field(default_factory=list)
    #: With the load of the throughput runs.
    rebuilding: list[Recovery] = field(default_factory=list)
    freshness: list[Freshness] = field(default_factory=list)
    ingest: list[IngestRun] = field(default_factory=list)
    #: The quiet run, then one for each attack.
    attacks: list[Attacked] = field(default_factory=list)
    #: With fsync and without, in turns.
    durability: list[Durability] = field(default_factory=list)
    exporter: list[Scraped] = field(default_factory=list)
    #: One for each question: the median of its runs.
    questions: list[Answered] = field(default_factory=list)
    #: Runs that failed or found other totals, and why.
    void: list[str] = field(default_factory=list)


def document(measured: Measured) -> dict[str, Any]:
    """The result file's contents: medians under `benchmarks`, every run beside them."""
    rates = medians(measured.events_per_second)
    single = {
        "aggregator_memory_mb": [memory.peak_mb for memory in measured.memory],
        "recovery_seconds": [recovery.seconds for recovery in measured.recovery],
        "rebuilt_ids_per_second": [run.rebuilt_ids_per_second for run in measured.rebuilding],
        "rebuilt_ids_per_second_with_new_tenants": [
            run.rebuilt_ids_per_second for run in measured.recovery
        ],
        "freshness_p99_seconds": [freshness.p99_seconds for freshness in measured.freshness],
    }
    ingest_runs = [asdict(found) for found in measured.ingest]
    ingest = medians({key: [found[key] for found in ingest_runs] for key in INGEST_KEYS})
    exporter_runs = [asdict(found) for found in measured.exporter]
    exporter = medians({key: [found[key] for found in exporter_runs] for key in EXPORTER_KEYS})
    durable = durability_medians(measured.durability)
    asked = {
        one.name: {"milliseconds": round(one.milliseconds, 1), "memory_mb": round(one.memory_mb)}
        for one in measured.questions
    }
    attacked = {one.attack: round(one.p99_ms, 3) for one in measured.attacks}
    return {
        "machine": machine(measured.versions),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "benchmarks": {
            "aggregator": {name: round(rate) for name, rate in rates.items()},
            **{name: round(value, 3) for name, value in medians(single).items()},
            **({"ingest": _rounded(ingest)} if ingest else {}),
            **({"exporter": _rounded(exporter)} if exporter else {}),
            **({"attacked_p99_ms": attacked} if attacked else {}),
            **({"durability": durable} if durable else {}),
            **({"questions": asked} if asked else {}),
        },
        "wattoken_times_faster_than": ratios(rates),
        "settings": measured.settings,
        "aggregator_runs": {
            name: [round(rate) for rate in found]
            for name, found in measured.events_per_second.items()
        },
        "aggregator_second_half_runs": {
            name: [round(rate) for rate in found] for name, found in measured.second_half.items()
        },
        "aggregator_events": measured.events,
        "aggregator_setup": measured.setup,
        "aggregator_memory_runs": [_rounded(asdict(memory)) for memory in measured.memory],
        "aggregator_processor_runs": {
            name: [asdict(one.rounded()) for one in found]
            for name, found in measured.processors.items()
        },
        "recovery_runs": [_rounded(asdict(recovery)) for recovery in measured.recovery],
        "rebuild_runs": [_rounded(asdict(rebuild)) for rebuild in measured.rebuilding],
        "freshness_runs": [_rounded(asdict(freshness)) for freshness in measured.freshness],
        "ingest_runs": [_rounded(found) for found in ingest_runs],
        "attack_runs": [_rounded(asdict(found)) for found in measured.attacks],
        "durability_runs": [_rounded(asdict(done)) for done in measured.durability],
        "exporter_runs": [_rounded(found) for found in exporter_runs],
        "void_runs": measured.void,
    }


def durability_medians(runs: Sequence[Durability]) -> dict[str, dict[str, float]]:
    """By part, with fsync and without: median events/s and milliseconds of one write."""
    rates: dict[str, list[float]] = {}
    singles: dict[str, list[float]] = {}
    for run in runs:
        name = f"{run.part}_{'synced' if run.synced else 'unsynced'}"
        rates.setdefault(name, []).append(run.events_per_second)
        singles.setdefault(name, []).append(run.single_ms)
    single_ms = medians(singles)
    return {
        name: {"events_per_second": round(rate), "single_ms": round(single_ms[name], 3)}
        for name, rate in medians(rates).items()
    }


def ratios(rates: Mapping[str, float]) -> dict[str, float]:
    """How many times each other program's throughput Wattoken's is."""
    own = rates.get(WATTOKEN)
    if own is None:
        return {}
    return {name: round(own / rate, 3) for name, rate in rates.items() if name != WATTOKEN}


def write(path: Path, contents: Mapping[str, Any]) -> None:
    """Write JSON with a final newline, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in values.items()
    }

"""PURE: the result of a run: what goes into ``out/chaos.json``, what fails it, and the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.oracle import Verdict, summary

RECOVERY_SECONDS_MAX: Final = 30.0
#: No process of the meter needs more for so little traffic, whatever happens to it.
MEMORY_MB_MAX: Final = 500.0
METER: Final = ("worker", "guest", "ingest", "exporter")
DIFFERENCES_SHOWN: Final = 50


@dataclass(slots=True)
class Result:
    """Everything a run found."""

    seed: int
    minutes: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    max_recovery_seconds: float = 0.0
    recovery_seconds_allowed: float = RECOVERY_SECONDS_MAX
    verdict: Verdict | None = None
    peak_mb: Mapping[str, float] = field(default_factory=dict)
    peak_parts: Mapping[str, str] = field(default_factory=dict)
    counters_fallen: Sequence[str] = ()
    scrapes: int = 0
    checkpoints_fallen: Sequence[str] = ()
    unexpected_exits: list[str] = field(default_factory=list)
    complaints: Sequence[str] = ()
    transactions: Mapping[str, int] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """What fails the run, a line each."""
        found = list(self.complaints)
        if self.verdict is None:
            return [*found, "the totals were not compared"]
        if not self.verdict.exact:
            found.append(
                f"not exact: {self.verdict.lost} lost, {self.verdict.double_counted} counted twice,"
                f" {len(self.verdict.differences)} numbers differ"
            )
        if self.max_recovery_seconds > self.recovery_seconds_allowed:
            found.append(f"it took {self.max_recovery_seconds:.1f} s to make progress again")
        found += [
            f"{name} had {mb:.0f} MB" for name, mb in self.peak_mb.items() if too_big(name, mb)
        ]
        found += [f"a counter fell: {text}" for text in self.counters_fallen]
        found += [f"went back: {text}" for text in self.checkpoints_fallen]
        return found

    def to_json(self) -> dict[str, Any]:
        """Give the result file, its promised names first."""
        verdict = self.verdict
        differences = verdict.differences if verdict else ()
        return {
            "seed": self.seed,
            "faults": dict(sorted(self.faults.items())),
            "events_acknowledged": verdict.events_acknowledged if verdict else 0,
            "lost": verdict.lost if verdict else None,
            "double_counted": verdict.double_counted if verdict else None,
            "max_recovery_seconds": round(self.max_recovery_seconds, 2),
            "exact": bool(verdict and verdict.exact),
            "minutes": round(self.minutes, 2),
            "passed": not self.problems(),
            "problems": self.problems(),
            "faults_injected": sum(self.faults.values()),
            "rounds": self.rounds,
            "skipped": self.skipped,
            "records": verdict.records if verdict else 0,
            "duplicates_dropped": verdict.duplicates if verdict else 0,
            "rejected": verdict.rejected if verdict else 0,
            "rows_compared": verdict.rows_compared if verdict else 0,
            "transactions": dict(self.transactions),
            "scrapes": self.scrapes,
            "peak_mb": {name: round(mb, 1) for name, mb in sorted(self.peak_mb.items())},
            "peak_parts": dict(sorted(self.peak_parts.items())),
            "unexpected_exits": self.unexpected_exits,
            "differences": summary(differences),
            "first_differences": [str(d) for d in differences[:DIFFERENCES_SHOWN]],
        }


def too_big(name: str, mb: float) -> bool:
    """Whether a process of the meter had more memory than it may."""
    return name.startswith(METER) and mb > MEMORY_MB_MAX


def summary_lines(result: Result) -> list[str]:
    """What people read at the end."""
    data = result.to_json()
    lines = [
        f"{data['faults_injected']} faults of {len(result.faults)} kinds in {result.rounds} rounds,"
        f" {data['minutes']} minutes, seed {result.seed}",
        f"{data['records']:,} records, {data['events_acknowledged']:,} events acknowledged,"
        f" {data['duplicates_dropped']:,} duplicates dropped, {data['rejected']:,} rejected",
        f"lost {data['lost']} · counted twice {data['double_counted']} ·"
        f" {data['rows_compared']:,} rows compared · slowest recovery"
        f" {data['max_recovery_seconds']} s",
    ]
    lines += [f"skipped {kind}: {why}" for kind, why in sorted(result.skipped.items())]
    lines += [f"  {text}" for text in data["first_differences"]]
    problems = result.problems()
    lines += [f"FAILED: {problem}" for problem in problems]
    return lines if problems else [*lines, "passed: every total is exact"]

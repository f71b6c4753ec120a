"""The shapes as they were measured (bench/results/shapes.json), and what an event of each costs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from bench.results import RESULTS

SHAPES_FILE: Final = RESULTS / "shapes.json"
#: What it takes to find the fields of an event in its bytes, measured alone (docs/performance.md,
#: "Other shapes"). Forms of four writers in turns are tried two at a time; an event that says all
#: has 22 fields, where the usual one has 10.
OWN_FORM_US: Final = 0.70
FORM_US: Final = {"spaced": 0.73, "writers": 1.6, "wide": OWN_FORM_US * 22 / 10}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A shape as it was measured on ``cores`` processors, of which ``idle`` stood idle."""

    shape: str
    events: int
    partitions: int
    cores: int
    runs: tuple[float, ...]
    idle: float
    #: Processors that ClickHouse kept busy.
    clickhouse: float

    @property
    def clickhouse_us(self) -> float:
        """What an event took of ClickHouse, in the run whose processors are known."""
        return 1e6 * self.clickhouse / max(self.runs)

    @property
    def events_per_second(self) -> float:
        """The mean of the runs."""
        return mean(self.runs)

    @property
    def processor_us(self) -> float:
        """What an event took of all processors together, in the run whose idle time is known."""
        return 1e6 * (self.cores - self.idle) / max(self.runs)

    @property
    def form_us(self) -> float:
        """What of that is finding its fields."""
        return FORM_US.get(self.shape, OWN_FORM_US)


def recorded(path: Path = SHAPES_FILE) -> list[Recorded]:
    """All shapes that were measured."""
    found = json.loads(path.read_text(encoding="utf-8"))
    whole = (found["events"], found["partitions"], found["machine"]["cores"])
    return [
        Recorded(name, *whole, tuple(one["events_per_second"]), one["idle"], one["clickhouse"])
        for name, one in found["shapes"].items()
    ]

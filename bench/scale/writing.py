"""PURE. How many rows a worker writes, and how many slices it looks up: its flushes, played.

Pauses between flushes, the limit of rows and how long windows stay in memory are the worker's own
(`services/aggregator`); how many slices the events of a flush have is what `distinct` expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.scale.distinct import Keys, of, uniform, zipf
from services.aggregator.core.pacing import pause

#: 0.35 us to make a row from arrays, and 0.58 until ClickHouse has it (0.29 s for 500,000 rows):
#: docs/performance.md.
ROW_SECONDS: Final = 0.93e-6
MINUTES_A_DAY: Final = 24 * 60
#: What a row of units is of a row of hours: by their columns, 11 and 27 (a test holds it).
UNIT_ROW: Final = 11 / 27


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a worker's settings those that decide what is written when."""

    flush_interval_seconds: float = 1.0
    pending_rows_max: int = 500_000
    keep_minutes_seconds: float = 2 * 3600
    keep_hours_seconds: float = 3 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Load:
    """Events in order of time, and how frequent what they name is.

    ``series`` is (entry, region, provider, model) in a partition, ``accounts`` the same and a
    tenant. ``late_share`` of the events lie anywhere in the ``late_days`` before.
    """

    events: int
    minutes: float
    series: Keys
    accounts: Keys
    units: int = 0
    late_share: float = 0.0
    late_days: float = 10.0


@dataclass(frozen=True, slots=True)
class Written:
    """By event: rows written, what they are in rows of hours, slices looked up."""

    rows: float
    work: float
    look_ups: float


def load_of(shape: Mapping[str, Any], events: int, partitions: int, units: int = 0) -> Load:
    """The load of one of the benchmark's shapes, as its generator draws it."""
    kind = zipf if shape.get("zipf") else uniform
    partition = uniform(partitions)
    regions = shape.get("regions", (1, 2, 3))
    series = of(kind(shape.get("models", 20)), kind(len(regions)), partition)
    accounts = of(kind(shape.get("tenants", 1000)), series)
    return Load(events, 10.0, series, accounts, units, shape.get("late_share", 0.0))


def rows_of(load: Load, events: float, unit_row: float = 1.0) -> float:
    """Slices that so many events in a row change: registers, minutes, hours and units."""
    late = events * load.late_share
    now = events - late
    minutes = max(1.0, events / load.events * load.minutes)
    found = load.series.distinct(events) + minutes * load.series.distinct(now / minutes)
    found += (1 + load.units * unit_row) * load.accounts.distinct(now)
    return found + late_slices(load, late, 0, 0)


def late_slices(load: Load, late: float, minutes_from: float, hours_from: float) -> float:
    """Minutes and hours that late events change, of those older than so many days."""
    if not late:
        return 0.0
    minutes = of(load.series, uniform(round(load.late_days * MINUTES_A_DAY)))
    hours = of(load.accounts, uniform(round(load.late_days * 24)))
    older = (1 - minutes_from / load.late_days, 1 - hours_from / load.late_days)
    return minutes.distinct(late * older[0]) + hours.distinct(late * older[1])


def written(load: Load, events_per_second: float, limits: Limits = Limits()) -> Written:  # noqa: B008
    """What a worker that reads so fast writes, and looks up, by event."""
    rows = work = look_ups = 0.0
    day = 24 * 3600
    for events in flushes(load, events_per_second, limits):
        rows += rows_of(load, events)
        work += rows_of(load, events, UNIT_ROW)
        look_ups += late_slices(
            load,
            events * load.late_share,
            limits.keep_minutes_seconds / day,
            limits.keep_hours_seconds / day,
        )
    return Written(rows / load.events, work / load.events, look_ups / load.events)


def flushes(load: Load, events_per_second: float, limits: Limits) -> Iterator[float]:
    """How many events each flush of a worker that catches up is of."""
    left, last_flush_seconds = float(load.events), 0.0
    while left > 0:
        wait = pause(limits.flush_interval_seconds, 1, last_flush_seconds)
        # It reads on while it writes.
        events = min(left, (wait.longest + last_flush_seconds) * events_per_second)
        while rows_of(load, events) > limits.pending_rows_max:
            events *= 0.8
        last_flush_seconds = ROW_SECONDS * rows_of(load, events, UNIT_ROW)
        yield events
        left -= events

"""PURE. Which series an event counts for, where the log's rules limit how many there are.

A second reading of docs/architecture.md ("How many series"), and nothing of the aggregator's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.metering_rules import MeteringRules
from services.audit.event import MEASURES, Event

OTHER: Final = ("other", "other", "other")
_IN, _OUT = MEASURES.index("input_tokens"), MEASURES.index("output_tokens")


class SeriesName(NamedTuple):
    """What is metered apart."""

    entry: str
    region: str
    provider: str
    model: str


class Admitted(NamedTuple):
    """That the event at an offset had a series admitted, as a used one or as another."""

    series: SeriesName
    used: bool
    offset: int


class Admission:
    """Who is admitted in one partition; ``before`` are those of below the first event taken."""

    def __init__(self, before: Iterable[Admitted] = ()) -> None:
        self._used: set[SeriesName] = set()
        self._unused: set[SeriesName] = set()
        for one in before:
            (self._used if one.used else self._unused).add(one.series)
        self._unused -= self._used

    def counted_for(self, event: Event, rules: MeteringRules) -> SeriesName:
        """Take the next event that counts, and say for which series."""
        name = SeriesName(event.entry, event.region, event.provider, event.model)
        if name[1:] == OTHER or name in self._used:
            return name
        if event.measures[_IN] + event.measures[_OUT] + sum(event.quantities):
            if len(self._used) >= rules.series_max:
                return SeriesName(event.entry, *OTHER)
            self._unused.discard(name)
            self._used.add(name)
        elif name not in self._unused:
            if len(self._unused) >= rules.unused_series_max:
                return SeriesName(event.entry, *OTHER)
            self._unused.add(name)
        return name

"""PURE. How many series a partition meters by name; what lies beyond is metered as ``other``.

Whoever may send events may invent names, and each would take a register for good. So the rules of
the log limit how many series a partition admits: `MeteringRules.series_max` that something was used
of, tokens or units, and beside them `MeteringRules.unused_series_max` that nothing was used of yet,
such as names that only failed requests bear. A series is admitted by its first event that counts,
and as a used one by its first that used something. An event of a series that is not admitted as it
needs is metered as ``other`` of the same entry: what it used and its tenant stay; region, provider,
model and price class are lost.

Who is admitted is a function of the log alone. It is kept beside the checkpoints with the offset of
the event that did it, for slices may be ahead of their checkpoint, and must not make a series look
admitted before that event is read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.labels import Labels, Series

#: Stands for region, provider and model of what is beyond the limit.
OTHER: Final = "other"
CAPACITY_MIN: Final = 64
_UNUSED, _USED = 1, 2


class Admission(NamedTuple):
    """That the event at an offset had a series, by number, admitted."""

    series: int
    used: bool
    offset: int


class SeriesLimit:
    """Who is admitted in one partition. ``admitted`` are those of below its checkpoint."""

    def __init__(self, labels: Labels, admitted: Iterable[Admission] = ()) -> None:
        self._labels = labels
        self._kinds: NDArray[np.int8] = np.zeros(CAPACITY_MIN, np.int8)
        self._counts = [0, 0, 0]
        self._new: list[Admission] = []
        for one in admitted:
            self._allocate(one.series)
            self._note(one.series, _USED if one.used else _UNUSED)

    @property
    def new_count(self) -> int:
        """How many were admitted since the last `take_new`."""
        return len(self._new)

    def take_new(self) -> list[Admission]:
        """Hand over what is to be written."""
        new, self._new = self._new, []
        return new

    def metered_as(
        self, series: Ints, used: Ints, offsets: Ints, rules: MeteringRules
    ) -> tuple[Ints, int]:
        """The series that events count for, and how many of them are not their own.

        The arrays are parallel and hold the next events that count, in the order of the log;
        ``used`` is above 0 where something was used.
        """
        if not len(series):
            return series, 0
        self._allocate(int(series.max()))
        held = self._kinds[series]
        if held.min() == _USED:
            return series, 0
        needs = np.where(used > 0, _USED, _UNUSED).astype(np.int8)
        lacking = np.flatnonzero(held < needs)
        result = series.copy()
        moved = 0
        for index in lacking.tolist():
            if not self._admit(int(series[index]), int(needs[index]), int(offsets[index]), rules):
                result[index] = self._other(int(series[index]))
                moved += 1
        return result, moved

    def _admit(self, series: int, needs: int, offset: int, rules: MeteringRules) -> bool:
        if self._kinds[series] >= needs:
            return True
        if not is_other(self._labels.series.meaning[series]):
            limit = rules.series_max if needs == _USED else rules.unused_series_max
            if self._counts[needs] >= limit:
                return False
        self._note(series, needs)
        self._new.append(Admission(series, needs == _USED, offset))
        return True

    def _note(self, series: int, kind: int) -> None:
        held = int(self._kinds[series])
        if held >= kind:
            return
        self._kinds[series] = kind
        # The series that stands for all others takes nobody's room.
        if not is_other(self._labels.series.meaning[series]):
            self._counts[held] -= 1
            self._counts[kind] += 1

    def _other(self, series: int) -> int:
        entry = self._labels.series.meaning[series].entry
        return self._labels.series.number(Series(entry, OTHER, OTHER, OTHER))

    def _allocate(self, series: int) -> None:
        if series >= len(self._kinds):
            grown = np.zeros(max(2 * len(self._kinds), series + 1), np.int8)
            grown[: len(self._kinds)] = self._kinds
            self._kinds = grown


def is_other(series: Series) -> bool:
    """Say whether a series is one that stands for those that are not admitted."""
    return series[1:] == (OTHER, OTHER, OTHER)

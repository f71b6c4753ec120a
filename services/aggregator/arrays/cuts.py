"""Where a column of sightings can be cut: places, each with the offset and the log time there.

Sightings are in the order of the log. At a cut all those before its place lie below its offset, and
those from its place on do not; so whoever has all those before it can begin to read there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.aggregator.arrays.key_index import Ints

#: Twice as many at most; then every second one of the older half goes.
CUTS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Cut:
    """A place in the log between two records: the next offset, and log time there.

    Log time is that of the last record before. At offset 0 nothing lies before.
    """

    offset: int = 0
    log_ms: int = 0


class Cuts:
    """The cuts of a column, in order. What comes before the first is of offsets not known."""

    __slots__ = ("_log_ms", "_offsets", "_places")

    def __init__(self) -> None:
        self._places: Ints = np.zeros(1, np.int64)
        self._offsets: Ints = np.zeros(1, np.int64)
        self._log_ms: Ints = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def last_offset(self) -> int:
        """The offset from which on the sightings come that are entered next."""
        return int(self._offsets[-1])

    def add(self, place: int, cut: Cut) -> None:
        """Note that all before a place, and nothing from it on, lie below a cut's offset."""
        # Where nothing came since the last cut, this one says more.
        kept = self._places < place
        self._places = np.append(self._places[kept], place)
        self._offsets = np.append(self._offsets[kept], cut.offset)
        self._log_ms = np.append(self._log_ms[kept], cut.log_ms)
        if len(self) > 2 * CUTS_MAX:
            thin = np.ones(len(self), np.bool_)
            thin[1:CUTS_MAX:2] = False
            self._only(thin)

    def _only(self, wanted: np.typing.NDArray[np.bool_]) -> None:
        self._places = self._places[wanted]
        self._offsets = self._offsets[wanted]
        self._log_ms = self._log_ms[wanted]

    def offsets_of(self, places: Ints) -> Ints:
        """For each place the offset of the last cut at or before it: it lies there or beyond."""
        return self._offsets[np.searchsorted(self._places, places, "right") - 1]

    def last_until(self, offset: int) -> Cut:
        """The last cut at or below an offset; `Cut()` where none is."""
        number = int(np.searchsorted(self._offsets, offset, "right")) - 1
        return Cut() if number < 0 else Cut(int(self._offsets[number]), int(self._log_ms[number]))

    def drop_before(self, place: int) -> None:
        """Forget the cuts that nothing from a place on needs."""
        first = int(np.searchsorted(self._places, place, "right")) - 1
        if first > 0:
            self._only(np.arange(len(self)) >= first)

    def move(self, places: Ints) -> None:
        """Note that what stood at these places, ascending, stands from 0 on now, and no more is."""
        moved = np.searchsorted(places, self._places)
        # Of cuts between which nothing is left, the last says most.
        last = np.append(moved[1:] != moved[:-1], True)
        self._places = moved
        self._only(last)

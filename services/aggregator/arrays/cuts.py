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
    """The cuts of a column, in order; its beginning is the first of them."""

    __slots__ = ("_log_ms", "_offsets", "_places")

    def __init__(self) -> None:
        self._places: Ints = np.zeros(1, np.int64)
        self._offsets: Ints = np.zeros(1, np.int64)
        self._log_ms: Ints = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def first(self) -> Cut:
        """The cut at which the column begins."""
        return self._cut(0)

    @property
    def last(self) -> Cut:
        """The cut after which the sightings come that are entered next."""
        return self._cut(len(self) - 1)

    @property
    def last_place(self) -> int:
        """The place of the last cut."""
        return int(self._places[-1])

    def _cut(self, number: int) -> Cut:
        return Cut(int(self._offsets[number]), int(self._log_ms[number]))

    def add(self, place: int, cut: Cut, kept_offset: int) -> None:
        """Note that all before a place, and nothing from it on, lie below a cut's offset.

        The cut at ``kept_offset`` is none of those that go where there are too many.
        """
        # Where nothing came since the last cut, this one says more.
        kept = self._places < place
        self._places = np.append(self._places[kept], place)
        self._offsets = np.append(self._offsets[kept], cut.offset)
        self._log_ms = np.append(self._log_ms[kept], cut.log_ms)
        if len(self) > 2 * CUTS_MAX:
            wanted = np.ones(len(self), np.bool_)
            wanted[1:CUTS_MAX:2] = False
            self._only(wanted | (self._offsets == kept_offset))

    def _only(self, wanted: np.typing.NDArray[np.bool_]) -> None:
        self._places = self._places[wanted]
        self._offsets = self._offsets[wanted]
        self._log_ms = self._log_ms[wanted]

    def place_from(self, offset: int) -> int:
        """The place of the first cut at an offset or beyond it, one that was added or a later one.

        Where the cut itself is gone, nothing that is still here lies between the two.
        """
        return int(self._places[np.searchsorted(self._offsets, offset)])

    def places_until(self, offset: int) -> Ints:
        """The places of the cuts before what `place_from` says, and that, ascending."""
        return self._places[: np.searchsorted(self._offsets, offset) + 1]

    def last_until_place(self, place: int) -> int:
        """The place of the last cut at or before a place in the column."""
        return int(self._places[np.searchsorted(self._places, place, "right") - 1])

    def drop_before(self, place: int) -> None:
        """Have the column begin at a cut, which is at this place."""
        self._only(self._places >= place)

    def move(self, places: Ints) -> None:
        """Note that what stood at these places, ascending, stands from 0 on now, and no more is."""
        moved = np.searchsorted(places, self._places)
        # Of cuts between which nothing is left, the last says most.
        last = np.append(moved[1:] != moved[:-1], True)
        self._places = moved
        self._only(last)

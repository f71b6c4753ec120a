"""Slices in memory: absolute totals per key, which are dirty, and which are ahead of the reader.

A slice is one log partition's share of one window. Its totals are the sums over all accepted
events of its key below some offset, its version: so a row is a pure function of the log, and
writing it twice, late or out of order changes nothing.

The slices of a family are columns: what a slice is about is packed into one integer
(`core.slice_keys`), its place in the columns comes from a `KeyIndex`, and a whole batch is added
with a few array operations, however many keys it touches. Measures that few events have take memory
once an event of the family has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.measures import USUAL
from services.aggregator.arrays.key_index import Ints, KeyIndex
from services.aggregator.arrays.narrow import widened
from services.aggregator.core.slice_keys import windows_of
from services.aggregator.core.windows import FAMILIES, Family

CAPACITY_MIN: Final = 64


class TotalTooLargeError(Exception):
    """A total would no longer fit into 63 bits; nothing of the batch may be written."""


def summed(keys: Ints, measures: Ints) -> tuple[Ints, Ints]:
    """Sum rows of measures by key: the keys, each once and ascending, and their totals."""
    order = np.argsort(keys)
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    totals = np.zeros((len(starts), measures.shape[1]), np.int64)
    # Most events have three or four of the measures.
    for number, column in enumerate(measures.T):
        if column.any():
            totals[:, number] = np.add.reduceat(column[order], starts)
    return ordered[starts], totals


@dataclass(frozen=True, slots=True)
class SliceRows:
    """Slices as columns: keys, and totals of shape (keys, measures).

    The last measures may be left out, where all of them are 0.
    """

    keys: Ints
    totals: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def items(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Each key with its totals."""
        return zip(self.keys.tolist(), map(tuple, self.totals.tolist()), strict=True)


class FamilySlices:
    """The slices of one partition and one family.

    Windows from `loaded_from` (a window number) on are in memory whole: what is not there does
    not exist. Of older windows only slices that were looked up are.
    """

    __slots__ = ("_ahead", "_dirty", "_index", "_keys", "_totals", "family", "loaded_from")

    def __init__(self, family: Family, loaded_from_ms: int) -> None:
        self.family = family
        self.loaded_from = family.window_number(loaded_from_ms)
        self._index = KeyIndex()
        self._ahead: dict[int, int] = {}
        self._keys: Ints = np.zeros(CAPACITY_MIN, np.int64)
        self._totals: Ints = np.zeros((CAPACITY_MIN, min(USUAL, len(family.measures))), np.int64)
        self._dirty: NDArray[np.bool_] = np.zeros(CAPACITY_MIN, np.bool_)

    def _move(self, places: NDArray[np.intp] | slice, capacity: int) -> None:
        """Move some slices, in their order, to columns that hold so many."""
        old = self._keys[places], self._totals[places], self._dirty[places]
        used = len(old[0])
        self._keys = np.zeros(capacity, np.int64)
        self._totals = np.zeros((capacity, old[1].shape[1]), np.int64)
        self._dirty = np.zeros(capacity, np.bool_)
        self._keys[:used], self._totals[:used], self._dirty[:used] = old

    def __len__(self) -> int:
        return len(self._index)

    @property
    def dirty_count(self) -> int:
        """How many slices changed since they were last taken."""
        return int(np.count_nonzero(self._dirty[: len(self._index)]))

    def _place(self, keys: Ints) -> Ints:
        """Where these keys are, each given a place if it has none. Keys must be distinct."""
        places = self._index.find(keys)
        new = np.flatnonzero(places < 0)
        if len(new):
            used = len(self._index)
            if used + len(new) > len(self._keys):
                self._move(slice(used), max(2 * len(self._keys), used + len(new)))
            places[new] = self._index.add(keys[new])
            self._keys[used : used + len(new)] = keys[new]
        return places

    def _widen(self, width: int) -> None:
        """Have room for so many measures."""
        if width > self._totals.shape[1]:
            self._totals = np.ascontiguousarray(widened(self._totals, width))

    def load(self, keys: Ints, totals: Ints, versions: Ints, position: int) -> None:
        """Take over rows of the table; ``position`` is the next offset to be read.

        A row with a version above the position comes from a flush that wrote it but no
        checkpoint: it already holds the events up to its version.
        """
        if not len(keys):
            return
        places = self._place(keys)
        self._widen(totals.shape[1])
        self._totals[places] = widened(totals, self._totals.shape[1])
        ahead = versions > position
        self._ahead.update(zip(keys[ahead].tolist(), versions[ahead].tolist(), strict=True))

    def level_rows(self) -> SliceRows:
        """The slices that hold no event at or above the position that they were loaded for."""
        keys = self._keys[: len(self._index)]
        level = ~np.isin(keys, np.array(list(self._ahead), np.int64))
        return SliceRows(keys[level], self._totals[: len(keys)][level])

    def learn_absent(self, keys: Ints) -> None:
        """Note that slices of old windows were looked up and do not exist."""
        self._place(keys)

    def unknown(self, keys: Ints) -> Ints:
        """Of these keys, those of which the table must be asked before anything is added."""
        old = keys[windows_of(self.family, keys) < self.loaded_from]
        if not len(old):
            return old
        distinct = np.unique(old)
        return distinct[self._index.find(distinct) < 0]

    def missing(self, keys: Ints, offsets: Ints) -> NDArray[np.bool_] | None:
        """Say which events the slices do not hold yet; None for all of them.

        The skip rule: a slice with a version above an event's offset already has that event.
        """
        if not self._ahead:
            return None
        versions = self._ahead
        held_below = np.array([versions.get(key, 0) for key in keys.tolist()], np.int64)
        return held_below <= offsets

    def add(self, keys: Ints, measures: Ints) -> None:
        """Add events to their slices: a key and a row of measures each."""
        if not len(keys):
            return
        distinct, totals = summed(keys, measures)
        places = self._place(distinct)
        self._widen(totals.shape[1])
        grown = self._totals[places]
        grown[:, : totals.shape[1]] += totals
        # Two numbers below 2^63 wrap to a negative one.
        if grown.min() < 0:
            raise TotalTooLargeError(f"a sum of family {self.family.name} would pass 2^63")
        self._totals[places] = grown
        self._dirty[places] = True

    def reached(self, position: int) -> None:
        """Note that all events below ``position`` are in: slices ahead up to there are level."""
        if self._ahead:
            self._ahead = {
                key: version for key, version in self._ahead.items() if version > position
            }

    def take_dirty(self) -> SliceRows:
        """Hand over the rows to be written, and count them clean from now on."""
        places = np.flatnonzero(self._dirty[: len(self._index)])
        self._dirty[places] = False
        return SliceRows(self._keys[places], self._totals[places])

    def evict(self, before_ms: int) -> None:
        """Forget windows that start before ``before_ms``, except slices not yet written.

        Only right after a flush: a row on its way to the table must not be looked up there.
        """
        before = self.family.window_number(before_ms)
        if self.family.window_ms is None or before <= self.loaded_from:
            return
        self.loaded_from = before
        used = len(self._index)
        keep = (windows_of(self.family, self._keys[:used]) >= before) | self._dirty[:used]
        # Moving what stays costs as much as it is, so wait until it is worth it. What is kept
        # longer is still right, and known.
        if np.count_nonzero(keep) > used * 3 // 4:
            return
        kept = np.flatnonzero(keep)
        self._move(kept, max(CAPACITY_MIN, 2 * len(kept)))
        self._index = KeyIndex()
        self._index.add(self._keys[: len(kept)])
        if self._ahead:
            known = self._index.find(np.array(list(self._ahead), np.int64)) >= 0
            self._ahead = dict(compress(self._ahead.items(), known.tolist()))


class SliceStore:
    """All slices of one partition, a `FamilySlices` for each family."""

    __slots__ = ("families",)

    def __init__(self, loaded_from_ms: dict[str, int]) -> None:
        self.families = {
            family.name: FamilySlices(family, loaded_from_ms.get(family.name, 0))
            for family in FAMILIES
        }

    def __len__(self) -> int:
        return sum(len(slices) for slices in self.families.values())

    @property
    def dirty_count(self) -> int:
        """How many slices of all families wait to be written."""
        return sum(slices.dirty_count for slices in self.families.values())

    def reached(self, position: int) -> None:
        """Note that all events below ``position`` are in."""
        for slices in self.families.values():
            slices.reached(position)

    def evict(self, loaded_from_ms: Iterable[tuple[str, int]]) -> None:
        """Forget written slices of windows before these, by family. Only right after a flush."""
        for name, before_ms in loaded_from_ms:
            self.families[name].evict(before_ms)

"""Slices in memory: absolute totals per key, which are dirty, and which are ahead of the reader.

A slice is one log partition's share of one window. Its totals are the sums over all accepted
events of its key below some offset, its version: so a row is a pure function of the log, and
writing it twice, late or out of order changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from services.aggregator.core.windows import FAMILIES, Family

#: What a slice adds up, in the order of its totals and of the table's columns.
MEASURES: Final = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "estimated_tokens",
)
Totals = tuple[int, ...]


class Series(NamedTuple):
    """What is metered apart, besides window and tenant."""

    entry: str
    region: str
    provider: str
    model: str


class SliceKey(NamedTuple):
    """The key of a slice within one partition and family; unused parts are 0 and ''."""

    window_start_ms: int
    tenant: str
    series: Series


class FamilySlices:
    """The slices of one partition and one family.

    Windows from `loaded_from_ms` on are in memory whole: what is not there does not exist. Of
    older windows only slices that were looked up are.
    """

    __slots__ = ("_ahead", "_dirty", "_totals", "family", "loaded_from_ms")

    def __init__(self, family: Family, loaded_from_ms: int) -> None:
        self.family = family
        self.loaded_from_ms = loaded_from_ms if family.window_ms is not None else 0
        self._totals: dict[SliceKey, list[int]] = {}
        self._dirty: set[SliceKey] = set()
        self._ahead: dict[SliceKey, int] = {}

    def __len__(self) -> int:
        return len(self._totals)

    @property
    def dirty_count(self) -> int:
        """How many slices changed since they were last taken."""
        return len(self._dirty)

    def load(self, key: SliceKey, totals: Iterable[int], version: int, position: int) -> None:
        """Take over a row of the table; ``position`` is the next offset to be read.

        A row with a version above the position comes from a flush that wrote it but no
        checkpoint: it already holds the events up to its version.
        """
        self._totals[key] = list(totals)
        if version > position:
            self._ahead[key] = version

    def learn_absent(self, key: SliceKey) -> None:
        """Note that an old window's slice was looked up and does not exist."""
        self._totals.setdefault(key, [0] * len(MEASURES))

    def is_unknown(self, key: SliceKey) -> bool:
        """Whether the table must be asked before anything is added to this slice."""
        return key.window_start_ms < self.loaded_from_ms and key not in self._totals

    def version_ahead(self, key: SliceKey) -> int:
        """The version of a slice that is ahead of the reader; 0 for all others."""
        return self._ahead.get(key, 0) if self._ahead else 0

    def add(self, key: SliceKey, totals: Iterable[int]) -> None:
        """Add accepted events' sums to a slice. The caller has applied the skip rule."""
        mine = self._totals.get(key)
        if mine is None:
            self._totals[key] = list(totals)
        else:
            for index, value in enumerate(totals):
                if value:
                    mine[index] += value
        self._dirty.add(key)

    def reached(self, position: int) -> None:
        """Note that all events below ``position`` are in: slices ahead up to there are level."""
        if self._ahead:
            self._ahead = {
                key: version for key, version in self._ahead.items() if version > position
            }

    def take_dirty(self) -> list[tuple[SliceKey, Totals]]:
        """Hand over the rows to be written, and count them clean from now on."""
        rows = [(key, tuple(self._totals[key])) for key in self._dirty]
        self._dirty.clear()
        return rows

    def evict(self, before_ms: int) -> None:
        """Forget windows that start before ``before_ms``, except slices not yet written.

        Only right after a flush: a row on its way to the table must not be looked up there.
        """
        if self.family.window_ms is None or before_ms <= self.loaded_from_ms:
            return
        old = [
            key
            for key in self._totals
            if key.window_start_ms < before_ms and key not in self._dirty
        ]
        for key in old:
            del self._totals[key]
            self._ahead.pop(key, None)
        self.loaded_from_ms = before_ms


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

"""The duplicate rule, and the ids seen that it decides by.

A duplicate is an event whose identity was seen in the same log partition less than the horizon
before it, measured in log-append time. Every sighting counts, a duplicate's too: so the answer
is a function of the last horizon of the log alone, and the same on every worker. Events that the
time rules refuse are not seen: sent again at a better time, they count.

Recent ids are in memory; older ones may be moved to a store (`OlderIds`), but only ids whose last
sighting lies below the checkpoint: a store that knew more would, after a crash, take events for
duplicates that were never counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from services.aggregator.core.byte_spans import Flags, Words
from services.aggregator.core.key_index import Ints
from services.aggregator.core.seen_table import SeenTable


class OlderIds(Protocol):
    """Ids that no longer fit into memory."""

    @property
    def complete_before_ms(self) -> int:
        """Every id last seen before this log time is here; 0 for an empty store."""

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen, in log time; -1 for those that are not here."""

    def keep(self, sightings: Sightings) -> None:
        """Take over ids durably, between the two stamps that `Stamp` says."""

    def forget(self, before_ms: int) -> None:
        """Ids last seen before this log time are of no more use."""

    def close(self) -> None:
        """Let others use the place; nothing may be asked any more."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Ids to be moved to the store, with their last sightings, oldest first.

    With them the store has every id last seen before `complete_before_ms`.
    """

    ids: Words
    last_seen_ms: Ints
    complete_before_ms: int

    @property
    def newest_ms(self) -> int:
        """The latest of the sightings."""
        return int(self.last_seen_ms.max())


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a store stands for: every id last seen before `complete_before_ms` is in it.

    `newest_ms` is no earlier than any sighting in it, even if a crash cut a move short.
    """

    complete_before_ms: int = 0
    newest_ms: int = 0

    def may_be_used(self, last_append_ms: int) -> bool:
        """Whether all in the store was seen below a checkpoint whose last record came then.

        An id seen at that very millisecond may have been seen beyond it. Ids from beyond a
        checkpoint would make duplicates of events that were never counted.
        """
        return self.newest_ms < last_append_ms or self == Stamp()

    def before_moving(self, sightings: Sightings) -> Stamp:
        """The stamp to be written before the ids of a move are."""
        return replace(self, newest_ms=max(self.newest_ms, sightings.newest_ms))

    def after_moving(self, sightings: Sightings) -> Stamp:
        """The stamp to be written when the ids of a move are in."""
        return replace(self, complete_before_ms=sightings.complete_before_ms)


class SeenIds:
    """The identities seen within the horizon of one partition, oldest sighting first.

    Append times handed in must not fall; the caller sees to that. ``memory_max``, at least 1, is
    how many ids may stay in memory when `spill` is called.
    """

    __slots__ = ("_memory_max", "_older", "_recent")

    def __init__(self, older: OlderIds | None = None, memory_max: int = 1 << 62) -> None:
        self._recent = SeenTable()
        self._older = older
        self._memory_max = memory_max

    def __len__(self) -> int:
        return len(self._recent)

    def see_all(self, ids: Words, append_ms: Ints, horizon_ms: int) -> Flags:
        """Record sightings, oldest first, and say which are duplicates."""
        repeated = repetitions(ids)
        if repeated is None:
            return self._see_unlike(ids, append_ms, append_ms, horizon_ms)
        order, begins = repeated
        # Seen again within the batch: what was before the batch matters for the first sighting
        # only, what comes after it for the last only.
        firsts, lasts = order[begins], order[np.append(begins[1:], len(order)) - 1]
        previous_ms = np.empty(len(order), np.int64)
        previous_ms[order[1:]] = append_ms[order[:-1]]
        duplicates = append_ms - previous_ms < horizon_ms
        by_time = np.argsort(lasts)
        firsts, lasts = firsts[by_time], lasts[by_time]
        duplicates[firsts] = self._see_unlike(
            ids[firsts], append_ms[firsts], append_ms[lasts], horizon_ms
        )
        return duplicates

    def _see_unlike(self, ids: Words, first_ms: Ints, last_ms: Ints, horizon_ms: int) -> Flags:
        """The same for ids that are all unlike, each seen from its first to its last time."""
        found = self._recent.find(ids)
        seen_ms = self._recent.last_seen(found)
        # A store that is complete up to no time at all has nothing that is not in memory as well.
        if self._older is not None and self._older.complete_before_ms > 0:
            absent = np.flatnonzero(seen_ms < 0)
            seen_ms[absent] = self._older.last_seen(ids[absent])
        self._recent.see(ids, last_ms, found)
        duplicates: Flags = (seen_ms >= 0) & (first_ms - seen_ms < horizon_ms)
        return duplicates

    def forget(self, append_ms: int, horizon_ms: int) -> None:
        """Drop the ids that can make nothing appended at ``append_ms`` or later a duplicate."""
        self._recent.forget(append_ms - horizon_ms)

    def spill(self, below_ms: int, horizon_ms: int, most: int) -> bool:
        """Move the oldest ids to the store if too many are in memory; say whether more remain.

        ``below_ms`` is the append time of the last record below the checkpoint. Only ids last
        seen before it are moved: they surely were seen below the checkpoint.
        """
        if self._older is None:
            return False
        self._older.forget(below_ms - horizon_ms)
        excess = min(len(self) - self._memory_max, most)
        # One more than is moved, because its time says up to when the store is complete.
        ids, times_ms = self._recent.oldest(max(0, excess) + 1)
        count = min(max(0, excess), int(np.searchsorted(times_ms, below_ms)))
        if not count:
            return False
        next_oldest_ms = int(times_ms[count]) if count < len(times_ms) else below_ms
        complete_before_ms = min(below_ms, next_oldest_ms)
        self._older.keep(Sightings(ids[:count], times_ms[:count], complete_before_ms))
        self._recent.drop_oldest(count)
        return len(self) > self._memory_max

    def close(self) -> None:
        """Let go of the store."""
        if self._older is not None:
            self._older.close()


def repetitions(ids: Words) -> tuple[Ints, Ints] | None:
    """The order that puts like ids together, each group in its own order, and where groups begin.

    None where all are unlike, as mostly.
    """
    halves = np.sort(ids[:, 0])
    if not (halves[1:] == halves[:-1]).any():
        return None
    order = np.lexsort((ids[:, 1], ids[:, 0]))
    ordered = ids[order]
    begins = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    return order, begins

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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from services.aggregator.core.key_index import Ints


class OlderIds(Protocol):
    """Ids that no longer fit into memory."""

    @property
    def complete_before_ms(self) -> int:
        """Every id last seen before this log time is here; 0 for an empty store."""

    def last_seen(self, identities: Sequence[bytes]) -> Mapping[bytes, int]:
        """When those of these identities that are here were last seen, in log time."""

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

    last_seen_ms: dict[bytes, int]
    complete_before_ms: int

    @property
    def newest_ms(self) -> int:
        """The latest of the sightings."""
        return max(self.last_seen_ms.values())


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

    __slots__ = ("_last_seen_ms", "_memory_max", "_older")

    def __init__(self, older: OlderIds | None = None, memory_max: int = 1 << 62) -> None:
        # A dict keeps insertion order; a sighting moves its id to the end, so the oldest come
        # first, and neither expiry nor overflow looks at an id that stays.
        self._last_seen_ms: dict[bytes, int] = {}
        self._older = older
        self._memory_max = memory_max

    def __len__(self) -> int:
        return len(self._last_seen_ms)

    def see_all(self, identities: Sequence[bytes], append_ms: Ints, horizon_ms: int) -> list[int]:
        """Record sightings, oldest first, and give the indexes of those that are duplicates."""
        seen = self._last_seen_ms
        # A store that is complete up to no time at all has nothing that is not in memory as well.
        if self._older is not None and self._older.complete_before_ms > 0:
            seen.update(self._older.last_seen(list(set(identities) - seen.keys())))
        duplicates: list[int] = []
        # Records of one Kafka batch bear one append time: whole runs are taken over at once.
        for start, end in runs(append_ms):
            run, now_ms = identities[start:end], int(append_ms[start])
            fresh = dict.fromkeys(run, now_ms)
            if len(fresh) == len(run) and seen.keys().isdisjoint(fresh):
                seen.update(fresh)
                continue
            for index, identity in enumerate(run, start):
                last_ms = seen.pop(identity, None)
                seen[identity] = now_ms
                if last_ms is not None and now_ms - last_ms < horizon_ms:
                    duplicates.append(index)
        return duplicates

    def forget(self, append_ms: int, horizon_ms: int) -> None:
        """Drop the ids that can make nothing appended at ``append_ms`` or later a duplicate."""
        expired = []
        for identity, last_ms in self._last_seen_ms.items():
            if append_ms - last_ms < horizon_ms:
                break
            expired.append(identity)
        for identity in expired:
            del self._last_seen_ms[identity]

    def spill(self, below_ms: int, horizon_ms: int, most: int) -> bool:
        """Move the oldest ids to the store if too many are in memory; say whether more remain.

        ``below_ms`` is the append time of the last record below the checkpoint. Only ids last
        seen before it are moved: they surely were seen below the checkpoint.
        """
        if self._older is None:
            return False
        self._older.forget(below_ms - horizon_ms)
        excess = min(len(self) - self._memory_max, most)
        oldest = {
            identity: last_ms
            for identity, last_ms in islice(self._last_seen_ms.items(), max(0, excess))
            if last_ms < below_ms
        }
        if not oldest:
            return False
        next_oldest_ms = next(islice(self._last_seen_ms.values(), len(oldest), None), below_ms)
        self._older.keep(Sightings(oldest, min(below_ms, next_oldest_ms)))
        for identity in oldest:
            del self._last_seen_ms[identity]
        return len(self) > self._memory_max

    def close(self) -> None:
        """Let go of the store."""
        if self._older is not None:
            self._older.close()


def runs(values: Ints) -> Iterator[tuple[int, int]]:
    """Cut into stretches of equal values: index ranges."""
    if not len(values):
        return iter(())
    edges = (np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()
    return zip([0, *edges], [*edges, len(values)], strict=True)

"""128-bit ids and when each was last seen, oldest first, in arrays: 35 to 65 bytes an id.

Sightings are appended to columns in the order of time; a hash table of places says where an id's
last one stands. So the oldest are a prefix, forgetting them moves one index, and a whole batch is
looked up and entered with a few array operations. What is past stays in the table as a tombstone
that look-ups step over, until the columns are full and what is alive moves to the front. What is
forgotten ends at a cut: so all that was seen from the first cut on is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Flags, Words
from services.aggregator.arrays.cuts import Cut, Cuts
from services.aggregator.arrays.key_index import Ints

CAPACITY_MIN: Final = 1024
#: Slots for each place in the columns: so at most half are taken, and one or two are tried.
SLOTS_PER_PLACE: Final = 2
FREE: Final = -1


@dataclass(frozen=True, slots=True)
class Found:
    """Where ids are: their slots, and their places in the columns, -1 for those that are not here.

    The slot of one that is not here is the free one at which the search ended.
    """

    slots: Ints
    places: Ints


class SeenTable:
    """Sightings in order of time. Ids must be evenly spread hashes, shape (ids, 2)."""

    __slots__ = (
        "_alive", "_count", "_end", "_first", "_high", "_last_ms", "_low", "_slots", "cuts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cuts = Cuts()
        self._allocate(CAPACITY_MIN)

    def _allocate(self, capacity: int) -> None:
        self._high: Words = np.zeros(capacity, np.uint64)
        self._low: Words = np.zeros(capacity, np.uint64)
        self._last_ms: Ints = np.zeros(capacity, np.int64)
        #: False for a sighting after which its id was seen again.
        self._alive: Flags = np.zeros(capacity, np.bool_)
        self._slots = np.full(SLOTS_PER_PLACE * capacity, FREE, np.int32)
        self._first = self._end = self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, ids: Words) -> Found:
        """Look ids up."""
        high, low = ids[:, 0], ids[:, 1]
        last = len(self._slots) - 1
        slots = (high & np.uint64(last)).astype(np.int64)
        places = self._slots[slots].astype(np.int64)
        going_on = np.flatnonzero(places != FREE)
        while len(going_on):
            at = places[going_on]
            same = (self._high[at] == high[going_on]) & (self._low[at] == low[going_on])
            going_on = going_on[~same]
            slots[going_on] = (slots[going_on] + 1) & last
            places[going_on] = self._slots[slots[going_on]]
            going_on = going_on[places[going_on] != FREE]
        return Found(slots, places)

    def last_seen(self, found: Found) -> Ints:
        """When ids that were looked up were last seen; -1 for those that are not here."""
        times = np.where(found.places >= self._first, self._last_ms[found.places], -1)
        return np.where(found.places == FREE, -1, times)

    def see(self, ids: Words, times_ms: Ints, found: Found) -> None:
        """Enter sightings, oldest first, none older than any before; ids distinct from each other.

        ``found`` is where they are, as `find` said just before.
        """
        if self._end + len(ids) > len(self._high):
            self._move(len(ids))
            found = self.find(ids)
        known = found.places >= self._first
        again = found.places[known]
        self._alive[again] = False
        places = np.arange(self._end, self._end + len(ids))
        here = slice(self._end, self._end + len(ids))
        self._high[here], self._low[here] = ids[:, 0], ids[:, 1]
        self._last_ms[here] = times_ms
        self._alive[here] = True
        self._end += len(ids)
        self._count += len(ids) - len(again)
        stands = found.places != FREE
        self._slots[found.slots[stands]] = places[stands]
        self._put(found.slots[~stands], places[~stands])

    def _put(self, slots: Ints, places: Ints) -> None:
        """Take the first free slots from these on for places whose ids have none."""
        last = len(self._slots) - 1
        while len(places):
            free = self._slots[slots] == FREE
            self._slots[slots[free]] = places[free]
            # Of several that took one free slot at once, the last written has it.
            lost = self._slots[slots] != places
            slots, places = (slots[lost] + 1) & last, places[lost]

    def _move(self, more: int) -> None:
        """Move what is alive to the front of columns that hold as many again, and ``more``."""
        alive = self._first + np.flatnonzero(self._alive[self._first : self._end])
        high, low, times_ms = self._high[alive], self._low[alive], self._last_ms[alive]
        count = len(alive)
        self.cuts.move(alive)
        self._allocate(1 << (3 * (count + more) // 2).bit_length())
        self._high[:count], self._low[:count], self._last_ms[:count] = high, low, times_ms
        self._alive[:count] = True
        self._end = self._count = count
        last = np.uint64(len(self._slots) - 1)
        self._put((high & last).astype(np.int64), np.arange(count))

    def cut(self, cut: Cut, kept_offset: int) -> None:
        """Note that all sightings so far lie below a cut's offset, and none that come.

        The cut at ``kept_offset`` stays, however many there are.
        """
        self.cuts.add(self._end, cut, kept_offset)

    @property
    def since_last_cut(self) -> int:
        """How many sightings were entered since the last cut."""
        return self._end - self.cuts.last_place

    def since(self, offset: int) -> tuple[Words, Ints]:
        """The ids seen from a cut's offset on, with when each was last seen, as copies."""
        since = slice(self.cuts.place_from(offset), self._end)
        alive = self._alive[since]
        # Mostly none was seen again, and nothing has to be picked out.
        wanted = slice(None) if alive.all() else alive
        ids = np.stack((self._high[since][wanted], self._low[since][wanted]), axis=1)
        return ids, self._last_ms[since][wanted].copy()

    def forget(self, until_ms: int) -> int:
        """Drop sightings of a time or before it, up to the last cut that has no other before it.

        Gives the place of what is the oldest then.
        """
        past = int(np.searchsorted(self._last_ms[self._first : self._end], until_ms, "right"))
        self._drop(self.cuts.last_until_place(self._first + past))
        return self._first

    def keep_youngest(self, most: int, offset: int) -> None:
        """Drop the oldest until no more ids than that are here, at a cut up to an offset.

        More stay where there is no such cut.
        """
        if self._count <= most:
            return
        places = self.cuts.places_until(offset)
        # The more is dropped, the fewer stay: the first place that leaves few enough, or the last.
        first, last = 0, len(places) - 1
        while first < last:
            middle = (first + last) // 2
            if np.count_nonzero(self._alive[places[middle] : self._end]) <= most:
                last = middle
            else:
                first = middle + 1
        self._drop(int(places[first]))

    def _drop(self, first: int) -> None:
        self._count -= int(np.count_nonzero(self._alive[self._first : first]))
        self._first = first
        self.cuts.drop_before(first)

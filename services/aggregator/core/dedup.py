"""The duplicate rule, and the ids seen that it decides by.

A duplicate is an event whose identity was seen in the same log partition less than the horizon
before it, and as much longer as a broker's clock may step, in log time
(`core.timing.duplicate_within_ms`). Every sighting counts, a duplicate's too: so the answer is a
function of the last stretch of the log alone, and the same on every worker. Events that the time
rules refuse are not seen: sent again at a better time, they count.

Recent ids are in memory; older ones may be moved to a store (`OlderIds`), but only sightings below
the checkpoint: a store that knew more would, after a crash, take events for duplicates that were
never counted. And all of those, in their stretch of the log: batches go on while a flush writes, so
an id may have been seen below the checkpoint and again beyond it. The later sighting alone is what
memory looks up; the earlier is what a crash leaves of the two, so it is moved like any other.

What is moved is a beginning of what memory holds, in the order of the log, so the store is complete
up to an offset, and the next life begins to read there. Up to a log time it is complete as well;
that is for what no offset of this log tells: ids of the log before it, and a log that has lost its
beginning since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from services.aggregator.arrays.byte_spans import Flags, Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.replaced import Pairs, Replaced
from services.aggregator.arrays.seen_table import SeenTable

#: Before any log time.
LONG_AGO: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Settled:
    """What lies below a checkpoint: its next offset, the log time of the last record below it.

    ``keep_ms`` is how long before that an id may have been seen and still matter to a record at or
    beyond the checkpoint.
    """

    offset: int
    log_ms: int
    keep_ms: int

    @property
    def past_ms(self) -> int:
        """Ids last seen at or before this log time matter no more."""
        return self.log_ms - self.keep_ms


class OlderIds(Protocol):
    """Ids that no longer fit into memory. A fault of the disk is no error of these calls."""

    @property
    def complete_before_ms(self) -> int:
        """The last sighting below the checkpoint of every id is here if it was before this."""

    @property
    def complete_below(self) -> Cut:
        """The same by offset: all below it are here. `Cut()` where none is known."""

    @property
    def empty(self) -> bool:
        """Whether no id at all is here, so that there is nothing to ask."""

    @property
    def lost(self) -> bool:
        """Whether ids that were here cannot be read any more, as `last_seen` would say."""

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen, in log time; -1 for those that are not here.

        Raises `IdsUnreadableError` where that cannot be said any more.
        """

    def keep(self, sightings: Sightings) -> bool:
        """Take over sightings durably, between the two stamps that `Stamp` says.

        False where they cannot be taken now: then they have to stay in memory.
        """

    def forget(self, past_ms: int) -> None:
        """Ids last seen at or before this log time are of no more use."""

    def close(self) -> None:
        """Let others use the place; nothing may be asked any more. Again, it does nothing."""


class IdsUnreadableError(Exception):
    """Ids on disk cannot be read any more: they have to be read from the log again."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Sightings to be moved to the store, oldest first, all below the checkpoint.

    With them the store is complete before `complete_before_ms` and below `complete_below`, as
    `OlderIds` says it; `LONG_AGO` and `Cut()` where nothing can be said.
    """

    ids: Words
    seen_ms: Ints
    complete_before_ms: int
    complete_below: Cut
    settled: Settled


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a store stands for, at any checkpoint at or beyond ``below_offset``.

    It holds the last sighting below the checkpoint of every id, if that was after `forgotten_ms`,
    and before `complete_before_ms` or below `complete_below_offset`, where log time is
    `complete_below_ms`; and nothing in it was seen at or beyond `below_offset`, even if a crash cut
    a move short.
    """

    complete_before_ms: int = LONG_AGO
    below_offset: int = 0
    forgotten_ms: int = LONG_AGO
    complete_below_offset: int = 0
    complete_below_ms: int = 0

    @property
    def complete_below(self) -> Cut:
        """Up to where in the log it is complete."""
        return Cut(self.complete_below_offset, self.complete_below_ms)

    def may_be_used(self, settled: Settled) -> bool:
        """Whether a worker that resumes from a checkpoint may use what is in the store.

        Ids from beyond it would make duplicates of events that were never counted. And for an
        older one, or a longer horizon, it may have forgotten too much.
        """
        return self.below_offset <= settled.offset and self.forgotten_ms <= settled.past_ms

    def before_moving(self, sightings: Sightings) -> Stamp:
        """The stamp to be written before the ids of a move are."""
        return replace(self, below_offset=max(self.below_offset, sightings.settled.offset))

    def after_moving(self, sightings: Sightings) -> Stamp:
        """The stamp to be written when the ids of a move are in."""
        return replace(
            self,
            complete_before_ms=sightings.complete_before_ms,
            forgotten_ms=max(self.forgotten_ms, sightings.settled.past_ms),
            complete_below_offset=sightings.complete_below.offset,
            complete_below_ms=sightings.complete_below.log_ms,
        )


class SeenIds:
    """The identities seen within the horizon of one partition, oldest sighting first.

    Log times handed in must not fall; the caller sees to that. Sightings that bear a time up to
    ``unsure_until_ms`` may come from records that were appended earlier: whoever looks for the
    first record of that time later would not find them. So while one of them is in memory, the
    store is told to say nothing of a time up to which it is complete.
    """

    __slots__ = ("_older", "_recent", "_replaced", "_unsure_until_ms")

    def __init__(self, older: OlderIds | None = None, unsure_until_ms: int = LONG_AGO) -> None:
        self._recent = SeenTable()
        self._replaced = Replaced()
        self._older = older
        self._unsure_until_ms = unsure_until_ms

    def __len__(self) -> int:
        """How many ids are in memory."""
        return len(self._recent)

    @property
    def sightings_in_memory(self) -> int:
        """The same, and those replaced that are kept aside."""
        return len(self._recent) + len(self._replaced)

    @property
    def lost(self) -> bool:
        """Whether some cannot be read any more: the next to ask gets `IdsUnreadableError`."""
        return self._older is not None and self._older.lost

    def see_all(self, ids: Words, log_ms: Ints, within_ms: int) -> Flags:
        """Record sightings, oldest first, and say which are duplicates.

        Those are that were seen less than ``within_ms`` before, in log time.
        """
        repeated = repetitions(ids)
        if repeated is None:
            return self._see_distinct(ids, log_ms, log_ms, within_ms)
        order, begins = repeated
        # Seen again within the batch: what was before the batch matters for the first sighting
        # only, what comes after it for the last only.
        firsts, lasts = order[begins], order[np.append(begins[1:], len(order)) - 1]
        goes_on = np.ones(len(order), np.bool_)
        goes_on[begins] = False
        again, before = order[goes_on], order[np.flatnonzero(goes_on) - 1]
        if self._older is not None:
            here = np.full(len(again), self._recent.cuts.last_offset)
            self._replaced.add(Pairs(ids[before], log_ms[before], here, log_ms[again], here))
        duplicates = np.zeros(len(order), np.bool_)
        duplicates[again] = log_ms[again] - log_ms[before] < within_ms
        by_time = np.argsort(lasts)
        firsts, lasts = firsts[by_time], lasts[by_time]
        duplicates[firsts] = self._see_distinct(
            ids[firsts], log_ms[firsts], log_ms[lasts], within_ms
        )
        return duplicates

    def _see_distinct(self, ids: Words, first_ms: Ints, last_ms: Ints, within_ms: int) -> Flags:
        """The same for ids that are all distinct, each seen from its first to its last time."""
        found = self._recent.find(ids)
        seen_ms = self._recent.last_seen(found)
        known = seen_ms >= 0
        if self._older is not None:
            if known.any():
                seen_from = self._recent.seen_from(found)[known]
                here = np.full(len(seen_from), self._recent.cuts.last_offset)
                self._replaced.add(
                    Pairs(ids[known], seen_ms[known], seen_from, first_ms[known], here)
                )
            if not self._older.empty:
                absent = np.flatnonzero(~known)
                seen_ms[absent] = self._older.last_seen(ids[absent])
        self._recent.see(ids, last_ms, found)
        duplicates: Flags = (seen_ms >= 0) & (first_ms - seen_ms < within_ms)
        return duplicates

    def cut(self, offset: int, log_ms: int) -> None:
        """Note that all sightings so far lie below an offset, where log time is this.

        To be called where a checkpoint begins: what lies below it can only be told so.
        """
        self._recent.cut(Cut(offset, log_ms))

    def settle(self, settled: Settled) -> None:
        """Take note of a checkpoint that holds, and forget what it makes useless.

        By the checkpoint and not by what was read since: after a crash that is read again, and what
        the store says of its completeness goes from there on.
        """
        self._recent.forget(settled.past_ms)
        self._replaced.settle(settled.log_ms, self._surely_below(settled), settled.past_ms)

    def _surely_below(self, settled: Settled) -> int:
        """An offset: what was seen before the cut there lies below the checkpoint."""
        return self._recent.cuts.last_until(settled.offset).offset

    def spill(self, settled: Settled, memory_max: int, most: int) -> bool:
        """Move the oldest sightings to the store if more ids than that, at least 1, are in memory.

        Only those that surely lie below the checkpoint: seen before the log time of its last
        record, or before it began. Says whether more have to be moved, and can be.
        """
        if self._older is None:
            return False
        self.settle(settled)
        self._older.forget(settled.past_ms)
        excess = len(self) - memory_max
        if excess <= 0:
            return False
        chosen = self._choose(settled, min(excess, most), most)
        if chosen is None:
            return False
        sightings, of_memory = chosen
        if not self._older.keep(sightings):
            return False
        self._recent.drop_oldest(of_memory)
        self._replaced.drop_oldest(len(sightings.ids) - of_memory)
        return len(self) > memory_max

    def _choose(self, settled: Settled, wanted: int, most: int) -> tuple[Sightings, int] | None:
        """What is moved: ``wanted`` of memory if they may be, and older ones replaced, ``most``.

        With how many of them are memory's; None where nothing may be moved.
        """
        # One more than is moved: it says up to where the store is complete.
        ids, seen_ms, seen_from = self._recent.oldest(wanted + 1)
        replaced = self._replaced.until(int(seen_from[-1]))
        times_ms = np.append(seen_ms, replaced.seen_ms)
        offsets = np.append(seen_from, replaced.seen_from)
        # The order of the log, as far as cuts and log time tell it; either alone stands still.
        order = np.lexsort((times_ms, offsets))
        below = (times_ms < settled.log_ms) | (offsets < self._surely_below(settled))
        last = int(np.flatnonzero(order == len(ids) - 1)[0])
        may_go = below[order[:last]]
        count = min(last if may_go.all() else int(np.argmin(may_go)), most)
        if not count:
            return None
        moved, following = order[:count], order[count]
        sightings = Sightings(
            np.concatenate((ids, replaced.ids))[moved],
            times_ms[moved],
            self._complete_before(settled, int(times_ms[following])),
            self._complete_below(settled, int(offsets[following])),
            settled,
        )
        return sightings, int(np.count_nonzero(moved < len(ids)))

    def _complete_before(self, settled: Settled, next_ms: int) -> int:
        """Up to which log time the store is complete if the next is of this one."""
        complete_before_ms = min(settled.log_ms, next_ms)
        return complete_before_ms if complete_before_ms > self._unsure_until_ms else LONG_AGO

    def _complete_below(self, settled: Settled, next_from: int) -> Cut:
        """The same by offset, if the next was seen at or beyond this one."""
        if next_from >= settled.offset:
            return Cut(settled.offset, settled.log_ms)
        return self._recent.cuts.last_until(next_from)

    def close(self) -> None:
        """Let go of the store."""
        if self._older is not None:
            self._older.close()


def repetitions(ids: Words) -> tuple[Ints, Ints] | None:
    """The order that puts like ids together, each group in its own order, and where groups begin.

    None where all are distinct, as mostly.
    """
    halves = np.sort(ids[:, 0])
    if not (halves[1:] == halves[:-1]).any():
        return None
    order = np.lexsort((ids[:, 1], ids[:, 0]))
    ordered = ids[order]
    begins = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    return order, begins

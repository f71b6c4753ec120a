"""The duplicate rule, and the ids seen that it decides by.

A duplicate is an event whose identity was seen in the same log partition less than the horizon
before it, and as much longer as a broker's clock may step, in log time
(`core.timing.duplicate_within_ms`). Every sighting counts, a duplicate's too: so the answer is a
function of the last stretch of the log alone, and the same on every worker. Events that the time
rules refuse are not seen: sent again at a better time, they count.

Each flush writes what was seen since the one before as a run (`core.runs`): exactly the ids seen in
a range of offsets. After a crash the runs beyond the checkpoint are dropped, and with them all that
was seen there. Memory is the youngest part of the same, from an offset on: ids that are not in it
are asked of the runs before. So which is moved when changes no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from services.aggregator.arrays.byte_spans import Flags, Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.seen_table import SeenTable
from services.aggregator.core.runs import Settled


@dataclass(frozen=True, slots=True)
class Sightings:
    """The ids seen between two cuts, each with its last sighting there, in no order."""

    ids: Words
    seen_ms: Ints
    begin: Cut
    end: Cut


class OlderIds(Protocol):
    """Ids that are not in memory any more, in runs. A fault of the disk is no error of these calls.

    `keep` and `tidy` may each be called in a thread of their own.
    """

    @property
    def end(self) -> Cut | None:
        """Where the newest run ends; None where there is none, or they are lost."""

    @property
    def lost(self) -> bool:
        """Whether ids that were here cannot be read any more, as `last_seen` would say."""

    def last_seen(self, ids: Words, below: int) -> Ints:
        """When each of these ids was last seen, by the runs that begin below an offset.

        In log time; -1 for those that are in none. Raises `IdsUnreadableError` where that cannot be
        said any more.
        """

    def keep(self, sightings: Sightings) -> bool:
        """Write a run. False where that cannot be done now: then they have to stay in memory."""

    def tidy(self, settled: Settled) -> bool:
        """Delete runs that are past at a checkpoint, and merge some; say whether there are more."""

    def close(self) -> None:
        """Let others use the place; nothing may be asked any more. Again, it does nothing."""


#: The place before the first record of a log.
FIRST: Final = Cut()


class IdsUnreadableError(Exception):
    """Ids on disk cannot be read any more: they have to be read from the log again."""


class SeenIds:
    """The identities seen within the horizon of one partition, oldest sighting first.

    Log times handed in must not fall; the caller sees to that. ``begin`` is where in the log this
    begins: what was seen before is in the runs that are there already.
    """

    __slots__ = ("_begin", "_older", "_recent")

    def __init__(self, older: OlderIds | None = None, begin: Cut = FIRST) -> None:
        self._recent = SeenTable()
        self._older = older
        self._begin = begin
        self._recent.cut(begin, begin.offset)

    def __len__(self) -> int:
        """How many ids are in memory."""
        return len(self._recent)

    @property
    def lost(self) -> bool:
        """Whether some cannot be read any more: the next to ask gets `IdsUnreadableError`."""
        return self._older is not None and self._older.lost

    @property
    def written(self) -> Cut:
        """Where the next run begins."""
        end = None if self._older is None else self._older.end
        return self._begin if end is None or end.offset < self._begin.offset else end

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
        if self._older is not None:
            absent = np.flatnonzero(seen_ms < 0)
            below = self._recent.cuts.first.offset
            seen_ms[absent] = self._older.last_seen(ids[absent], below)
        self._recent.see(ids, last_ms, found)
        duplicates: Flags = (seen_ms >= 0) & (first_ms - seen_ms < within_ms)
        return duplicates

    @property
    def since_last_cut(self) -> int:
        """How many sightings came since the last cut."""
        return self._recent.since_last_cut

    def cut(self, offset: int, log_ms: int) -> None:
        """Note that all sightings so far lie below an offset, where log time is this."""
        self._recent.cut(Cut(offset, log_ms), self.written.offset)

    def cut_inherited(self, log_ms: int) -> None:
        """The same for ids of the logs before, whose ranges of offsets only need an order."""
        self.cut(self._recent.cuts.last.offset + 1, log_ms)

    def unwritten(self) -> Sightings | None:
        """What was seen between the last run and the last cut, which nothing came behind.

        None where they are one. It is a copy: it stays right whatever is seen meanwhile.
        """
        begin, end = self.written, self._recent.cuts.last
        if self._older is None or end.offset <= begin.offset:
            return None
        return Sightings(*self._recent.since(begin.offset), begin, end)

    def write(self) -> bool:
        """Write a run of what is not in any; say whether all is."""
        sightings = self.unwritten()
        return sightings is None or self.keep(sightings)

    def keep(self, sightings: Sightings) -> bool:
        """Write a run, in any thread; False where that cannot be done now."""
        return self._older is not None and self._older.keep(sightings)

    def tidy(self, settled: Settled) -> bool:
        """Tidy up the runs, in any thread, by a checkpoint that holds; say whether to go on."""
        return self._older is not None and self._older.tidy(settled)

    def settle(self, settled: Settled) -> None:
        """Forget what a checkpoint that holds makes useless.

        By the checkpoint and not by what was read since: after a crash that is read again.
        """
        cuts = self._recent.cuts
        unwritten_from = cuts.place_from(self.written.offset)
        if self._recent.forget(settled.past_ms) > unwritten_from:
            # No run will have it: the next one begins behind.
            self._begin = cuts.first

    def make_room(self, memory_max: int) -> None:
        """Forget the oldest that runs have, if more ids than that, at least 1, are in memory."""
        if self._older is not None:
            self._recent.keep_youngest(memory_max, self.written.offset)

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

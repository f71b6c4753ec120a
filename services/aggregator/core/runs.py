"""Runs of ids: which may be used at a checkpoint, where reading begins, and which are merged.

A run holds exactly the ids seen in its range of offsets, each with its last sighting there. That is
a function of the log, so a run is right at every checkpoint at or beyond its end and of no use at
one before it, where some of it was not seen yet. Whoever has runs that join, from where ids begin
to matter, needs to read only what lies behind the last of them.

Ids of the logs before this one were seen before its first offset. Their ranges are offsets far
below 0 (`INHERITED`), so that they join like any others, and are there as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from services.aggregator.arrays.cuts import Cut

#: Where the ranges of inherited ids begin.
INHERITED: Final = -(1 << 62)
#: An offset before them.
BEFORE_INHERITED: Final = INHERITED - 1
#: So many runs of about one size are merged into one.
FAN_IN = 8
#: Runs of fewer ids are of one size.
SMALL_IDS: Final = 8_192
#: No merged run is of more than this part of the time for which ids matter, so that runs come to
#: their end whole.
SPAN_PARTS: Final = 8


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

    @property
    def span_max_ms(self) -> int:
        """How much log time a merged run may be of."""
        return self.keep_ms // SPAN_PARTS


@dataclass(frozen=True, slots=True)
class Stretch:
    """The range of offsets that a run is of, with the log time at both ends.

    No sighting before it bears a later time than ``begin`` says, and ``end`` says log time where
    the next one begins. Its own bear ``first_ms`` to ``last_ms``; there are ``count``.
    """

    begin: Cut
    end: Cut
    first_ms: int
    last_ms: int
    count: int


class HasStretch(Protocol):
    """A run, whatever else it is."""

    @property
    def stretch(self) -> Stretch:
        """What it is of."""


R = TypeVar("R", bound=HasStretch)


def disjoint(runs: Sequence[R], until: int) -> list[R]:
    """The runs that end at or below an offset, in order; of those that overlap the larger.

    A merge that was cut off leaves what it merged beside what came of it.
    """
    found: list[R] = []
    below = [run for run in runs if run.stretch.end.offset <= until]
    for run in sorted(below, key=lambda one: (one.stretch.begin.offset, -one.stretch.end.offset)):
        if not found or found[-1].stretch.end.offset <= run.stretch.begin.offset:
            found.append(run)
    return found


def usable(runs: Sequence[R], settled: Settled, start: int) -> list[R]:
    """The runs that may be used at a checkpoint, in order: all behind them has to be read.

    ``start`` is the first offset that can be read; `BEFORE_INHERITED` where inherited ids matter
    and can be read. No sighting that matters and can be read lies before the end of the last run
    and is in none of them. Without any, all that matters has to be read.
    """
    found = disjoint(runs, settled.offset)
    # Whatever lies before these is past, or gone for good.
    surely = [
        number
        for number, run in enumerate(found)
        if run.stretch.begin.log_ms <= settled.past_ms or run.stretch.begin.offset <= start
    ]
    if not surely:
        return []
    count = surely[-1] + 1
    while count < len(found) and joined(found[count - 1], found[count]):
        count += 1
    last = found[count - 1].stretch.end
    # What was inherited is read as a whole, or not at all; and of long ago nothing is of use.
    return found[:count] if last.offset >= 0 and last.log_ms > settled.past_ms else []


def joined(run: HasStretch, following: HasStretch) -> bool:
    """Whether no offset lies between two runs."""
    return run.stretch.end.offset == following.stretch.begin.offset


def to_merge(runs: Sequence[R], settled: Settled) -> Sequence[R]:
    """Neighbours that are to be merged next; none where there is nothing to do.

    Only what lies below the checkpoint: a crash would take a larger run with it. And not what was
    inherited with what was not: a database that went back would take both.
    """
    stretches = apart(disjoint(runs, settled.offset), settled.span_max_ms)
    for level in range(max((level_of(run) for run in runs), default=0) + 1):
        for stretch, full in stretches:
            for group in of_level(stretch, level):
                if len(group) >= FAN_IN:
                    return group[:FAN_IN]
            if full and len(stretch) > 1:
                return stretch[:FAN_IN]
    return ()


def apart(runs: Sequence[R], span_max_ms: int) -> list[tuple[Sequence[R], bool]]:
    """Cut joined runs into stretches of at most so much log time each, from the oldest on.

    With whether each is full: the next run, which joins it, would have been too much.
    """
    found: list[tuple[Sequence[R], bool]] = []
    first = 0
    for number in range(1, len(runs) + 1):
        begin = runs[first].stretch
        if number < len(runs):
            before, run = runs[number - 1].stretch, runs[number].stretch
            inherits = before.begin.offset < 0 <= run.begin.offset
            breaks = before.end.offset != run.begin.offset or inherits
            full = run.last_ms - begin.first_ms > span_max_ms
            if not breaks and not full:
                continue
            found.append((runs[first:number], full and not breaks))
        else:
            found.append((runs[first:number], False))
        first = number
    return found


def level_of(run: HasStretch) -> int:
    """How large a run is, in steps of `FAN_IN`."""
    level, ids = 0, run.stretch.count
    while ids > SMALL_IDS:
        level, ids = level + 1, ids // FAN_IN
    return level


def of_level(runs: Sequence[R], level: int) -> list[Sequence[R]]:
    """Stretches of neighbours that are no larger than a level."""
    found: list[Sequence[R]] = []
    first = 0
    for number in range(len(runs) + 1):
        if number == len(runs) or level_of(runs[number]) > level:
            if number > first:
                found.append(runs[first:number])
            first = number + 1
    return found

"""Sightings whose id was seen again since: what a crash would leave of the two, for a while.

They matter until the later sighting lies below the checkpoint. So there are few: the duplicates
since the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from services.aggregator.arrays.byte_spans import Flags, Words
from services.aggregator.arrays.key_index import Ints


@dataclass(frozen=True, slots=True)
class Pairs:
    """Ids with two sightings each: when they were, and the offsets at or beyond which.

    Shape (ids, 2) of the ids, (ids,) of all others.
    """

    ids: Words
    seen_ms: Ints
    seen_from: Ints
    again_ms: Ints
    again_from: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, wanted: Flags | slice | Ints) -> Pairs:
        """Some of them."""
        return Pairs(*(getattr(self, field.name)[wanted] for field in fields(self)))


def together(parts: list[Pairs]) -> Pairs:
    """Put parts, one at least, one behind the other."""
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Pairs))
    return Pairs(*map(np.concatenate, columns))


_NO_INTS = np.zeros(0, np.int64)
NONE = Pairs(np.zeros((0, 2), np.uint64), _NO_INTS, _NO_INTS, _NO_INTS, _NO_INTS)


class Replaced:
    """Pairs of which the first sighting may have to be moved; oldest first once asked for."""

    __slots__ = ("_added", "_pairs")

    def __init__(self) -> None:
        self._added: list[Pairs] = []
        self._pairs = NONE

    def __len__(self) -> int:
        return len(self._pairs) + sum(map(len, self._added))

    def add(self, pairs: Pairs) -> None:
        """Note that ids seen at one place of the log were seen again at a later one."""
        # At one log time, and with no cut between, no checkpoint can be told to lie between.
        apart = (pairs.seen_ms < pairs.again_ms) | (pairs.seen_from < pairs.again_from)
        if apart.any():
            self._added.append(pairs.only(apart))

    def settle(self, log_ms: int, below: int, past_ms: int) -> None:
        """Drop what a checkpoint makes useless.

        That is what was seen again before ``log_ms``, at which its last record came, or surely
        below an offset that is not above the checkpoint's; and what was first seen at ``past_ms``
        or before.
        """
        self._gather()
        pairs = self._pairs
        beyond = (pairs.again_ms >= log_ms) & (pairs.again_from >= below)
        self._pairs = pairs.only(beyond & (pairs.seen_ms > past_ms))

    def until(self, offset: int) -> Pairs:
        """Those that may have been seen first at an offset or before it, oldest first."""
        self._gather()
        count = int(np.searchsorted(self._pairs.seen_from, offset, "right"))
        return self._pairs.only(slice(count))

    def drop_oldest(self, count: int) -> None:
        """Drop so many of the oldest, as `until` gave them."""
        self._pairs = self._pairs.only(slice(count, None))

    def _gather(self) -> None:
        if self._added:
            pairs = together([self._pairs, *self._added])
            # In the order of the log, as far as cuts and log time tell it.
            self._pairs = pairs.only(np.lexsort((pairs.seen_ms, pairs.seen_from)))
            self._added = []

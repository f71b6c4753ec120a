"""Sightings of several partitions put into one order of time, as far as that is certain by now.

Each partition's sightings come in its own log's order, so their times do not fall; what may still
come of a partition is no older than what came of it last. So all up to the least of these times
can be handed on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Flags, Words
from services.aggregator.arrays.key_index import Ints

NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Sighted:
    """Ids with the log times they were seen at, and the partition that each belongs to now.

    The three are parallel; times do not fall.
    """

    ids: Words
    times_ms: Ints
    owners: Ints

    def __len__(self) -> int:
        return len(self.times_ms)

    def only(self, wanted: Flags | slice | Ints) -> Sighted:
        """Some of them."""
        return Sighted(self.ids[wanted], self.times_ms[wanted], self.owners[wanted])


NONE: Final = Sighted(np.empty((0, 2), np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))


def together(parts: Iterable[Sighted]) -> Sighted:
    """Put parts one behind the other."""
    found = [NONE, *parts]
    return Sighted(
        np.concatenate([part.ids for part in found]),
        np.concatenate([part.times_ms for part in found]),
        np.concatenate([part.owners for part in found]),
    )


class TimeMerge:
    """Takes sightings partition by partition, and gives them oldest first."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self._held: dict[int, deque[Sighted]] = {partition: deque() for partition in partitions}
        #: Nothing older than this can come of a partition any more.
        self._reached_ms = dict.fromkeys(self._held, 0)

    @property
    def reached_ms(self) -> int:
        """Nothing older than this can come at all; `NEVER` when all partitions are finished."""
        return min(self._reached_ms.values(), default=NEVER)

    def held(self, partition: int) -> int:
        """How many sightings of a partition wait for others."""
        return sum(len(part) for part in self._held[partition])

    def add(self, partition: int, sighted: Sighted, reached_ms: int) -> None:
        """Take sightings of a partition, which was read up to a time."""
        if len(sighted):
            self._held[partition].append(sighted)
        self._reached_ms[partition] = max(self._reached_ms[partition], reached_ms)

    def finish(self, partition: int) -> None:
        """Note that no more comes of a partition."""
        self._reached_ms[partition] = NEVER

    def take(self) -> Sighted:
        """Hand on what no later sighting can precede, oldest first."""
        until_ms = self.reached_ms
        taken: list[Sighted] = []
        for parts in self._held.values():
            while parts:
                # As old as what may yet come is old enough: the order among equals decides nothing.
                count = int(np.searchsorted(parts[0].times_ms, until_ms, "right"))
                taken.append(parts[0].only(slice(0, count)))
                if count < len(parts[0]):
                    parts[0] = parts[0].only(slice(count, None))
                    break
                parts.popleft()
        found = together(taken)
        return found.only(np.argsort(found.times_ms, kind="stable"))

"""Merging runs: neighbours into one, a stretch of hashes at a time, so in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from services.aggregator.arrays.sorted_ids import NONE, SortedIds, latest, together
from services.aggregator.core.runs import Stretch
from services.aggregator.storage.run_file import RunFile

#: About how many ids are merged at once.
IDS_AT_ONCE: Final = 1 << 18
HASHES: Final = 1 << 64


def merged_stretch(runs: Sequence[RunFile]) -> Stretch:
    """What neighbours are of together; the count is how many ids there are at most."""
    stretches = [run.stretch for run in runs]
    return Stretch(
        stretches[0].begin,
        stretches[-1].end,
        min(one.first_ms for one in stretches),
        max(one.last_ms for one in stretches),
        sum(one.count for one in stretches),
    )


def merged(runs: Sequence[RunFile], given_up: Callable[[], bool]) -> Iterator[SortedIds]:
    """The ids of runs, oldest first, in the order of their hashes; ends early when given up.

    Of an id that several have, the last sighting counts.
    """
    steps = max(1, -(-sum(run.stretch.count for run in runs) // IDS_AT_ONCE))
    readers = [Reader(run) for run in runs]
    for step in range(1, steps + 1):
        if given_up():
            return
        below = HASHES * step // steps if step < steps else None
        yield latest([reader.take(below) for reader in readers])


class Reader:
    """Reads a run in the order of its hashes."""

    def __init__(self, run: RunFile) -> None:
        self._run = run
        self._next = 0
        self._left = NONE

    def take(self, below: int | None) -> SortedIds:
        """The next ids, whose first halves are below this; all that are left where it is None."""
        run = self._run
        last = run.described.blocks if below is None else run.first_block_from(below)
        ids = together([self._left, run.read(self._next, last)])
        self._next = max(self._next, last)
        if below is None:
            return ids
        count = int(np.searchsorted(ids.high, np.uint64(below)))
        self._left = ids.only(slice(count, None))
        return ids.only(slice(count))

"""Sightings whose id was seen again since: what a crash would leave of the two, for a while.

They matter until the later sighting lies below the checkpoint. So there are few: the duplicates
since the checkpoint.
"""

from __future__ import annotations

import numpy as np

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.key_index import Ints


class Replaced:
    """Ids, when they were seen, and when they were seen again; oldest first once asked for."""

    __slots__ = ("_again_ms", "_chunks", "_ids", "_seen_ms")

    def __init__(self) -> None:
        self._chunks: list[tuple[Words, Ints, Ints]] = []
        self._ids: Words = np.zeros((0, 2), np.uint64)
        self._seen_ms: Ints = np.zeros(0, np.int64)
        self._again_ms: Ints = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids) + sum(len(ids) for ids, _, _ in self._chunks)

    def add(self, ids: Words, seen_ms: Ints, again_ms: Ints) -> None:
        """Note that ids seen at a time were seen again later."""
        # At one log time no checkpoint can lie between the two that is later than it.
        apart = seen_ms < again_ms
        if apart.any():
            self._chunks.append((ids[apart], seen_ms[apart], again_ms[apart]))

    def settle(self, log_ms: int, past_ms: int) -> None:
        """Drop what a checkpoint makes useless: its last record came at one log time.

        What was seen again before that, and what was first seen at or before the other.
        """
        self._gather()
        self._only((self._again_ms >= log_ms) & (self._seen_ms > past_ms))

    def before(self, time_ms: int) -> tuple[Words, Ints]:
        """The ids seen before a log time, and when, oldest first."""
        self._gather()
        count = int(np.searchsorted(self._seen_ms, time_ms))
        return self._ids[:count], self._seen_ms[:count]

    def drop_oldest(self, count: int) -> None:
        """Drop so many of the oldest, as `before` gave them."""
        self._ids = self._ids[count:]
        self._seen_ms = self._seen_ms[count:]
        self._again_ms = self._again_ms[count:]

    def _gather(self) -> None:
        if not self._chunks:
            return
        chunks = [(self._ids, self._seen_ms, self._again_ms), *self._chunks]
        ids, seen_ms, again_ms = (np.concatenate(column) for column in zip(*chunks, strict=True))
        order = np.argsort(seen_ms, kind="stable")
        self._ids, self._seen_ms, self._again_ms = ids[order], seen_ms[order], again_ms[order]
        self._chunks = []

    def _only(self, wanted: np.typing.NDArray[np.bool_]) -> None:
        if not wanted.all():
            self._ids = self._ids[wanted]
            self._seen_ms = self._seen_ms[wanted]
            self._again_ms = self._again_ms[wanted]

"""Ids in the order of their hashes, each once, with the log time at which it was last seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.aggregator.arrays.byte_spans import Flags, Words
from services.aggregator.arrays.key_index import Ints


@dataclass(frozen=True, slots=True)
class SortedIds:
    """The first and second halves of ids and when each was last seen, parallel.

    ``high`` ascends; of ids with one first half the order is of no meaning. No id is there twice.
    """

    high: Words
    low: Words
    seen_ms: Ints

    def __len__(self) -> int:
        return len(self.high)

    def only(self, wanted: Flags | slice | Ints) -> SortedIds:
        """Some of them."""
        return SortedIds(self.high[wanted], self.low[wanted], self.seen_ms[wanted])


NONE = SortedIds(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))


def in_order(ids: Words, seen_ms: Ints) -> SortedIds:
    """Sort ids, shape (ids, 2), all distinct."""
    high = ids[:, 0].copy()
    order = order_of(high)
    return SortedIds(high[order], ids[order, 1], seen_ms[order])


def order_of(hashes: Words) -> Ints:
    """The order that sorts hashes; what is alike keeps its own order.

    Each hash has its place written over its last bits, so that plain numbers are sorted: a third of
    the time of an argsort. Hashes that differ in those bits alone, as good as never, are noticed.
    """
    places = np.uint64((1 << len(hashes).bit_length()) - 1)
    keys = hashes & ~places
    keys |= np.arange(len(hashes), dtype=np.uint64)
    keys.sort()
    keys &= places
    order = keys.view(np.int64)
    ordered = hashes[order]
    if (ordered[1:] < ordered[:-1]).any():
        return np.argsort(hashes, kind="stable")
    return order


def together(parts: Sequence[SortedIds]) -> SortedIds:
    """Put parts one behind the other; for parts of which each ends where the next begins."""
    if len(parts) == 1:
        return parts[0]
    return SortedIds(
        np.concatenate([part.high for part in parts] or [NONE.high]),
        np.concatenate([part.low for part in parts] or [NONE.low]),
        np.concatenate([part.seen_ms for part in parts] or [NONE.seen_ms]),
    )


def latest(parts: Sequence[SortedIds]) -> SortedIds:
    """Merge parts, oldest first: of an id that several have, what the last of them says counts."""
    whole = together(parts)
    if len(parts) < 2:
        return whole
    order = order_of(whole.high)
    high = whole.high[order]
    alike = high[1:] == high[:-1]
    if not alike.any():
        return SortedIds(high, whole.low[order], whole.seen_ms[order])
    low = whole.low[order]
    if (low[1:][alike] != low[:-1][alike]).any():
        # Distinct ids with one first half, as good as never: those of one id must be neighbours.
        order = np.lexsort((np.arange(len(order)), whole.low, whole.high))
        high, low = whole.high[order], whole.low[order]
        alike = high[1:] == high[:-1]
    older = np.append(alike & (low[1:] == low[:-1]), False)
    return SortedIds(high, low, whole.seen_ms[order]).only(~older)

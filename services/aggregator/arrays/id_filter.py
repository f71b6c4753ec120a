"""A filter that says of most ids at once that they were never put in: a blocked Bloom filter.

All bits of an id lie in one 64-bit word, so a test is one memory access, and a batch of ids is
tested with a few array operations. It answers "surely not" or "perhaps", never a false "not".
After F. Putze, P. Sanders, J. Singler: Cache-, Hash- and Space-Efficient Bloom Filters (2007).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.key_index import Ints

#: Bits set per id. With 12 bits of room per id about 3 in 100 absent ids look present.
BITS_PER_ID: Final = 4
WORD_BITS_LOG2: Final = 6


class IdFilter:
    """A set of ids that may say yes too often; ids must be evenly spread hashes, shape (ids, 2)."""

    __slots__ = ("words",)

    def __init__(self, words: Words) -> None:
        self.words = words

    @classmethod
    def of_size(cls, size_bytes: int) -> IdFilter:
        """An empty filter."""
        return cls(np.zeros(max(1, size_bytes // 8), np.uint64))

    def _bits(self, ids: Words) -> tuple[NDArray[np.intp], Words]:
        """Which word each id belongs to, and which of its bits the id sets."""
        places = (ids[:, 0] % np.uint64(len(self.words))).astype(np.intp)
        masks = np.zeros(len(ids), np.uint64)
        for number in range(BITS_PER_ID):
            position = (ids[:, 1] >> np.uint64(number * WORD_BITS_LOG2)) & np.uint64(63)
            masks |= np.uint64(1) << position
        return places, masks

    def add(self, ids: Words) -> None:
        """Put ids in."""
        places, masks = self._bits(ids)
        np.bitwise_or.at(self.words, places, masks)

    def maybe_contains(self, ids: Words) -> Ints:
        """The indexes of the ids that may have been put in; all others surely were not."""
        places, masks = self._bits(ids)
        return np.flatnonzero((self.words[places] & masks) == masks)

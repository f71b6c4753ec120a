"""A filter that says of most ids at once that they were never put in: a blocked Bloom filter.

All bits of an id lie in one 64-bit word, so a test is one memory access, and a batch of ids is
tested with a few array operations. It answers "surely not" or "perhaps", never a false "not".
After F. Putze, P. Sanders, J. Singler: Cache-, Hash- and Space-Efficient Bloom Filters (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.identity import IDENTITY_BYTES

Words = NDArray[np.uint64]
#: Bits set per id. With 12 bits of room per id about 3 in 100 absent ids look present.
BITS_PER_ID: Final = 4
WORD_BITS_LOG2: Final = 6


class IdFilter:
    """A set of 16-byte ids that may say yes too often; ids must be evenly spread hashes."""

    __slots__ = ("words",)

    def __init__(self, words: Words) -> None:
        self.words = words

    @classmethod
    def of_size(cls, size_bytes: int) -> IdFilter:
        """An empty filter."""
        return cls(np.zeros(max(1, size_bytes // 8), np.uint64))

    def _bits(self, ids: Sequence[bytes]) -> tuple[NDArray[np.intp], Words]:
        """Which word each id belongs to, and which of its bits the id sets."""
        halves = np.frombuffer(b"".join(ids), np.dtype("<u8")).reshape(-1, IDENTITY_BYTES // 8)
        places = (halves[:, 0] % np.uint64(len(self.words))).astype(np.intp)
        masks = np.zeros(len(halves), np.uint64)
        for number in range(BITS_PER_ID):
            position = (halves[:, 1] >> np.uint64(number * WORD_BITS_LOG2)) & np.uint64(63)
            masks |= np.uint64(1) << position
        return places, masks

    def add(self, ids: Sequence[bytes]) -> None:
        """Put ids in."""
        if ids:
            places, masks = self._bits(ids)
            np.bitwise_or.at(self.words, places, masks)

    def perhaps(self, ids: Sequence[bytes]) -> list[int]:
        """The indexes of the ids that may have been put in; all others surely were not."""
        if not ids:
            return []
        places, masks = self._bits(ids)
        found: list[int] = np.flatnonzero((self.words[places] & masks) == masks).tolist()
        return found

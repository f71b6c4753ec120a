"""A filter that says of most ids at once that they were never put in: a blocked Bloom filter.

All bits of an id lie in one 64-bit word, so a test is one memory access, and a batch of ids is
tested with a few array operations. It answers "surely not" or "perhaps", never a false "not".
After F. Putze, P. Sanders, J. Singler: Cache-, Hash- and Space-Efficient Bloom Filters (2007).

Words stand in the order of the ids, so ids that come sorted fill, and ask for, one word after the
other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.key_index import Ints

#: Room for each id: about five ids share a word, and 8 in 1,000 absent ids look present.
BITS_OF_ROOM: Final = 13
WORD_BITS: Final = 64
#: So many ids are put in at once: what is worked out on the way stays near the processor.
IDS_AT_ONCE: Final = 1 << 13
_32: Final = np.uint64(32)
_63: Final = np.uint64(63)
_1: Final = np.uint64(1)
#: The word with one bit set, by six bits of an id, and with two, by twelve.
_ONE_BIT: Final = _1 << np.arange(64, dtype=np.uint64)
_TWO_BITS: Final = (_ONE_BIT[:, None] | _ONE_BIT).ravel()
_12: Final = np.uint64(12)
_24: Final = np.uint64(24)
_TWELVE_BITS: Final = np.uint64(0xFFF)


def words_for(ids: int) -> int:
    """How many words a filter of so many ids has."""
    return max(1, -(-ids * BITS_OF_ROOM // WORD_BITS))


def masks_of(low: Words) -> Words:
    """The bits that ids set, five each, by their second halves."""
    masks = _TWO_BITS[(low & _TWELVE_BITS).view(np.int64)]
    masks |= _TWO_BITS[(low >> _12 & _TWELVE_BITS).view(np.int64)]
    masks |= _ONE_BIT[(low >> _24 & _63).view(np.int64)]
    return masks


class IdFilter:
    """A set of ids that may say yes too often; ids must be evenly spread hashes, in two halves."""

    __slots__ = ("words",)

    def __init__(self, words: Words) -> None:
        self.words = words

    @classmethod
    def of_ids(cls, most: int) -> IdFilter:
        """An empty filter for so many ids."""
        return cls(np.zeros(words_for(most), np.uint64))

    def _places(self, high: Words) -> NDArray[np.intp]:
        """Which word each id belongs to: as far into the filter as its hash is into all hashes."""
        return ((high >> _32) * np.uint64(len(self.words)) >> _32).astype(np.intp)

    def add(self, high: Words, low: Words) -> None:
        """Put ids in, sorted by their first halves."""
        for at in range(0, len(high), IDS_AT_ONCE):
            places = self._places(high[at : at + IDS_AT_ONCE])
            begins = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
            masks = masks_of(low[at : at + IDS_AT_ONCE])
            self.words[places[begins]] |= np.bitwise_or.reduceat(masks, begins)

    def maybe_contains(self, high: Words, masks: Words) -> Ints:
        """The indexes of the ids that may have been put in; all others surely were not.

        ``masks`` are their bits, as `masks_of` gives them: the same for all filters.
        """
        return np.flatnonzero((self.words[self._places(high)] & masks) == masks)

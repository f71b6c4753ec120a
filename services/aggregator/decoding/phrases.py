"""Short texts that repeat from event to event, recognised many at a time.

A text is known by all of its bytes, not by a hash alone, so two are never taken for one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Buffer, Words, texts
from services.aggregator.arrays.key_index import SPREAD, Ints, KeyIndex

#: Longer texts are never known.
PHRASE_BYTES_MAX: Final = 512
CAPACITY_MIN: Final = 64
_DOWN: Final = np.uint64(29)
#: Keys of a `KeyIndex` are at least 0.
_SIGN: Final = np.uint64(1)


class Phrases:
    """Texts, each with a number that means something to the caller."""

    def __init__(self) -> None:
        self._index = KeyIndex()
        #: Word by word of all texts: so that a comparison runs along one column.
        self._words = np.zeros((0, CAPACITY_MIN), np.uint64)
        self._lengths = np.zeros(CAPACITY_MIN, np.int64)
        self._numbers = np.zeros(CAPACITY_MIN, np.int64)

    def __len__(self) -> int:
        return len(self._index)

    def find(self, buffer: Buffer, starts: Ints, lengths: Ints) -> Ints:
        """The number of the text at each place, -1 where it is not known."""
        if not len(self) or not len(starts):
            return np.full(len(starts), -1)
        lengths = np.where((lengths >= 0) & (lengths <= PHRASE_BYTES_MAX), lengths, 0)
        words = texts(buffer, starts, lengths)
        places = self._index.find(keys(words, lengths))
        same = (places >= 0) & (self._lengths[places] == lengths)
        # A known text has no more words than there are columns; one that has is not known.
        for known, column in zip(self._words, words.T, strict=False):
            same &= known[places] == column
        return np.where(same, self._numbers[places], -1)

    def learn(self, buffer: Buffer, starts: Ints, lengths: Ints, numbers: Ints) -> None:
        """Know the texts at these places from now on, like ones with like numbers.

        Not those that are too long, nor one whose key is another's.
        """
        fits = np.flatnonzero((lengths > 0) & (lengths <= PHRASE_BYTES_MAX))
        if not len(fits):
            return
        starts, lengths, numbers = starts[fits], lengths[fits], numbers[fits]
        words = texts(buffer, starts, lengths)
        distinct, firsts = np.unique(keys(words, lengths), return_index=True)
        new = self._index.find(distinct) < 0
        distinct, firsts = distinct[new], firsts[new]
        places = self._index.add(distinct)
        self._allocate(len(self._index), words.shape[1])
        self._words[: words.shape[1], places] = words[firsts].T
        self._lengths[places], self._numbers[places] = lengths[firsts], numbers[firsts]

    def _allocate(self, texts: int, words: int) -> None:
        rows, columns = self._words.shape
        if texts <= columns and words <= rows:
            return
        more = 0 if texts <= columns else max(columns, texts - columns)
        self._words = np.pad(self._words, ((0, max(0, words - rows)), (0, more)))
        self._lengths = np.pad(self._lengths, (0, more))
        self._numbers = np.pad(self._numbers, (0, more))


def keys(words: Words, lengths: Ints) -> Ints:
    """Hash texts to keys, the same however many words of zeros follow."""
    mixed = lengths.astype(np.uint64) * SPREAD
    for column in words.T:
        step = (mixed ^ column) * SPREAD
        mixed = np.where(column != 0, step ^ (step >> _DOWN), mixed)
    return (mixed >> _SIGN).view(np.int64)

"""PURE. The hash by which Kafka's clients choose a partition, taken of many keys at once.

MurmurHash2 (A. Appleby) in 32 bits with the seed of Kafka's `Utils.murmur2`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.aggregator.arrays.byte_spans import WORD
from services.aggregator.arrays.frames import Frames
from services.aggregator.arrays.key_index import Ints

Halves = NDArray[np.uint32]

SEED: Final = 0x9747B28C
_M: Final = np.uint32(0x5BD1E995)
_13, _15, _24 = np.uint32(13), np.uint32(15), np.uint32(24)
HALF: Final = WORD // 2
#: By number of bytes: a mask of the first so many of four.
_FIRST: Final = np.array([(1 << 8 * count) - 1 for count in range(HALF + 1)], np.uint32)
#: Longer keys are hashed one by one: their lengths are as many as they are.
LENGTH_MAX: Final = 64
#: The hash counts as positive: Kafka takes its sign away.
_POSITIVE: Final = np.uint32(0x7FFFFFFF)


def partitions_of(keys: Frames, count: int, of_long: Callable[[bytes, int], int]) -> Ints:
    """The partition of ``count`` that each key leads to; ``of_long`` says it of a long key."""
    lengths = keys.ends - keys.starts
    partitions = np.zeros(len(keys), np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if length > LENGTH_MAX:
            partitions[rows] = [of_long(key, count) for key in keys.values(rows)]
            continue
        hashes = _hashes(_halves(keys, rows, length), length)
        partitions[rows] = (hashes & _POSITIVE).astype(np.int64) % count
    return partitions


def _halves(keys: Frames, rows: Ints, length: int) -> Halves:
    """Keys of one length as rows of four bytes each, the last filled up with whatever follows."""
    words = keys.buffer.words_at(keys.starts[rows], max(1, -(-length // WORD)))
    return np.ascontiguousarray(words).view("<u4").astype(np.uint32, copy=False)


def _hashes(halves: Halves, length: int) -> Halves:
    whole, rest = divmod(length, HALF)
    state = np.full(len(halves), np.uint32(SEED ^ length), np.uint32)
    for number in range(whole):
        mixed = halves[:, number] * _M
        mixed ^= mixed >> _24
        mixed *= _M
        state *= _M
        state ^= mixed
    if rest:
        state ^= halves[:, whole] & _FIRST[rest]
        state *= _M
    state ^= state >> _13
    state *= _M
    state ^= state >> _15
    return state

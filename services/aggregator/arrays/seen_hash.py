"""The 128-bit hash by which dedup knows an event, taken of a whole batch at once.

MurmurHash3_x64_128 (A. Appleby) of the event's id, seeded with the 128 bits of XXH3 over the rest
of its identity: so what all events of a gateway have in common is hashed once. Multiplying,
rotating and xor-ing 64-bit words is what arrays do well; XXH3 itself would need 128-bit products.
docs/adr/0003-identity-hash.md says what such a hash is good enough for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from xxhash import xxh3_128_intdigest

from schemas.identity import identity_prefix
from services.aggregator.arrays.byte_spans import WORD, Buffer, Words, texts
from services.aggregator.arrays.key_index import Ints

BLOCK: Final = 2 * WORD
WORD_BITS: Final = 8 * WORD
_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_FIVE, _N1, _N2 = np.uint64(5), np.uint64(0x52DCE729), np.uint64(0x38495AB5)
_F1, _F2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_33: Final = np.uint64(33)


def seed(tenant: str, source: str) -> tuple[int, int]:
    """What the hashes of a gateway's events start from: two words."""
    high, low = divmod(xxh3_128_intdigest(identity_prefix(tenant, source)), 1 << WORD_BITS)
    return high, low


def seen_hashes(buffer: Buffer, starts: Ints, lengths: Ints, seeds: Words) -> Words:
    """Hash the ids at these places of a buffer: shape (ids, 2), as are the seeds."""
    h1, h2 = seeds[:, 0].copy(), seeds[:, 1].copy()
    if len(starts):
        _mix(texts(buffer, starts, lengths), lengths, h1, h2)
    size = lengths.astype(np.uint64)
    h1 ^= size
    h2 ^= size
    h1 += h2
    h2 += h1
    h1, h2 = _avalanche(h1), _avalanche(h2)
    h1 += h2
    h2 += h1
    return np.stack((h1, h2), axis=1)


def _mix(words: Words, lengths: Ints, h1: Words, h2: Words) -> None:
    """Mix whole blocks into the state, then what is left, which zero bytes fill up."""
    blocks = lengths // BLOCK
    shortest, count = int(blocks.min()), words.shape[1]
    for block in range(-(-count // 2)):
        k1 = _scrambled(words[:, 2 * block], _C1, 31, _C2)
        last = 2 * block + 1 == count
        k2 = np.zeros_like(k1) if last else _scrambled(words[:, 2 * block + 1], _C2, 33, _C1)
        h1 ^= k1
        if block < shortest:
            h1[:] = (_rotated(h1, 27) + h2) * _FIVE + _N1
            h2 ^= k2
            h2[:] = (_rotated(h2, 31) + h1) * _FIVE + _N2
            continue
        whole = blocks > block
        h1[:] = np.where(whole, (_rotated(h1, 27) + h2) * _FIVE + _N1, h1)
        h2 ^= k2
        h2[:] = np.where(whole, (_rotated(h2, 31) + h1) * _FIVE + _N2, h2)


def _scrambled(words: Words, first: np.uint64, bits: int, second: np.uint64) -> Words:
    return _rotated(words * first, bits) * second


def _rotated(words: Words, bits: int) -> Words:
    return (words << np.uint64(bits)) | (words >> np.uint64(WORD_BITS - bits))


def _avalanche(words: Words) -> Words:
    words = (words ^ (words >> _33)) * _F1
    words = (words ^ (words >> _33)) * _F2
    return words ^ (words >> _33)

"""PURE. Where the records of Kafka's batches begin.

Each record's length says where the next one begins, so they are found one after the other, a step
in Python for each. What is metered mostly ends alike, though: an event in `}`, and its record,
which has no headers, in a zero behind it. So where records may begin is guessed for all at once,
and then proven: from the first one on each one's length must lead to the next guess. What is not
proven is found step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.key_index import Ints

#: The last byte of an event, and how many headers a record mostly has.
EVENT_END, NO_HEADERS = np.uint8(ord("}")), 0
#: One byte of a length says seven bits of it; the eighth, that another one follows.
_BITS: Final = 0x7F
#: Bytes looked through at once, so that what one step leaves behind is in the cache for the next.
_PIECE_BYTES: Final = 256 * 1024
#: Keys of records are any bytes, so a guess may lie within one: so often are such left out.
_REPAIRS_MAX: Final = 4


def starts_at_once(buffer: Buffer, payloads: Sequence[bytes], counts: Sequence[int]) -> Ints | None:
    """Where each record begins, behind its length, of batches that lie in ``buffer`` in turn.

    None where that is not certain: `starts_in_turn` finds it, or what is wrong.
    """
    bounds = np.array([0, *accumulate(map(len, payloads))])
    ends = _likely_ends(buffer, int(bounds[-1]))
    places = np.append(0, ends)
    bodies, following = _lengths_read(buffer, places[:-1])
    for _ in range(_REPAIRS_MAX):
        astray = following != places[1:]
        # The first that leads elsewhere was led to, so the guess after it lies within its record.
        wrong = np.flatnonzero(astray[:-1] & ~np.append(False, astray[:-2])) + 1
        if not len(wrong):
            break
        places = np.delete(places, wrong)
        bodies, following = np.delete(bodies, wrong), np.delete(following, wrong)
    at = np.searchsorted(places, bounds)
    proven = (
        np.array_equal(following, places[1:])
        and places[-1] == bounds[-1]
        and np.array_equal(places[at], bounds)
        and np.array_equal(np.diff(at), counts)
    )
    return bodies if proven else None


def _likely_ends(buffer: Buffer, size: int) -> Ints:
    """The places behind all that looks like a record's end in the first ``size`` bytes."""
    found = [
        np.flatnonzero(buffer.array[start : min(start + _PIECE_BYTES, size)] == EVENT_END) + start
        for start in range(0, size, _PIECE_BYTES)
    ]
    ends = np.concatenate(found) if found else np.zeros(0, np.int64)
    likely: Ints = ends[buffer.bytes_at(ends + 1) == NO_HEADERS] + 2
    return likely


def _lengths_read(buffer: Buffer, places: Ints) -> tuple[Ints, Ints]:
    """Where what the length at each place counts begins and ends; -1 where it has three bytes."""
    low, high = buffer.bytes_at(places), buffer.bytes_at(places + 1)
    longer = low > _BITS
    length = np.where(longer, (low & _BITS) | (high.astype(np.int64) << 7), low)
    bodies = places + 1 + longer
    # Zigzag: an even number is twice a positive one, and lengths are.
    return bodies, np.where(longer & (high > _BITS), -1, bodies + (length >> 1))


def starts_in_turn(payload: bytes, shift: int) -> list[int]:
    """Where each record of a batch begins, behind its length; ``shift`` is added.

    Raises `IndexError` where the payload ends within a length.
    """
    starts: list[int] = []
    append = starts.append
    place, size = 0, len(payload)
    while place < size:
        length = payload[place]
        place += 1
        if length > _BITS:
            # Mostly two bytes say it, so the second is read without a loop.
            byte = payload[place]
            place += 1
            # Less one, for the bit of the byte before that says "more follows".
            length += (byte - 1) << 7
            bits = 14
            while byte > _BITS:
                byte = payload[place]
                place += 1
                length += (byte - 1) << bits
                bits += 7
        append(place + shift)
        place += length >> 1
    return starts

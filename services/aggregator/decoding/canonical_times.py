"""Times in the form that Wattoken writes, read a batch at a time with array operations."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.event_rules import TIME_MAX, TIME_MIN
from services.aggregator.arrays.byte_spans import (
    FIRST_BYTES,
    WORD,
    ZERO_DIGITS,
    Buffer,
    Flags,
    Words,
    digit_pairs,
    eight_digits,
    not_digits,
)
from services.aggregator.arrays.key_index import Ints


class Template:
    """A word of digits and other characters, whose digits are to be read."""

    def __init__(self, text: bytes) -> None:
        self.mask = np.uint64(
            int.from_bytes(bytes(0 if char in b"0" else 255 for char in text), "little")
        )
        self._fixed = np.uint64(int.from_bytes(text, "little")) & self.mask

    def pairs(self, words: Words) -> tuple[list[Ints], Flags]:
        """The numbers that its four pairs of bytes make, others than digits read as 0.

        And which words have digits where it has, and are like it elsewhere.
        """
        good = (words & self.mask) == self._fixed
        digits = (words & ~self.mask) | (ZERO_DIGITS & self.mask)
        good &= not_digits(digits) == 0
        pairs = digit_pairs(digits)
        return [
            ((pairs >> np.uint64(16 * number)) & np.uint64(0xFF)).view(np.int64)
            for number in range(4)
        ], good


DATE: Final = Template(b"0000-00-")
CLOCK: Final = Template(b"00T00:00")
#: Its second half may be anything; it is left out before.
SECONDS: Final = Template(b":00\0\0\0\0\0")
SECONDS_MASK: Final = FIRST_BYTES[3]
HALF_BITS: Final = np.uint64(32)
#: Where in the word of the seconds, and in the one with the fraction, the text goes on or ends.
POINT_SHIFT, MILLIS_SHIFT, MICROS_SHIFT = np.uint64(24), np.uint64(24), np.uint64(48)
LOW_BYTE: Final = np.uint64(0xFF)
POINT, ZULU = np.uint64(ord(".")), np.uint64(ord("Z"))
#: What others write for Z.
OFFSET: Final = np.uint64(int.from_bytes(b"+00:00", "little"))
OFFSET_BYTES: Final = 6
#: Where in the word of the seconds stands what follows them, and the fraction's first digit.
POINT_AT, FRACTION_AT = 3, 4
TIME_BYTES: Final = len("2026-03-15T12:00:00Z")
CENTURY: Final = TIME_MIN.year // 100
MONTHS: Final = np.arange(f"{TIME_MIN.year}-01", f"{TIME_MAX.year}-02", dtype="datetime64[M]")
#: By number of the month since `TIME_MIN`: its first day since 1970, and how many it has.
FIRST_DAYS: Final = MONTHS[:-1].astype("datetime64[D]").astype(np.int64)
DAYS: Final = np.diff(MONTHS.astype("datetime64[D]").astype(np.int64))


def times_us(buffer: Buffer, places: Ints) -> tuple[Ints, Ints, Flags]:
    """Read RFC 3339 times in UTC, with Z or +00:00: µs since 1970, where they end, and which are.

    Only those with no fraction, milliseconds or microseconds, between `TIME_MIN` and `TIME_MAX`.
    """
    words = buffer.words_at(places, 4)
    (century, year, month_tens, month_ones), good = DATE.pairs(words[:, 0])
    (day, hour_tens, hour_ones, minute), valid = CLOCK.pairs(words[:, 1])
    good &= valid
    (second_tens, second_ones, _, _), valid = SECONDS.pairs(words[:, 2] & SECONDS_MASK)
    good &= valid
    # A pair that a separator cuts in two reads as 0x and x0.
    month, hour = month_tens * 10 + month_ones // 10, hour_tens * 10 + hour_ones // 10
    second = second_tens * 10 + second_ones // 10
    good &= (century == CENTURY) & (month >= 1) & (month <= 12)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    number = np.where(good, 12 * year + month - 1, 0)
    good &= (day >= 1) & (day <= DAYS[number])
    micros, length, valid = _fractions(words[:, 2], words[:, 3])
    days = FIRST_DAYS[number] + day - 1
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds * 1_000_000 + micros, places + length, good & valid


def _fractions(seconds: Words, rest: Words) -> tuple[Ints, Ints, Flags]:
    """Microseconds of the fraction, the whole text's length, and which are well written."""
    digits = (seconds >> HALF_BITS) | (rest << HALF_BITS)
    after_seconds = (seconds >> POINT_SHIFT) & LOW_BYTE
    pointed = after_seconds == POINT
    millis = pointed & (((digits >> MILLIS_SHIFT) & LOW_BYTE) == ZULU)
    micros = pointed & (((digits >> MICROS_SHIFT) & LOW_BYTE) == ZULU)
    whole = after_seconds == ZULU
    length = np.full(len(seconds), TIME_BYTES, np.int64)
    good = millis | micros | whole
    if not good.all():
        # The six bytes behind each fraction that there may be.
        for shape, places in ((whole, 0), (millis, 3), (micros, 6)):
            start = FRACTION_AT + places if places else POINT_AT
            here = (_six_bytes(seconds, rest, start) == OFFSET) & ~good
            if places:
                here &= pointed
            shape[here] = True
            good |= here
            length[here] += OFFSET_BYTES - 1
    count = np.where(millis, 3, np.where(micros, 6, 0))
    kept = FIRST_BYTES[count]
    digits = (digits & kept) | (ZERO_DIGITS & ~kept)
    good &= not_digits(digits) == 0
    return eight_digits(digits) // 100, length + count + pointed, good


def _six_bytes(seconds: Words, rest: Words, start: int) -> Words:
    """Six bytes of the two words, from so many bytes into the first on."""
    bits = np.uint64(8 * (start % WORD))
    joined = seconds >> bits | rest << (np.uint64(64) - bits)
    six: Words = (rest >> bits if start >= WORD else joined) & FIRST_BYTES[OFFSET_BYTES]
    return six

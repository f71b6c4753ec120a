"""Events in the form that Wattoken writes, read a batch at a time with array operations.

`schemas.wire.encode`, and so ingest and the client, write an event in one form only: compact, keys
in the order of the schema, plain strings. Text of that form needs no parser: what stands where is
checked for all events at once (`arrays.byte_spans`), a field after the other.

Whatever is not exactly of that form is not judged here, only left over: `schemas.wire` reads it,
and says what is wrong with it. So this is a shortcut, never a second opinion; a property test
holds that it finds in an event what the decoder finds. Left over are also numbers of more than
seven digits, strings with escapes or beyond ASCII, and adjustments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.event_rules import MODEL_LENGTH_MAX, NAME_LENGTH_MAX, TIME_MAX, TIME_MIN
from services.aggregator.arrays.byte_spans import (
    FIRST_BYTES,
    ZERO_DIGITS,
    Buffer,
    Flags,
    Literal,
    Words,
    digit_pairs,
    eight_digits,
    not_digits,
    text_ends,
    whole_numbers,
)
from services.aggregator.arrays.key_index import Ints

OPENING: Final = Literal(b'{"id":"')
NAMES: Final = ("source", "tenant", "time", "region", "provider", "model")
BETWEEN: Final = {name: Literal(f'","{name}":"'.encode()) for name in NAMES}
INPUT: Final = Literal(b'","input_tokens":')
OUTPUT: Final = Literal(b',"output_tokens":')
#: What may follow, in this order: a number of tokens, ...
SUBSETS: Final = {
    name: Literal(f',"{name}":'.encode())
    for name in (
        "cache_read_input_tokens",
        "cache_write_input_tokens",
        "reasoning_output_tokens",
    )
}
#: ... one of some words, each with what it says, if that is not the usual case, ...
WORDS: Final = (
    (Literal(b',"status":"ok"'), None),
    (Literal(b',"status":"error"'), "failed"),
    (Literal(b',"quality":"measured"'), None),
    (Literal(b',"quality":"estimated"'), "estimated"),
)
#: ... and what is not metered.
DURATION: Final = Literal(b',"duration_ms":')

COMMA, CLOSING = ord(","), ord("}")
#: Words looked at first: most ids are UUIDs or 32 hexadecimal digits.
ID_WORDS: Final = 5
NAME_WORDS: Final = 2


@dataclass(slots=True)
class Canonical:
    """What the events say, a row each; of a row that is not `good` nothing means anything.

    `ids`, `gateways` and `series` are stretches of the text, as start and length: the id, from the
    source's first byte to the tenant's last, and from the region's first to the model's last.
    """

    good: Flags
    ids: tuple[Ints, Ints]
    gateways: tuple[Ints, Ints]
    series: tuple[Ints, Ints]
    time_us: Ints
    #: By name: token counts, and `failed` and `estimated` as 0 and 1; what none has is missing.
    numbers: dict[str, Ints]


def read(buffer: Buffer, starts: Ints, ends: Ints) -> Canonical:
    """Read the events that lie between these places of a buffer."""
    good = OPENING.at(buffer, starts)
    names_start = {"id": starts + OPENING.size}
    names_end: dict[str, Ints] = {}
    time_us = starts
    for name, following in zip(("id", *NAMES), (*NAMES, None), strict=True):
        start = names_start[name]
        if name == "time":
            time_us, end, valid = times_us(buffer, start)
            good &= valid
        else:
            words = ID_WORDS if name == "id" else NAME_WORDS
            longest = MODEL_LENGTH_MAX if name == "model" else NAME_LENGTH_MAX
            end = text_ends(buffer, start, words, longest)
            length = end - start
            good &= (length > 0) & (length <= longest)
        names_end[name] = end
        literal = INPUT if following is None else BETWEEN[following]
        good &= literal.at(buffer, end)
        if following is not None:
            names_start[following] = end + literal.size
    numbers: dict[str, Ints] = {}
    place = names_end["model"] + INPUT.size
    numbers["input_tokens"], place, valid = whole_numbers(buffer, place)
    good &= valid & OUTPUT.at(buffer, place)
    numbers["output_tokens"], place, valid = whole_numbers(buffer, place + OUTPUT.size)
    good &= valid
    _read_rest(buffer, place, good, numbers)
    good &= (place == ends - 1) & (buffer.bytes_at(place) == CLOSING)
    return Canonical(
        good,
        (names_start["id"], names_end["id"] - names_start["id"]),
        (names_start["source"], names_end["tenant"] - names_start["source"]),
        (names_start["region"], names_end["model"] - names_start["region"]),
        time_us,
        numbers,
    )


def _read_rest(buffer: Buffer, place: Ints, good: Flags, numbers: dict[str, Ints]) -> None:
    """Read the fields that may be missing; moves ``place`` behind what there is."""

    def having(literal: Literal) -> Ints:
        going_on = np.flatnonzero(good & (buffer.bytes_at(place) == COMMA))
        found = going_on[literal.at(buffer, place[going_on])] if len(going_on) else going_on
        place[found] += literal.size
        return found

    for name, literal in SUBSETS.items():
        _read_number(buffer, place, good, having(literal), numbers, name)
    for literal, meaning in WORDS:
        rows = having(literal)
        if meaning is not None and len(rows):
            numbers[meaning] = np.zeros(len(place), np.int64)
            numbers[meaning][rows] = 1
    _read_number(buffer, place, good, having(DURATION), {}, "")


def _read_number(
    buffer: Buffer, place: Ints, good: Flags, rows: Ints, numbers: dict[str, Ints], name: str
) -> None:
    if not len(rows):
        return
    column = numbers.setdefault(name, np.zeros(len(place), np.int64))
    column[rows], place[rows], good[rows] = whole_numbers(buffer, place[rows])


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
TIME_BYTES: Final = len("2026-03-15T12:00:00Z")
CENTURY: Final = TIME_MIN.year // 100
MONTHS: Final = np.arange(f"{TIME_MIN.year}-01", f"{TIME_MAX.year}-02", dtype="datetime64[M]")
#: By number of the month since `TIME_MIN`: its first day since 1970, and how many it has.
FIRST_DAYS: Final = MONTHS[:-1].astype("datetime64[D]").astype(np.int64)
DAYS: Final = np.diff(MONTHS.astype("datetime64[D]").astype(np.int64))


def times_us(buffer: Buffer, places: Ints) -> tuple[Ints, Ints, Flags]:
    """Read RFC 3339 times in UTC: microseconds since 1970, where they end, and which are.

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
    count = np.where(millis, 3, np.where(micros, 6, 0))
    kept = FIRST_BYTES[count]
    digits = (digits & kept) | (ZERO_DIGITS & ~kept)
    good = (millis | micros | (after_seconds == ZULU)) & (not_digits(digits) == 0)
    return eight_digits(digits) // 100, TIME_BYTES + count + pointed, good

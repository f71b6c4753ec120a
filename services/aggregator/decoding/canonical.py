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

from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.event_rules import MODEL_LENGTH_MAX, NAME_LENGTH_MAX
from schemas.measures import MEASURES, USUAL
from schemas.price_class import SERVICE_TIERS, UNITS
from services.aggregator.arrays.byte_spans import (
    Buffer,
    Flags,
    Literal,
    text_ends,
    whole_numbers,
)
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.canonical_times import times_us
from services.aggregator.decoding.found import Found

OPENING: Final = Literal(b'{"id":"')
NAMES: Final = ("source", "tenant", "time", "region", "provider", "model")
BETWEEN: Final = {name: Literal(f'","{name}":"'.encode()) for name in NAMES}
INPUT: Final = Literal(b'","input_tokens":')
OUTPUT: Final = Literal(b',"output_tokens":')


def _keys(*names: str) -> dict[str, Literal]:
    return {name: Literal(f',"{name}":'.encode()) for name in names}


#: What may follow, in this order: numbers of tokens, ...
SUBSETS: Final = _keys(
    "cache_read_input_tokens", "cache_write_input_tokens", "reasoning_output_tokens"
)
#: ... one of some words, each with what it says, if that is not the usual case, ...
WORDS: Final = (
    (Literal(b',"status":"ok"'), None),
    (Literal(b',"status":"error"'), "failed"),
    (Literal(b',"quality":"measured"'), None),
    (Literal(b',"quality":"estimated"'), "estimated"),
)
#: ... what is not metered, ...
DURATION: Final = Literal(b',"duration_ms":')
#: ... and what few events say: their tier, and how much of what their price depends on.
TIER: Final = Literal(b',"service_tier":"')
TIERS: Final = tuple(Literal(f'{tier}"'.encode()) for tier in SERVICE_TIERS)
CLOSER: Final = _keys(*MEASURES[USUAL:], *UNITS)

COMMA, CLOSING = ord(","), ord("}")
#: Words looked at first: most ids are UUIDs or 32 hexadecimal digits.
ID_WORDS: Final = 5
NAME_WORDS: Final = 2


def begins(buffer: Buffer, starts: Ints) -> Flags:
    """Say which of the events that open like these go on like these behind the first value."""
    ends = text_ends(buffer, starts + OPENING.size, ID_WORDS, NAME_LENGTH_MAX)
    return BETWEEN["source"].at(buffer, ends)


def read(buffer: Buffer, starts: Ints, ends: Ints) -> Found:
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
    return Found(
        np.arange(len(starts)),
        good,
        (names_start["id"], names_end["id"] - names_start["id"]),
        ((names_start["source"], names_end["tenant"] - names_start["source"]),),
        ((names_start["region"], names_end["model"] - names_start["region"]),),
        time_us,
        numbers,
    )


def _read_rest(buffer: Buffer, place: Ints, good: Flags, numbers: dict[str, Ints]) -> None:
    """Read the fields that may be missing; moves ``place`` behind what there is."""
    rest = _Rest(buffer, place, good, numbers)
    for name, literal in SUBSETS.items():
        rest.read_number(literal, name)
    for literal, meaning in WORDS:
        rest.read_word(literal, meaning)
    rest.read_number(DURATION, None)
    if len(rest.open):
        rest.read_choice(TIER, TIERS, "service_tier")
        for name, literal in CLOSER.items():
            rest.read_number(literal, name)


class _Rest:
    """The events that go on with a comma, which get fewer with each field that may be missing.

    `open` are their indexes, ascending. ``place`` is where each event is read next.
    """

    def __init__(self, buffer: Buffer, place: Ints, good: Flags, numbers: dict[str, Ints]) -> None:
        self._buffer, self._place, self._good = buffer, place, good
        self._numbers = numbers
        self.open: Ints = np.flatnonzero(good & (buffer.bytes_at(place) == COMMA))

    def read_number(self, literal: Literal, name: str | None) -> None:
        """Read a field that is a number; without a name it is for nobody."""
        rows = self._found(literal)
        if len(rows):
            read, self._place[rows], self._good[rows] = whole_numbers(
                self._buffer, self._place[rows]
            )
            if name is not None:
                self._column(name)[rows] = read
            self._look_again()

    def read_word(self, literal: Literal, meaning: str | None) -> None:
        """Read a field with its word, which means something, or the usual case."""
        rows = self._found(literal)
        if len(rows):
            if meaning is not None:
                self._column(meaning)[rows] = 1
            self._look_again()

    def read_choice(self, literal: Literal, words: Sequence[Literal], name: str) -> None:
        """Read a field that is one of some words, as 1 + the place of its word among them."""
        rows = self._found(literal)
        for number, word in enumerate(words, start=1):
            if not len(rows):
                break
            here = word.at(self._buffer, self._place[rows])
            self._place[rows[here]] += word.size
            self._column(name)[rows[here]] = number
            rows = rows[~here]
        self._good[rows] = False
        self._look_again()

    def _found(self, literal: Literal) -> Ints:
        """Which events go on with a text; they are read behind it next."""
        rows = self.open
        if len(rows):
            rows = rows[literal.at(self._buffer, self._place[rows])]
            self._place[rows] += literal.size
        return rows

    def _look_again(self) -> None:
        """Leave out the events that have come to an end."""
        rows = self.open
        going_on = self._good[rows] & (self._buffer.bytes_at(self._place[rows]) == COMMA)
        self.open = rows[going_on]

    def _column(self, name: str) -> Ints:
        if name not in self._numbers:
            self._numbers[name] = np.zeros(len(self._place), np.int64)
        return self._numbers[name]

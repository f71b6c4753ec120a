"""PURE. Forms in which others write events: learnt from one, read a batch at a time.

JSON says the same in any order of keys and with any spaces, but each writer writes it in one way,
event after event. So one event shows how all of its writer's are written: which keys follow each
other, and what stands between a value and the next one. That is a form; events of it are read as
those that Wattoken writes itself (`decoding.canonical`), a field after the other for all at once.

A form is exact: every byte between two values is compared, keys included, so what is read is what
the decoder reads. Whatever differs anywhere is only left over. Any field that an event may do
without may be missing behind the first one, or be null; values are those that `canonical` takes.
A form has each key once, none that is unknown, and no adjustments: others are not learnt. What one
event of a writer says and another does not, two forms of theirs say `merged`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import groupby, pairwise
from typing import Final

import numpy as np

from schemas.event_rules import MODEL_LENGTH_MAX, NAME_LENGTH_MAX
from schemas.price_class import SERVICE_TIERS
from services.aggregator.arrays.byte_spans import (
    Buffer,
    Flags,
    Literal,
    text_ends,
    whole_numbers,
)
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.canonical import CLOSER, ID_WORDS, NAME_WORDS, SUBSETS
from services.aggregator.decoding.canonical_times import times_us
from services.aggregator.decoding.found import Found, Spans

GATEWAY: Final = ("source", "tenant")
SERIES: Final = ("region", "provider", "model")
TEXTS: Final = ("id", *GATEWAY, *SERIES)
AMOUNTS: Final = ("input_tokens", "output_tokens")
#: All that an event must have.
REQUIRED: Final = frozenset((*TEXTS, "time", *AMOUNTS))
#: Numbers that may be missing or null. `duration_ms` is for nobody.
NOT_METERED: Final = "duration_ms"
COUNTS: Final = frozenset((*SUBSETS, *CLOSER, NOT_METERED))
NULL: Final = Literal(b"null")


def _words(**meaning: tuple[str, int] | None) -> tuple[tuple[Literal, tuple[str, int] | None], ...]:
    return tuple((Literal(f'"{word}"'.encode()), meant) for word, meant in meaning.items())


_NULL_ONLY: Final = ((NULL, None),)
#: Fields that are one of some words: each with the column that it sets, and to what.
CHOICES: Final[Mapping[str, tuple[tuple[Literal, tuple[str, int] | None], ...]]] = {
    "status": _words(ok=None, error=("failed", 1)),
    "quality": _words(measured=None, estimated=("estimated", 1)),
    "entry": _words(usage=None),
    "service_tier": (
        *_NULL_ONLY,
        *_words(**{tier: ("service_tier", at) for at, tier in enumerate(SERVICE_TIERS, start=1)}),
    ),
    "adjusts": _NULL_ONLY,
    "reason": _NULL_ONLY,
}

#: What stands before one value, its key included, has no more bytes; and what stands before all
#: those that every event has, together: no further beyond a buffer's end is read.
TEXT_BYTES_MAX: Final = 128
FORM_BYTES_MAX: Final = 600
#: When fewer of the events read than this are still of the form, the others are left behind.
NARROWED_BELOW: Final = 0.5
QUOTE: Final = ord('"')
_SPACE: Final = rb"[ \t\n\r]*"
_OPENING: Final = re.compile(_SPACE + rb"\{" + _SPACE)
_KEY: Final = re.compile(rb'"([a-z0-9_]+)"' + _SPACE + rb":" + _SPACE)
_VALUE: Final = re.compile(rb'"[^"\\]*"|[0-9]+|null')
_COMMA: Final = re.compile(_SPACE + rb"," + _SPACE)
_CLOSING: Final = re.compile(_SPACE + rb"\}" + _SPACE)


@dataclass(frozen=True, slots=True)
class Step:
    """A field: its name, and the text in front of its value, a string's opening quote included."""

    name: str
    before: Literal
    #: Whether an event of this form must have it.
    required: bool


@dataclass(frozen=True, slots=True)
class Form:
    """How a writer writes events: field after field, and what follows the last of them."""

    steps: tuple[Step, ...]
    closing: Literal
    #: Which fields were seen to follow which others; what was never seen may be otherwise.
    order: frozenset[tuple[str, str]]

    @property
    def opening(self) -> Literal:
        """What each event of the form begins with."""
        return self.steps[0].before

    def begins(self, buffer: Buffer, starts: Ints) -> Flags:
        """Say which of the events that open like these go on like these behind the first value.

        Of some that do not, too, where the form does not say what comes second.
        """
        first, second = self.steps[:2]
        if not (second.required and _is_text(first.name)):
            return np.ones(len(starts), np.bool_)
        ends = text_ends(buffer, starts + first.before.size, ID_WORDS, MODEL_LENGTH_MAX)
        return second.before.at(buffer, ends + 1)

    def read(self, buffer: Buffer, starts: Ints, ends: Ints) -> Found:
        """Read the events that lie between these places of a buffer."""
        reading = _Reading(buffer, starts, ends)
        optional: list[Step] = []
        for step in self.steps:
            if step.required:
                reading.find(step.before, optional)
                reading.read(step.name)
                optional = []
            else:
                optional.append(step)
        reading.find(self.closing, optional)
        reading.good &= reading.place == reading.ends
        return Found(
            reading.rows,
            reading.good,
            reading.span(("id",)),
            tuple(map(reading.span, runs(self.steps, GATEWAY))),
            tuple(map(reading.span, runs(self.steps, SERIES))),
            reading.time_us,
            reading.numbers,
        )


def learn(event: bytes) -> Form | None:
    """The form of a valid event, or None where it has none that can be read many at a time."""
    opening = _OPENING.match(event)
    if opening is None:
        return None
    steps: list[Step] = []
    before, place = opening[0], opening.end()
    while True:
        key = _KEY.match(event, place)
        value = key and _VALUE.match(event, key.end())
        if not key or not value:
            return None
        name = key[1].decode()
        text = before + key[0] + (b'"' if _is_text(name) else b"")
        if not _takes(name, value[0]) or len(text) > TEXT_BYTES_MAX:
            return None
        steps.append(Step(name, Literal(text), not steps or name in REQUIRED))
        comma = _COMMA.match(event, value.end())
        if comma is None:
            break
        before, place = comma[0], comma.end()
    closing = _CLOSING.fullmatch(event, value.end())
    names = [step.name for step in steps]
    if closing is None or len(closing[0]) > TEXT_BYTES_MAX:
        return None
    if len(set(names)) < len(names) or not set(names) >= REQUIRED:
        return None
    return _short_enough(Form(tuple(steps), Literal(closing[0]), frozenset(pairwise(names))))


def merged(one: Form, other: Form) -> Form | None:
    """The form of events of both, or None where they are not of one writer.

    Both begin and end alike, have the same text before each field of both, and no field before
    another in one form and behind it in the other.
    """
    ours, theirs = ({step.name: step for step in form.steps} for form in (one, other))
    if (
        one.steps[0].name != other.steps[0].name
        or one.closing.text != other.closing.text
        or any(ours[name].before.text != theirs[name].before.text for name in ours & theirs.keys())
    ):
        return None
    order = one.order | other.order
    before: dict[str, set[str]] = {name: set() for name in (*ours, *theirs)}
    for name, following in order:
        before[following].add(name)
    try:
        names = tuple(TopologicalSorter(before).static_order())
    except CycleError:
        return None
    both = theirs | ours
    return _short_enough(Form(tuple(both[name] for name in names), one.closing, order))


def _short_enough(form: Form) -> Form | None:
    size = sum(step.before.size for step in form.steps if step.required) + form.closing.size
    return form if size <= FORM_BYTES_MAX else None


def _is_text(name: str) -> bool:
    return name in TEXTS or name == "time"


def _takes(name: str, value: bytes) -> bool:
    """Whether the field is one that is known, and may have such a value."""
    if name in CHOICES:
        return value in [word.text for word, _ in CHOICES[name]]
    if name in COUNTS:
        return value[:1] != b'"'
    return name in REQUIRED and value.startswith(b'"') == _is_text(name)


def runs(steps: Sequence[Step], names: Sequence[str]) -> list[tuple[str, ...]]:
    """The names, those together that follow each other directly."""
    stretches = groupby((step.name for step in steps), key=lambda name: name in names)
    return [tuple(stretch) for wanted, stretch in stretches if wanted]


class _Reading:
    """Where each event is read next, and what was read of it so far.

    Events that are of another form are left behind as soon as they are many: most show it early.
    """

    def __init__(self, buffer: Buffer, starts: Ints, ends: Ints) -> None:
        self._buffer = buffer
        self.rows = np.arange(len(starts))
        self.place, self.ends = starts.copy(), ends
        self.good: Flags = np.ones(len(starts), np.bool_)
        self.time_us = starts
        self.numbers: dict[str, Ints] = {}
        self._edges: dict[str, Spans] = {}

    def span(self, names: Sequence[str]) -> Spans:
        """From the first byte of a name's value to the last byte of another's.

        Of events of another form it is empty: whatever is there may lie far beyond the buffer.
        """
        start, end = self._edges[names[0]][0], self._edges[names[-1]][1]
        return np.where(self.good, start, 0), np.where(self.good, end - start, 0)

    def find(self, text: Literal, optional: Sequence[Step]) -> None:
        """Go behind a text that all events have here, some of them after fields that they have."""
        here = text.at(self._buffer, self.place)
        rows = np.flatnonzero(self.good & ~here)
        for step in optional:
            if not len(rows):
                break
            having = rows[step.before.at(self._buffer, self.place[rows])]
            if len(having):
                self.place[having] += step.before.size
                self._read_some(step.name, having)
                here[having] = text.at(self._buffer, self.place[having])
                rows = rows[self.good[rows] & ~here[rows]]
        self.good &= here
        self.place += text.size
        if np.count_nonzero(self.good) < NARROWED_BELOW * len(self.good):
            self._narrow(np.flatnonzero(self.good))

    def _narrow(self, kept: Ints) -> None:
        self.rows, self.place, self.ends = self.rows[kept], self.place[kept], self.ends[kept]
        self.good, self.time_us = self.good[kept], self.time_us[kept]
        self.numbers = {name: column[kept] for name, column in self.numbers.items()}
        self._edges = {
            name: (starts[kept], ends[kept]) for name, (starts, ends) in self._edges.items()
        }

    def read(self, name: str) -> None:
        """Read the value of a field that all events have."""
        if _is_text(name):
            self._read_text(name)
        elif name in AMOUNTS:
            self.numbers[name], self.place, valid = whole_numbers(self._buffer, self.place)
            self.good &= valid
        else:
            self._read_some(name, np.flatnonzero(self.good))

    def _read_text(self, name: str) -> None:
        start = self.place
        if name == "time":
            self.time_us, end, valid = times_us(self._buffer, start)
            self.good &= valid
        else:
            words = ID_WORDS if name == "id" else NAME_WORDS
            longest = MODEL_LENGTH_MAX if name == "model" else NAME_LENGTH_MAX
            end = text_ends(self._buffer, start, words, longest)
            self.good &= (end > start) & (end - start <= longest)
        self._edges[name] = start, end
        self.good &= self._buffer.bytes_at(end) == QUOTE
        self.place = end + 1

    def _read_some(self, name: str, rows: Ints) -> None:
        """Read a field that may be missing, of the events that have it."""
        if name in COUNTS:
            self._read_counts(name, rows)
        else:
            self._read_choices(name, rows)

    def _read_counts(self, name: str, rows: Ints) -> None:
        places = self.place[rows]
        counts, ends, valid = whole_numbers(self._buffer, places)
        if not valid.all():
            null = NULL.at(self._buffer, places)
            self.good[rows] &= valid | null
            counts = np.where(valid, counts, 0)
            ends = np.where(null, places + NULL.size, ends)
        self.place[rows] = ends
        if name != NOT_METERED:
            self._column(name)[rows] = counts

    def _read_choices(self, name: str, rows: Ints) -> None:
        for word, meaning in CHOICES[name]:
            if not len(rows):
                return
            here = word.at(self._buffer, self.place[rows])
            chosen, rows = rows[here], rows[~here]
            self.place[chosen] += word.size
            if meaning is not None and len(chosen):
                column, number = meaning
                self._column(column)[chosen] = number
        self.good[rows] = False

    def _column(self, name: str) -> Ints:
        if name not in self.numbers:
            self.numbers[name] = np.zeros(len(self.place), np.int64)
        return self.numbers[name]

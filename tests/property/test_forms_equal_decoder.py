"""Events of other writers, read many at a time, say what the decoder finds in each of them alone.

A writer has its own order of keys, its own spaces, and its own way to say nothing: a field is
missing, or null. `decoding.forms` learns each from what comes, so everything is decoded several
times by one decoder: when nothing is learnt, and when forms and labels are.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from schemas.wire import UncheckedEvent, decode_many
from services.aggregator.arrays.frames import frames_of
from services.aggregator.decoding import columns as decoding
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.forms import CHOICES, COUNTS, REQUIRED, learn
from services.aggregator.decoding.known_forms import TRIED_MIN
from services.aggregator.decoding.labels import Labels
from tests.property.each_alone import assert_decoded_as_each_alone, scattered
from tests.property.record_texts import (
    BYTE_MUTATIONS,
    FIELD_MUTATIONS,
    Fields,
    plain_fields,
)

SPACES = (b"", b"", b" ", b"\n  ", b"\t", b"\r\n")
NULLABLE = (*(name.encode() for name in sorted(COUNTS)), b"service_tier", b"adjusts", b"reason")


@dataclass(frozen=True)
class Writer:
    """How one program writes events."""

    order: dict[bytes, int]
    opening: bytes
    comma: bytes
    colon: bytes
    closing: bytes
    #: Which fields it writes although there is nothing to say.
    nulls: frozenset[bytes]
    says_usage: bool

    @classmethod
    def drawn(cls, chance: Random) -> Writer:
        names = [b"id", b"source", b"tenant", b"time", b"region", b"provider", b"model"]
        names += [b"input_tokens", b"output_tokens", b"status", b"quality", b"entry", *NULLABLE]
        chance.shuffle(names)

        def spaced(text: bytes) -> bytes:
            return chance.choice(SPACES) + text + chance.choice(SPACES)

        return cls(
            {name: place for place, name in enumerate(names)},
            spaced(b"{"),
            spaced(b","),
            spaced(b":"),
            spaced(b"}"),
            frozenset(chance.sample(NULLABLE, k=chance.choice((0, 0, 3, 8)))),
            chance.random() < 0.3,
        )

    def fields(self, chance: Random) -> Fields:
        """An event as this writer orders it."""
        fields = plain_fields(chance)
        said = {name for name, _ in fields}
        fields += [(name, b"null") for name in self.nulls if name not in said]
        if self.says_usage:
            fields.append((b"entry", b'"usage"'))
        return sorted(fields, key=lambda field: self.order[field[0]])

    def write(self, fields: Fields) -> bytes:
        pairs = (b'"' + name + b'"' + self.colon + value for name, value in fields)
        return self.opening + self.comma.join(pairs) + self.closing


def decode_all(values: list[bytes], chance: Random) -> None:
    """Decode with nothing learnt, with forms learnt, and with all labels as well."""
    labels = Labels()
    decoder, half = Decoder(labels), Decoder(labels)
    half.decode(frames_of(values[::2]))
    close = frames_of(values)
    ways = [(decoder, scattered(values, chance)), (decoder, close), (decoder, close), (half, close)]
    assert_decoded_as_each_alone(values, ways, labels)


@pytest.mark.parametrize("seed", range(30))
def test_events_of_some_writers(seed: int) -> None:
    chance = Random(seed)
    writers = [Writer.drawn(chance) for _ in range(chance.choice((1, 2, 5)))]
    values = []
    for _ in range(300):
        writer = chance.choice(writers)
        values.append(writer.write(writer.fields(chance)))
    decode_all(values, chance)


@pytest.mark.parametrize("seed", range(30))
def test_events_changed_anywhere(seed: int) -> None:
    chance = Random(1000 + seed)
    writers = [Writer.drawn(chance) for _ in range(2)]
    values = []
    for _ in range(400):
        writer = chance.choice(writers)
        fields, dice = writer.fields(chance), chance.random()
        if dice < 0.2:
            chance.choice(FIELD_MUTATIONS)(fields, chance)
        value = writer.write(fields)
        values.append(chance.choice(BYTE_MUTATIONS)(value, chance) if 0.2 < dice < 0.4 else value)
    decode_all(values, chance)


@pytest.mark.parametrize("seed", range(10))
def test_all_of_a_form_are_read_at_once_when_it_is_known(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)
    writer = Writer.drawn(chance)
    # Events that begin with another field are of another form.
    writer.order[b"time"] = -1
    kinds = {*writer.nulls, *chance.sample(NULLABLE, k=4)}

    def said() -> bytes:
        fields = writer.fields(chance)
        optional = {name for name, _ in fields if name in NULLABLE}
        return writer.write([field for field in fields if field[0] not in optional - kinds])

    values = [said() for _ in range(2000)]
    decoder, one_by_one = Decoder(Labels()), []

    def counted(records: list[bytes], **options: Any) -> Any:
        one_by_one.append(len(records))
        return decode_many(records, **options)

    monkeypatch.setattr(decoding, "decode_many", counted)
    for _ in range(15):
        decoder.decode(frames_of(values))
    assert one_by_one[0] == len(values)
    assert len(one_by_one) < 15 or one_by_one[-1] < 2 * TRIED_MIN, one_by_one


def test_every_field_of_the_schema_may_stand_in_a_form() -> None:
    assert REQUIRED | COUNTS | CHOICES.keys() == set(UncheckedEvent.__struct_fields__)


def test_what_has_no_form() -> None:
    event = (
        b'{"id": "1", "source": "s", "tenant": "t", "time": "2026-03-15T12:00:00Z", "region": "r",'
        b' "provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 2}'
    )
    form = learn(event)
    assert form is not None and [step.name for step in form.steps][-1] == "output_tokens"
    for part, other in (
        (b'"id": "1"', b'"id": "1", "id": "2"'),
        (b'"id": "1"', b'"id": "\\u0031"'),
        (b'"id": "1"', b'"\\u0069d": "1"'),
        (b'"id": "1", ', b""),
        (b"2}", b'2, "adjusts": "1"}'),
        (b"2}", b'2, "more": 1}'),
        (b"2}", b"2.0}"),
        (b"2}", b"2} x"),
        (b'"id": "1"', b'"id":' + b" " * 700 + b'"1"'),
        (b"{", b"\xef\xbb\xbf{"),
    ):
        assert part in event and learn(event.replace(part, other)) is None, other

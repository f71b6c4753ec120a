"""Reading events many at a time finds what the decoder finds in each of them alone.

`decoding.canonical` is a shortcut around `schemas.wire`, so it must never say anything else; and
`decoding.columns` must say the same of a record whatever stands around it, and whatever it has
learnt before. Records are written as text, because what tells two readers apart is mostly a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from bench.generator import Load, blocks
from schemas import wire
from schemas.event_rules import DURATION_MS_MAX, TOKENS_MAX
from schemas.price_class import SERVICE_TIERS
from schemas.usage_event import UsageEvent
from schemas.wire import UncheckedEvent, WireEvent, decode_many, decode_unchecked
from services.aggregator.arrays.frames import Frames, frames_of
from services.aggregator.core.timing import EPOCH
from services.aggregator.decoding import columns as decoding
from services.aggregator.decoding.canonical import CLOSER, SUBSETS, read
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.ingest.adapters.native import adapt
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import NO_LIMITS, KeyUse
from services.ingest.native_batches import record_of_object
from services.ingest.records import to_record
from tests.property.each_alone import (
    MICROSECOND,
    assert_decoded_as_each_alone,
    each_alone,
    scattered,
)
from tests.property.record_texts import (
    EDITS,
    EVENT,
    LABELS,
    LENGTHS,
    NAMES,
    ODD,
    PLAIN,
    plain_fields,
    record,
    written,
)
from tests.versions.effort import examples


def count_good(values: Sequence[bytes | None], frames: Frames) -> int:
    """Assert that all that is read at once is what the decoder reads; count it."""
    found = read(frames.buffer, frames.starts, frames.ends)
    data = frames.buffer.data

    def texts(spans: tuple[Any, Any], row: int) -> bytes:
        start, length = int(spans[0][row]), int(spans[1][row])
        assert frames.starts[row] <= start <= start + length <= frames.ends[row]
        return data[start : start + length]

    rows = np.flatnonzero(found.good).tolist()
    for row in rows:
        value = values[row] or b""
        event = decode_unchecked(value)
        assert int(found.time_us[row]) == (event.time - EPOCH) // MICROSECOND, value
        numbers = {name: int(column[row]) for name, column in found.numbers.items()}
        assert numbers.pop("input_tokens") == event.input_tokens, value
        assert numbers.pop("output_tokens") == event.output_tokens, value
        assert numbers.pop("failed", 0) == (event.status == "error"), value
        assert numbers.pop("estimated", 0) == (event.quality == "estimated"), value
        tier = numbers.pop("service_tier", 0)
        assert (None, *SERVICE_TIERS)[tier] == event.service_tier, value
        for name in (*SUBSETS, *CLOSER):
            assert numbers.pop(name, 0) == (getattr(event, name) or 0), value
        assert not numbers
        assert (event.entry, event.adjusts, event.reason) == ("usage", None, None), value
        assert texts(found.ids, row) == event.id.encode()
        assert texts(found.gateways[0], row) == f'{event.source}","tenant":"{event.tenant}'.encode()
        assert (
            texts(found.series[0], row)
            == f'{event.region}","provider":"{event.provider}","model":"{event.model}'.encode()
        )
    return len(rows)


def assert_same(values: Sequence[bytes | None], chance: Random) -> int:
    """Everything that must hold for records, together; says how many were read at once."""
    close, apart = frames_of(values), scattered(values, chance)
    good = count_good(values, close)
    assert count_good(values, apart) == good
    # With nothing learnt, with everything, and with half of it.
    labels = Labels()
    fresh, halfway = Decoder(labels), Decoder(labels)
    halfway.decode(frames_of(values[::2]))
    assert_decoded_as_each_alone(values, [(fresh, apart), (fresh, close), (halfway, close)], labels)
    return good


# (a) What `schemas.wire.encode` writes.


def moments(first_year: int, last_year: int) -> st.SearchStrategy[datetime]:
    """Times with six, three or no digits behind the second that are not 0."""
    first, end = (datetime(year, 1, 1, tzinfo=UTC) - EPOCH for year in (first_year, last_year + 1))
    return st.builds(
        lambda micros, step: EPOCH + micros // step * step * MICROSECOND,
        st.integers(first // MICROSECOND, end // MICROSECOND - 1),
        st.sampled_from([1, 1000, 1_000_000]),
    )


#: The decoder takes times that are out of range too; that is found later (`core.judging`).
MOMENT: Final = moments(2000, 2099) | moments(1999, 2101)
NAME: Final = st.one_of(
    st.sampled_from([label[1:-1].decode() for label in LABELS]),
    st.text(PLAIN, min_size=1, max_size=129),
    st.builds(lambda char, count: char * count, st.sampled_from(PLAIN), st.sampled_from(LENGTHS)),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=129),
    st.text('"\\/\0\b\n\x1f\x7f\x80éa€😀', min_size=1, max_size=20),
)
TOKENS: Final = st.one_of(
    st.integers(0, 20), st.integers(0, TOKENS_MAX), st.sampled_from([9_999_999, 10_000_000])
)
REQUIRED: Final = {
    **{name.decode(): NAME for name in NAMES},
    **{"time": MOMENT, "input_tokens": TOKENS, "output_tokens": TOKENS},
}
MAYBE: Final = {
    **dict.fromkeys(SUBSETS, st.none() | TOKENS),
    "status": st.sampled_from(["ok", "error"]),
    "quality": st.sampled_from(["measured", "estimated"]),
    "duration_ms": st.none() | st.integers(0, DURATION_MS_MAX),
    "service_tier": st.none() | st.sampled_from(SERVICE_TIERS),
    **dict.fromkeys(CLOSER, st.none() | TOKENS),
}
ADJUSTING: Final = {
    **{"entry": st.sampled_from(["usage", "debit"]), "adjusts": st.none() | NAME, "reason": NAME},
}


def encoded(fields: dict[str, Any], as_model: bool) -> bytes:
    """Encode an event for the log, as ingest does; one that is not valid, just as it is."""
    try:
        return wire.encode(model(fields) if as_model else WireEvent(**fields))
    except ValueError:
        return msgspec.json.encode(UncheckedEvent(**fields))


def model(fields: dict[str, Any]) -> UsageEvent:
    return UsageEvent(**(fields | {"time": fields["time"].isoformat()}))


@given(
    st.lists(
        st.builds(
            encoded,
            st.fixed_dictionaries(REQUIRED, optional=MAYBE)
            | st.fixed_dictionaries(REQUIRED, optional=MAYBE | ADJUSTING),
            as_model=st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 2**32),
)
@settings(max_examples=examples(120), deadline=None)
def test_what_is_written_for_the_log(values: list[bytes], seed: int) -> None:
    chance = Random(seed)
    values += chance.choices(values, k=2)
    chance.shuffle(values)
    assert_same(values, chance)


# (b) Whatever else may stand on the log.


@given(st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=examples(120), deadline=None)
def test_a_few_records_changed_anywhere(chance: Random, count: int) -> None:
    assert_same([record(chance) for _ in range(count)], chance)


@pytest.mark.parametrize("seed", range(8))
def test_many_records_changed_anywhere(seed: int) -> None:
    chance = Random(seed)
    values = [record(chance) for _ in range(2000)]
    good = assert_same(values, chance)
    valid = len(each_alone(values)[1])
    assert 500 < good < valid < 1500, "enough of each kind to tell them apart"


def test_every_odd_value_in_every_field() -> None:
    chance = Random(1)
    values: list[bytes | None] = []
    for shape in range(4):
        while len(base := plain_fields(chance)) != 9 + 2 * shape:
            pass
        for name, odd in ODD.items():
            for text in odd:
                fields = [(key, text if key == name else value) for key, value in base]
                if name not in dict(base):
                    fields.append((name, text))
                values.append(written(fields))
    assert 50 < assert_same(values, chance) < len(values) // 2


#: Everything that the canonical form has, and the least.
WHOLE: Final = (
    b'{"id":"0b54","source":"gw-1","tenant":"acme","time":"2026-03-15T12:34:56.250Z","region":"eu",'
    b'"provider":"p","model":"m-1","input_tokens":1250,"output_tokens":80,'
    b'"cache_read_input_tokens":100,"cache_write_input_tokens":0,"reasoning_output_tokens":64,'
    b'"status":"error","quality":"estimated","duration_ms":950}'
)
LEAST: Final = (
    b'{"id":"0","source":"g","tenant":"a","time":"2024-02-29T23:59:59Z","region":"e",'
    b'"provider":"p","model":"m","input_tokens":0,"output_tokens":0}'
)
#: The least, and what few events say.
CLOSEST: Final = (
    LEAST[:-1] + b',"service_tier":"priority","cache_write_1h_input_tokens":7,'
    b'"audio_output_tokens":5,"web_searches":31,"pages":2}'
)


@pytest.mark.parametrize(
    ("record", "names_bytes"),
    [(WHOLE, 18), (LEAST, 6), (CLOSEST, 6)],
    ids=["whole", "least", "closest"],
)
def test_every_byte_changed_to_every_other_left_out_and_put_in(
    record: bytes, names_bytes: int
) -> None:
    good = 0
    for at in range(len(record)):
        before, after = record[:at], record[at + 1 :]
        values = [before + bytes([byte]) + after for byte in range(256)]
        # Any byte may stand in the middle of a token; of those put in, these make a difference.
        values += [before + byte + record[at:] for byte in EDITS]
        values += [before, before + after, before + record[at : at + 1] * 2 + after]
        good += count_good(values, frames_of(values))
    assert good > 94 * names_bytes, "of all bytes in names, those that stand for themselves"


# That the quick way is taken at all.


def all_good(values: Sequence[bytes]) -> bool:
    return count_good(values, frames_of(values)) == len(values)


def test_the_load_of_the_benchmarks_is_read_at_once() -> None:
    (block,) = blocks(Load(events=2000, end_ms=1_773_576_000_000))
    assert all_good(block.values)
    assert assert_same(block.values, Random(1)) == 2000


def test_what_is_learnt_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[int] = []

    def counted(records: Sequence[bytes], *, finer_times: bool) -> Any:
        alone.append(len(records))
        return decode_many(records, finer_times=finer_times)

    (block,) = blocks(Load(events=2000, end_ms=1_773_576_000_000, tenants=10, models=5))
    monkeypatch.setattr(decoding, "decode_many", counted)
    decoder = Decoder(Labels())
    decoder.decode(frames_of(block.values[:1000]))
    assert alone == [1000]
    decoder.decode(frames_of(block.values[1000:]))
    assert alone == [1000], "all labels were met before, so none is left to the decoder"
    decoder.decode(frames_of([*block.values, EVENT, b"{"]))
    assert alone == [1000, 2]


PLAIN_EVENT: Final[dict[str, Any]] = {
    "id": "018f3c5e-7b1a-7c3d-9e4f-5a6b7c8d9e0f",
    "source": "litellm-eu-1",
    "tenant": "acme",
    "time": datetime(2026, 3, 15, 12, 0, 0, 250_000, UTC),
    "region": "eu-central",
    "provider": "aws.bedrock",
    "model": "anthropic/claude-sonnet-4.5@eu",
    "input_tokens": 1250,
    "output_tokens": 80,
}


@pytest.mark.parametrize(
    "more",
    [
        *({}, {"time": datetime(2026, 3, 15, 12, tzinfo=UTC)}, {"status": "error"}),
        *({"cache_read_input_tokens": 7}, {"cache_write_input_tokens": 0}, {"duration_ms": 950}),
        *({"reasoning_output_tokens": 64}, {"quality": "estimated"}, {"id": "x" * 128}),
        *({"input_tokens": 9_999_999}, {"output_tokens": 0}, {"model": "m\x7f"}),
        *({"service_tier": tier} for tier in SERVICE_TIERS),
        *({"web_searches": 0}, {"pages": 9_999_999}, {"audio_input_tokens": 5}),
        {
            **dict.fromkeys(SUBSETS, 3),
            **{"status": "error", "quality": "estimated", "duration_ms": 9_999_999},
            **dict.fromkeys(CLOSER, 1),
            "service_tier": "reserved",
        },
    ],
    ids=lambda more: ",".join(more) or "plain",
)
def test_ordinary_events_are_read_at_once(more: dict[str, Any]) -> None:
    fields = {**PLAIN_EVENT, **more}
    assert all_good([wire.encode(model(fields)), wire.encode(WireEvent(**fields))])


def test_what_is_left_to_the_decoder() -> None:
    others: list[dict[str, Any]] = [
        *({"id": "é"}, {"model": 'm"'}, {"source": "a\\b"}, {"input_tokens": 10_000_000}),
        *({"characters": 10_000_000},),
        {"entry": "debit", "adjusts": "a", "reason": "r"},
    ]
    values = [wire.encode(WireEvent(**{**PLAIN_EVENT, **more})) for more in others]
    assert count_good(values, frames_of(values)) == 0
    assert_same(values, Random(1))


def test_valid_examples_are_read_as_the_decoder_reads_them() -> None:
    paths = (Path(schemas.__file__).with_name("examples") / "valid").glob("*.json")
    events = [wire.decode(path.read_bytes()) for path in paths]
    values = [wire.encode(event) for event in events]
    plain = [
        event.entry == "usage"
        and max(n for n in msgspec.structs.astuple(event) if isinstance(n, int)) < 10_000_000
        and b"\\" not in value
        and value.isascii()
        for event, value in zip(events, values, strict=True)
    ]
    assert assert_same(values, Random(1)) == sum(plain) > len(values) // 2


#: What a key says fills in what an event leaves out.
KEYS: Final = [
    KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", provider=provider)
    for provider in ("openai", None)
]


@pytest.mark.parametrize("entry", KEYS, ids=["key with provider", "key without"])
@pytest.mark.parametrize("names_labels", [True, False], ids=["labels named", "labels left out"])
def test_what_ingest_writes_of_native_events_is_read_at_once(
    entry: KeyEntry, names_labels: bool
) -> None:
    fields = PLAIN_EVENT | {"provider": "openai", "model": "gpt-4.1"}
    fields |= {"pages": 2, "service_tier": "flex", "audio_input_tokens": 7, "duration_ms": 5}
    if not names_labels:
        del fields["tenant"], fields["region"]
    body = msgspec.json.encode(fields)
    quick = record_of_object(body, Key(entry, KeyUse(NO_LIMITS, 0.0)))
    assert quick is not None
    assert all_good([quick[0]["value"], to_record(adapt(body, entry))["value"]])

"""What the bytes of records say, and that knowing it ahead changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event_rules import TIME_MAX, TIME_MIN
from schemas.measures import MEASURES, USUAL
from schemas.metering_rules import DAY_MS, MINUTE_MS, MeteringRules
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.wire import UncheckedEvent, decode_many, decode_unchecked, encode
from schemas.wire import decode as wire_decode
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.narrow import widened
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState, Snapshot
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import EPOCH, RuleBook, epoch_ms
from services.aggregator.decoding import columns as decoding
from services.aggregator.decoding.amounts import times_us
from services.aggregator.decoding.columns import (
    COLUMNS,
    NARROW,
    Decoded,
    Decoder,
    Failure,
    joined,
)
from services.aggregator.decoding.labels import Labels
from tests.property.world import T0_MS, event


def compact(value: bytes) -> bytes:
    """The same event in the form that Wattoken writes, which is read many at a time."""
    return encode(wire_decode(value))


#: What was written to a cache, and for how long it is kept.
WRITTEN = {"cache_write_input_tokens": 4, "cache_write_1h_input_tokens": 3}
VALUES = (
    event(1, T0_MS, 10),
    event(2, T0_MS - 6 * MINUTE_MS, 20),
    b"{",
    None,
    event(3, T0_MS - 36 * DAY_MS, 40),
    event(4, T0_MS, -1),
    event(1, T0_MS, 10),
    event(5, T0_MS, 7, entry="debit", adjusts="id-1", reason="metered twice"),
    event(6, T0_MS, 7, entry="debit"),
    event(7, T0_MS, 7, cache_read_input_tokens=8, status="error"),
    event(8, T0_MS, 7, cache_read_input_tokens=3, quality="estimated"),
    compact(event(1, T0_MS, 10)),
    compact(event(9, T0_MS, 9, cache_read_input_tokens=3, status="error", quality="estimated")),
    b"{}",
    compact(event(10, T0_MS - 6 * MINUTE_MS, 5, reasoning_output_tokens=1)),
    event(11, T0_MS, 9, service_tier="batch", audio_input_tokens=2, web_searches=3),
    compact(event(12, T0_MS, 6, service_tier="flex", **WRITTEN, pages=2)),
    event(13, T0_MS, 7, cache_write_5m_input_tokens=1),
    event(14, T0_MS, 8),
)


def decode(values: Sequence[bytes | None], labels: Labels) -> Decoded:
    """Decode values with nothing remembered."""
    return Decoder(labels).decode(frames_of(values))


def read(time: str) -> UncheckedEvent:
    return decode_unchecked(event(1, T0_MS, 1, time=time))


def assert_same(one: Decoded, other: Decoded) -> None:
    assert one.count == other.count
    assert one.failures == other.failures
    for name in COLUMNS:
        column, expected = getattr(one, name), getattr(other, name)
        if name in NARROW:
            # However much was left out that is 0 everywhere.
            column, expected = widened(column, len(MEASURES)), widened(expected, len(MEASURES))
        assert column.shape == expected.shape and column.dtype == expected.dtype, name
        assert (column == expected).all(), name


def test_says_which_records_are_events_and_why_the_others_are_none() -> None:
    decoded = decode(VALUES, Labels())
    assert decoded.count == len(VALUES)
    assert decoded.places.tolist() == [0, 1, 4, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18]
    assert [(failure.index, failure.code) for failure in decoded.failures] == [
        (2, "invalid_json"),
        (3, "invalid_json"),
        (5, "invalid_event"),
        (13, "invalid_event"),
    ]
    inputs = [10, 20, 40, 10, 7, 7, 7, 7, 10, 9, 5, 9, 6, 7, 8]
    assert decoded.measures[:, 2].tolist() == inputs
    assert decoded.measures[9].tolist() == [1, 1, 9, 3, 0, 1, 0, 10, *[0] * 8]
    assert decoded.measures[11].tolist() == [1, 0, 9, 0, 0, 1, 0, 0, 0, 0, 2, *[0] * 5]
    assert decoded.measures[12].tolist() == [1, 0, 6, 0, 4, 1, 0, 0, 0, 3, *[0] * 6]
    assert decoded.adjusting.tolist() == [False] * 4 + [True] * 2 + [False] * 9
    tiers = SERVICE_TIERS.index("batch") + 1, SERVICE_TIERS.index("flex") + 1
    assert decoded.tiers.tolist() == [0] * 11 + [*tiers, 0, 0]
    events, units = np.nonzero(decoded.units)
    assert [(int(event), UNITS[unit]) for event, unit in zip(events, units, strict=True)] == [
        (11, "web_searches"),
        (12, "pages"),
    ]
    assert decoded.units[events, units].tolist() == [3, 2]


def test_what_few_events_say_takes_no_room_where_none_says_it() -> None:
    decoded = decode(VALUES[:15], Labels())
    assert decoded.measures.shape == (11, USUAL)
    assert decoded.units.shape == (11, 0)


def test_identities_are_alike_where_the_events_are() -> None:
    decoded = decode(VALUES, Labels())
    assert decoded.identities.shape == (len(decoded.places), 2)
    pairs = [tuple(pair) for pair in decoded.identities.tolist()]
    assert pairs[0] == pairs[3] == pairs[8], "sent again, and written in another way"
    assert len(set(pairs)) == len(pairs) - 2


@pytest.mark.parametrize("most", [0, 1, 1000])
def test_however_much_a_decoder_remembers_it_says_the_same(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "GATEWAYS_MAX", most)
    labels = Labels()
    decoder, expected = Decoder(labels), decode(VALUES, labels)
    seeds = []
    for _ in range(3):
        assert_same(decoder.decode(frames_of(VALUES)), expected)
        for start in range(len(VALUES)):
            part = frames_of(VALUES[start : start + 2])
            assert_same(decoder.decode(part), expected.cut(start, min(start + 2, len(VALUES))))
        others = [compact(event(n, T0_MS, n, tenant=f"t-{n}", source=f"s-{n}")) for n in range(9)]
        seeds.append(decoder.decode(frames_of(others)).identities.tolist())
    assert seeds[0] == seeds[1] == seeds[2]


@pytest.mark.parametrize(("most", "decoded_alone"), [(8, [9, 9, 9]), (9, [9, 0, 0])])
def test_beyond_so_many_gateways_everything_is_learnt_anew(
    most: int, decoded_alone: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[int] = []

    def counted(records: Sequence[bytes], *, finer_times: bool) -> Any:
        alone.append(len(records))
        return decode_many(records, finer_times=finer_times)

    monkeypatch.setattr(decoding, "GATEWAYS_MAX", most)
    monkeypatch.setattr(decoding, "decode_many", counted)
    decoder = Decoder(Labels())
    values = [compact(event(1, T0_MS, 1, source=f"gateway-{number}")) for number in range(9)]
    found = []
    for _ in range(3):
        before = len(alone)
        decoder.decode(frames_of(values))
        found.append(sum(alone[before:]))
    assert found == decoded_alone


def test_a_decoder_does_not_remember_ever_more_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "GATEWAYS_MAX", 5)
    decoder = Decoder(Labels())
    for number in range(40):
        one = compact(event(1, T0_MS, 1, source=f"gateway-{number}"))
        decoder.decode(frames_of([one]))
        assert len(decoder._gateways) <= 6


def test_nothing_to_decode() -> None:
    decoded = decode([], Labels())
    assert (decoded.count, decoded.failures, len(decoded.places)) == (0, [], 0)
    assert decoded.identities.shape == (0, 2)
    assert decode([None, b""], Labels()).places.tolist() == []


@given(st.integers(epoch_ms(TIME_MIN) * 1000, epoch_ms(TIME_MAX) * 1000 - 1))
def test_times_are_exact_to_the_microsecond(time_us: int) -> None:
    time = EPOCH + timedelta(microseconds=time_us)
    assert times_us([read(time.isoformat())]).tolist() == [time_us]


@given(st.integers(0, len(VALUES)), st.integers(0, len(VALUES)))
def test_a_part_is_what_decoding_the_part_gives(start: int, end: int) -> None:
    end = max(start, end)
    labels = Labels()
    part, alone = decode(VALUES, labels).cut(start, end), decode(VALUES[start:end], labels)
    assert_same(part, alone)


@given(st.lists(st.integers(0, len(VALUES)), min_size=1, max_size=4))
def test_joined_parts_are_the_whole(cuts: list[int]) -> None:
    labels = Labels()
    whole, edges = decode(VALUES, labels), [0, *sorted(cuts), len(VALUES)]
    again = joined([whole.cut(start, end) for start, end in pairwise(edges)])
    assert_same(again, whole)


@given(st.integers(0, len(VALUES)), st.booleans())
def test_known_ahead_or_not_the_same_is_metered(read_already: int, changing: bool) -> None:
    entries = [(0, MeteringRules())]
    if changing:
        entries.append((4, MeteringRules(too_old_ms=DAY_MS)))
    records = Records(np.arange(len(VALUES)), np.full(len(VALUES), T0_MS, np.int64), VALUES)
    labels = Labels()

    def metered(ahead: Decoded | None) -> Snapshot | None:
        state = PartitionState(
            *(0, RuleBook(tuple(entries)), Checkpoint(0, 0), SliceStore({})),
            *(SeenIds(), 0, Decoder(labels)),
        )
        state.fold(state.sift(records.cut(0, read_already)))
        state.fold(state.sift(records, ahead))
        return state.snapshot()

    alone, ahead = metered(None), metered(decode(VALUES, labels))
    assert alone is not None and ahead is not None
    assert alone.checkpoint == ahead.checkpoint
    assert alone.dead_letters == ahead.dead_letters
    for name, rows in alone.rows.items():
        assert dict(rows.items()) == dict(ahead.rows[name].items())


def test_a_failure_keeps_its_place_in_a_part() -> None:
    decoded = decode([b"{", event(1, T0_MS, 1), b"{"], Labels())
    assert decoded.cut(1, 3).failures == [Failure(1, "invalid_json", decoded.failures[1].message)]

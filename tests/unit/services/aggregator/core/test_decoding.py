"""What the bytes of records say, and that knowing it ahead changes nothing."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.metering_rules import DAY_MS, MINUTE_MS, MeteringRules
from schemas.usage_event import TIME_MAX, TIME_MIN
from schemas.wire import UncheckedEvent, decode_many
from services.aggregator.core.batch import Records
from services.aggregator.core.decoding import Decoded, Failure, decode, joined, times_us
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.labels import Labels
from services.aggregator.core.partition import Checkpoint, PartitionState, Snapshot
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import EPOCH, RuleBook, epoch_ms
from tests.property.world import T0_MS, event

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
)


def read(time: str) -> UncheckedEvent:
    ((decoded,), _) = decode_many([event(1, T0_MS, 1, time=time)])
    return decoded


def test_says_which_records_are_events_and_why_the_others_are_none() -> None:
    decoded = decode(VALUES, Labels())
    assert decoded.count == len(VALUES)
    assert decoded.places.tolist() == [0, 1, 4, 6, 7, 8, 9, 10]
    assert [(failure.index, failure.code) for failure in decoded.failures] == [
        (2, "invalid_json"),
        (3, "invalid_json"),
        (5, "invalid_event"),
    ]
    assert decoded.identities[0] == decoded.identities[3]
    assert decoded.measures[:, 2].tolist() == [10, 20, 40, 10, 7, 7, 7, 7]


@given(st.integers(epoch_ms(TIME_MIN) * 1000, epoch_ms(TIME_MAX) * 1000 - 1))
def test_times_are_exact_to_the_microsecond(time_us: int) -> None:
    time = EPOCH + timedelta(microseconds=time_us)
    assert times_us([read(time.isoformat())]).tolist() == [time_us]


@given(st.integers(0, len(VALUES)), st.integers(0, len(VALUES)))
def test_a_part_is_what_decoding_the_part_gives(start: int, end: int) -> None:
    end = max(start, end)
    labels = Labels()
    part, alone = decode(VALUES, labels).cut(start, end), decode(VALUES[start:end], labels)
    assert part.count == alone.count
    assert part.identities == alone.identities
    assert part.failures == alone.failures
    for name in ("places", "time_us", "tenants", "series", "measures", "adjusting"):
        assert (getattr(part, name) == getattr(alone, name)).all(), name


@given(st.lists(st.integers(0, len(VALUES)), min_size=1, max_size=4))
def test_joined_parts_are_the_whole(cuts: list[int]) -> None:
    labels = Labels()
    whole, edges = decode(VALUES, labels), [0, *sorted(cuts), len(VALUES)]
    again = joined([whole.cut(start, end) for start, end in pairwise(edges)])
    assert again.count == whole.count
    assert again.identities == whole.identities
    assert again.failures == whole.failures
    for name in ("places", "time_us", "tenants", "series", "measures", "adjusting"):
        assert (getattr(again, name) == getattr(whole, name)).all(), name


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
            *(SeenIds(), 0, labels),
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

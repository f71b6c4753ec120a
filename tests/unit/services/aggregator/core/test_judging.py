"""What became of each record: an event in the columns, or a dead letter that says why not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event_rules import SUBSETS, inconsistency
from schemas.metering_rules import DAY_MS, MeteringRules
from schemas.wire import UncheckedEvent, decode_unchecked
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dead_letters import PAYLOAD_BYTES_MAX
from services.aggregator.core.judging import (
    TIME_MS_END,
    TIME_MS_MIN,
    Columns,
    Judged,
    Records,
    contradictory,
    dead_letter,
    doubtful,
    judge,
    moment,
    refusal,
)
from services.aggregator.core.timing import epoch_ms
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from tests.property.world import T0_MS, event

RULES: Final = MeteringRules(too_old_ms=1000, too_new_ms=100, late_after_ms=500)
#: They refuse no time, so that only what all rules have in common does.
ANY_TIME: Final = MeteringRules(too_old_ms=200 * 365 * DAY_MS, too_new_ms=200 * 365 * DAY_MS)
FIRST_OFFSET: Final = 40


def times_of(times_ms: Sequence[int] | int, count: int) -> Ints:
    return np.broadcast_to(np.asarray(times_ms, np.int64), count)


def records_of(values: Sequence[bytes | None], append_ms: Sequence[int] | int = T0_MS) -> Records:
    offsets = np.arange(FIRST_OFFSET, FIRST_OFFSET + len(values))
    return Records(offsets, times_of(append_ms, len(values)), values)


def judged(
    values: Sequence[bytes | None],
    append_ms: Sequence[int] | int = T0_MS,
    log_ms: Sequence[int] | int | None = None,
    rules: MeteringRules = RULES,
) -> Judged:
    """Judge records at offsets from `FIRST_OFFSET` on; log time is append time if not given."""
    records = records_of(values, append_ms)
    log_times = times_of(append_ms if log_ms is None else log_ms, len(values))
    return judge(records, log_times, Decoder(Labels()).decode(frames_of(values)), rules)


def letters(found: Judged) -> list[tuple[int, str]]:
    return [(letter.offset, letter.reason) for letter in found.dead_letters]


def test_each_record_is_an_event_or_a_dead_letter() -> None:
    values = [
        b"{",
        event(1, T0_MS, 10),
        event(2, T0_MS - 1001, 20),
        None,
        event(3, T0_MS, -1),
        event(4, T0_MS + 101, 40),
        event(5, T0_MS, 50),
    ]
    found = judged(values)
    assert found.columns.offsets.tolist() == [41, 46]
    # In the order of the log, though what is no event was known before the times were judged.
    assert letters(found) == [
        (40, "invalid_json"),
        (42, "too_old"),
        (43, "invalid_json"),
        (44, "invalid_event"),
        (45, "too_new"),
    ]


def test_a_dead_letter_says_what_was_compared_and_keeps_the_record() -> None:
    value = event(1, T0_MS - 1001, 10)
    append_ms = [T0_MS + 5, T0_MS]
    (letter,) = judged([event(2, T0_MS, 1), value], append_ms, T0_MS + 9000).dead_letters
    assert (letter.offset, letter.append_ms) == (FIRST_OFFSET + 1, T0_MS)
    assert (letter.payload, letter.payload_bytes) == (value, len(value))
    assert letter.error == (
        "event time 2026-03-15T11:59:58.999000+00:00, append time 2026-03-15 12:00:00+00:00"
    )


def test_beside_what_was_refused_every_event_keeps_what_is_its_own() -> None:
    values = [
        event(1, T0_MS + 3000, 10, output_tokens=3, source="first"),
        event(2, T0_MS - 9000, 20),
        event(3, T0_MS + 5000, 40, output_tokens=5, source="third"),
    ]
    append_ms = [T0_MS + 3001, T0_MS, T0_MS + 5002]
    log_ms = [T0_MS + 4000, T0_MS + 4000, T0_MS + 6000]
    found = judged(values, append_ms, log_ms).columns
    alone = [judged([values[at]], append_ms[at], log_ms[at]).columns for at in (0, 2)]
    assert len(found) == 2
    assert found.append_ms.tolist() == [append_ms[0], append_ms[2]]
    assert found.log_ms.tolist() == [log_ms[0], log_ms[2]]
    assert found.seconds.tolist() == [T0_MS // 1000 + 3, T0_MS // 1000 + 5]
    assert found.measures[:, 2].tolist() == [10, 40]
    assert found.identities.tolist() == [one.identities[0].tolist() for one in alone]
    # Labels are numbered as they are met: the event that was refused was met, too.
    assert found.tenants.tolist() == [0, 0]
    assert found.series.tolist() == [0, 2]


def test_how_old_an_event_is_goes_by_append_time_and_how_new_by_log_time() -> None:
    old, new = event(1, T0_MS - 1000, 1), event(2, T0_MS + 100, 1)
    ahead, behind = T0_MS + 9000, T0_MS - 9000
    assert letters(judged([old, new], T0_MS, ahead)) == []
    assert letters(judged([old, new], behind, T0_MS)) == []
    assert letters(judged([old, new], ahead, T0_MS)) == [(40, "too_old"), (41, "too_old")]
    assert letters(judged([old, new], T0_MS, behind)) == [(40, "too_new"), (41, "too_new")]


def test_late_is_what_is_older_than_the_rules_say_and_still_accepted() -> None:
    ages = [501, 1001, 500, 1000, -100]
    values = [event(number, T0_MS - age, 1) for number, age in enumerate(ages)]
    # Log time, which a clock that was ahead once has run away with, makes nothing late.
    found = judged(values, log_ms=T0_MS + 9000)
    assert found.columns.offsets.tolist() == [40, 42, 43, 44]
    assert found.late.tolist() == [True, False, True, False]


def test_the_newest_event_is_the_newest_that_was_accepted() -> None:
    values = [event(1, T0_MS - 7, 1), event(2, T0_MS - 5, 1), event(3, T0_MS + 101, 1)]
    assert judged(values).newest_event_ms == T0_MS - 5
    assert judged(values[2:]).newest_event_ms == 0
    assert judged([]).newest_event_ms == 0


@pytest.mark.parametrize(
    ("time_ms", "accepted"),
    [(TIME_MS_MIN - 1, 0), (TIME_MS_MIN, 1), (TIME_MS_END - 1, 1), (TIME_MS_END, 0)],
)
def test_no_rule_lets_an_event_of_another_century_pass(time_ms: int, accepted: int) -> None:
    found = judged([event(1, time_ms, 1)], rules=ANY_TIME)
    assert len(found.columns) == accepted
    assert [letter.reason for letter in found.dead_letters] == ["invalid_event"] * (1 - accepted)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"cache_read_input_tokens": 6, "cache_write_input_tokens": 5},
            "cache_read_input_tokens + cache_write_input_tokens must not exceed input_tokens",
        ),
        (
            {"output_tokens": 3, "reasoning_output_tokens": 4},
            "reasoning_output_tokens must not exceed output_tokens",
        ),
        (
            {"cache_write_5m_input_tokens": 1},
            "cache_write_5m_input_tokens must not exceed cache_write_input_tokens",
        ),
        (
            {"audio_input_tokens": 6, "image_input_tokens": 5},
            "audio_input_tokens + image_input_tokens must not exceed input_tokens",
        ),
        (
            {"cache_read_input_tokens": 6, "audio_input_tokens": 5},
            "cache_read_input_tokens + cache_write_input_tokens + audio_input_tokens +"
            " image_input_tokens must not exceed input_tokens together (less"
            " cache_read_audio_input_tokens and cache_read_image_input_tokens): say of each token"
            " what it is priced as, once",
        ),
        ({"adjusts": "id-1"}, "adjusts and reason belong to entry debit or credit only"),
        ({"entry": "credit"}, "entry debit and credit need both adjusts and reason"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], error: str) -> None:
    found = judged([event(1, T0_MS, 10, **fields), event(2, T0_MS, 10)])
    ((reason, said),) = [(letter.reason, letter.error) for letter in found.dead_letters]
    assert (reason, said) == ("invalid_event", error)
    assert found.columns.offsets.tolist() == [41]


def test_what_just_does_not_contradict_itself_is_accepted() -> None:
    whole = {"cache_read_input_tokens": 6, "cache_write_input_tokens": 4}
    adjustment = {"entry": "debit", "adjusts": "id-1", "reason": "metered twice"}
    cached_audio = {"audio_input_tokens": 5, "cache_read_audio_input_tokens": 1}
    values = [
        event(1, T0_MS, 10, output_tokens=3, reasoning_output_tokens=3, **whole),
        event(2, T0_MS, 10, **adjustment),
        event(3, T0_MS, 10, cache_read_input_tokens=6, **cached_audio),
    ]
    assert letters(judged(values)) == []


TOKENS: Final = st.integers(0, 3)
EVENTS: Final = st.builds(
    event,
    st.integers(0, 9),
    # Around each limit: of the rules and of the years that there may be.
    st.sampled_from([T0_MS - 1000, T0_MS, T0_MS + 100, TIME_MS_MIN, TIME_MS_END]).flatmap(
        lambda edge_ms: st.integers(edge_ms - 2, edge_ms + 2)
    ),
    TOKENS,
    output_tokens=TOKENS,
    cache_read_input_tokens=TOKENS,
    cache_write_input_tokens=TOKENS,
    reasoning_output_tokens=TOKENS,
    entry=st.sampled_from(["usage", "usage", "debit", "credit"]),
    adjusts=st.sampled_from([None, "id-1"]),
    reason=st.sampled_from([None, "metered twice"]),
)


@given(EVENTS, st.integers(-2, 2), st.integers(-2, 2), st.sampled_from([RULES, ANY_TIME]))
def test_whatever_would_be_refused_is_doubted(
    value: bytes, append_after_ms: int, log_after_ms: int, rules: MeteringRules
) -> None:
    append_ms, log_ms = T0_MS + append_after_ms, T0_MS + log_after_ms
    decoded = Decoder(Labels()).decode(frames_of([value]))
    times = decoded.time_us // 1000, np.array([append_ms]), np.array([log_ms])
    if not doubtful(decoded, *times, rules).any():
        assert refusal(value, append_ms, log_ms, rules) is None


PARTS: Final = sorted({name for parts, _ in SUBSETS for name in parts})


@given(
    st.integers(0, 6),
    st.dictionaries(st.sampled_from(PARTS), st.integers(0, 4), max_size=6),
    st.booleans(),
)
def test_tokens_are_doubted_where_they_contradict_one_another_and_only_there(
    tokens: int, parts: dict[str, int], canonical: bool
) -> None:
    value = event(1, T0_MS, tokens, output_tokens=5, **{name: parts[name] for name in parts})
    if canonical:
        fields = json.loads(value)
        value = json.dumps(
            {name: fields[name] for name in UncheckedEvent.__struct_fields__ if name in fields},
            separators=(",", ":"),
        ).encode()
    # Of what is read at once, as the first is not: its names are new.
    decoder = Decoder(Labels())
    for _ in range(2):
        (doubt,) = contradictory(decoder.decode(frames_of([value])).measures)
        assert doubt == (inconsistency(decode_unchecked(value)) is not None)


def test_a_part_of_the_records_is_cut_out_of_each_sequence() -> None:
    records = records_of([b"a", None, b"c"], [5, 6, 7])
    for start, end in ((1, 2), (0, 2), (1, 3), (2, 2)):
        part = records.cut(start, end)
        assert len(part) == end - start
        assert part.offsets.tolist() == [40, 41, 42][start:end]
        assert part.append_ms.tolist() == [5, 6, 7][start:end]
        assert list(part.values) == [b"a", None, b"c"][start:end]
    # To slice values would unpack them, where they are still packed.
    assert records.cut(0, 3) is records


def test_of_columns_all_that_is_wanted_is_kept_and_nothing_copied_where_that_is_all() -> None:
    columns = judged([event(number, T0_MS, number) for number in range(3)]).columns
    assert columns.only(np.ones(3, np.bool_)) is columns
    part = columns.only(np.array([True, False, True]))
    for name in Columns.__slots__:
        whole, chosen = getattr(columns, name), getattr(part, name)
        assert chosen.tolist() == [whole[0].tolist(), whole[2].tolist()], name


def test_of_a_payload_the_beginning_is_kept_and_of_none_that_it_was_none() -> None:
    long = b"x" * PAYLOAD_BYTES_MAX + b"tail"
    records = records_of([long, None])
    first, second = (dead_letter(records, at, "invalid_json", "no JSON") for at in (0, 1))
    assert (first.payload, first.payload_bytes) == (long[:PAYLOAD_BYTES_MAX], len(long))
    assert (second.payload, second.payload_bytes) == (b"", 0)


def test_a_moment_is_exact_to_the_millisecond() -> None:
    assert moment(T0_MS + 1) == datetime(2026, 3, 15, 12, 0, 0, 1000, tzinfo=UTC)
    assert epoch_ms(moment(TIME_MS_END - 1)) == TIME_MS_END - 1

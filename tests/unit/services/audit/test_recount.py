"""The recount's rules at their edges, record by record."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.metering_rules import DAY_MS, HOUR_MS, MINUTE_MS, MeteringRules
from services.audit.event import MEASURES
from services.audit.recount import CLOCK_STEP_MS, Limits, Recount, SliceKey

#: Noon of 2026-03-15, in milliseconds.
NOON = 1_773_576_000_000
RULES = MeteringRules(dedup_horizon_ms=DAY_MS)
#: So long an id makes duplicates.
WITHIN_MS = DAY_MS + CLOCK_STEP_MS
REGISTER = SliceKey("register", 0, "", "usage", "eu", "p", "m")


def record(id_: str = "a", time_ms: int = NOON, **fields: Any) -> bytes:
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).isoformat()
    event: dict[str, Any] = {"id": id_, "source": "s", "tenant": "t", "time": text, "region": "eu"}
    event |= {"provider": "p", "model": "m", "input_tokens": 7, "output_tokens": 3, **fields}
    return json.dumps(event).encode()


def recount(
    checkpoint: int = 1_000,
    first: int = 0,
    rules: list[tuple[int, MeteringRules]] | None = None,
    versions: dict[SliceKey, int] | None = None,
) -> Recount:
    return Recount(
        rules or [(0, RULES)],
        Limits(first, checkpoint, versions or {}),
        lambda family, window: True,
        lambda digest, offset, log_ms: None,
    )


def counts(one: Recount) -> tuple[int, int, int]:
    return one.counts.accepted, one.counts.duplicate, sum(one.counts.rejected.values())


@pytest.mark.parametrize(
    ("age_ms", "reason", "late"),
    [
        (RULES.late_after_ms, None, 0),
        (RULES.late_after_ms + 1, None, 1),
        (RULES.too_old_ms, None, 1),
        (RULES.too_old_ms + 1, "too_old", 0),
        (-RULES.too_new_ms, None, 0),
        (-RULES.too_new_ms - 1, "too_new", 0),
    ],
)
def test_time_rules(age_ms: int, reason: str | None, late: int) -> None:
    one = recount()
    one.read(5, NOON + age_ms, record())
    assert one.letters == ({} if reason is None else {5: reason})
    assert one.counts.late == late
    assert one.counts.received == 1


def test_what_is_no_event_is_a_letter() -> None:
    one = recount()
    for offset, value in enumerate((None, b"", b"no json", b"{}", record(input_tokens=-1))):
        one.read(offset, NOON, value)
    assert one.letters == dict.fromkeys(range(5), "invalid")
    assert counts(one) == (0, 0, 5)


@pytest.mark.parametrize(("later_ms", "duplicates"), [(WITHIN_MS - 1, 1), (WITHIN_MS, 0)])
def test_the_horizon_to_the_millisecond(later_ms: int, duplicates: int) -> None:
    one = recount()
    one.read(0, NOON, record())
    one.read(1, NOON + later_ms, record())
    assert counts(one) == (2 - duplicates, duplicates, 0)


def test_a_duplicate_starts_the_horizon_anew_and_a_refused_event_does_not() -> None:
    one = recount()
    for offset, at_ms in enumerate((0, WITHIN_MS - 1, 2 * WITHIN_MS - 2)):
        one.read(offset, NOON + at_ms, record())
    assert counts(one) == (1, 2, 0)
    one = recount()
    one.read(0, NOON, record(time_ms=NOON + HOUR_MS))
    one.read(1, NOON + HOUR_MS, record(time_ms=NOON + HOUR_MS))
    assert counts(one) == (1, 0, 1)


def test_a_clock_that_was_a_day_ahead_changes_no_count() -> None:
    one = recount()
    one.read(0, NOON, record("a"))
    one.read(1, NOON + DAY_MS, record("b"))  # its broker's clock is a day ahead
    one.read(2, NOON + 1_000, record("a"))
    one.read(3, NOON + 1_000, record("c", NOON - RULES.too_old_ms + 1_000))
    assert counts(one) == (3, 1, 0)
    one.read(4, NOON + DAY_MS + 2_000, record("a"))  # and ahead again
    assert counts(one) == (3, 2, 0)
    # And no further back than a day and an hour.
    one = recount()
    one.read(0, NOON, record("a"))
    one.read(1, NOON + DAY_MS + CLOCK_STEP_MS, record("b"))
    one.read(2, NOON + 1_000, record("a"))
    assert counts(one) == (3, 0, 0)


def test_identities_are_tuples_not_joined_texts() -> None:
    one = recount()
    for offset, (tenant, source) in enumerate((("ab", "c"), ("a", "bc"), ("ab", "c"))):
        one.read(offset, NOON, record(tenant=tenant, source=source))
    assert counts(one) == (2, 1, 0)


def test_slices_hold_what_lies_below_their_version_or_the_checkpoint() -> None:
    versions = {REGISTER: 14}
    one = recount(checkpoint=10, versions=versions)
    for offset in range(8, 20):
        one.read(offset, NOON, record(str(offset)))
    minute = SliceKey("minute", NOON // 1000, "", "usage", "eu", "p", "m")
    hour = SliceKey("hour", NOON // 1000, "t", "usage", "eu", "p", "m")
    requests = {key: one.slices[key][0] for key in (REGISTER, minute, hour)}
    assert requests == {REGISTER: 6, minute: 2, hour: 2}
    assert one.counts.received == 2
    assert one.slices[minute][MEASURES.index("input_tokens")] == 14


def test_records_before_the_first_are_read_for_their_ids_only() -> None:
    one = recount(first=10)
    one.read(9, NOON, record())
    one.read(10, NOON, record())
    one.read(11, NOON, record("b"))
    assert counts(one) == (1, 1, 0)
    assert one.slices[REGISTER][0] == 1


def test_rules_change_at_their_offset() -> None:
    short = MeteringRules(dedup_horizon_ms=1_000)
    one = recount(rules=[(0, RULES), (2, short)])
    apart_ms = CLOCK_STEP_MS + 5_000
    one.read(0, NOON, record())
    one.read(1, NOON + apart_ms, record())
    one.read(2, NOON + 2 * apart_ms, record())
    assert counts(one) == (2, 1, 0)


def test_windows_past_a_familys_retention_are_left_out_of_it() -> None:
    rules = MeteringRules(minute_retention_ms=HOUR_MS, hour_retention_ms=DAY_MS)
    for age_ms, families in (
        (HOUR_MS - MINUTE_MS, {"register", "minute", "hour", "unit"}),
        (HOUR_MS + MINUTE_MS, {"register", "hour", "unit"}),
        (26 * HOUR_MS, {"register"}),
    ):
        one = recount(rules=[(0, rules)])
        one.read(0, NOON + age_ms, record(images=1))
        assert {key.family for key in one.slices} == families


def test_an_estimated_debit_counts_in_its_own_entry() -> None:
    one = recount()
    adjusting: dict[str, Any] = {
        "entry": "debit",
        "adjusts": "x",
        "reason": "why",
        "quality": "estimated",
    }
    one.read(0, NOON, record(status="error", reasoning_output_tokens=2, **adjusting))
    assert one.slices[REGISTER._replace(entry="debit")] == [1, 1, 7, 0, 0, 3, 2, 10, *[0] * 8]


def test_hours_are_kept_apart_by_price_class_and_units_are_counted_beside() -> None:
    banded = replace(RULES, context_thresholds=(5, 7))
    one = recount(rules=[(0, banded), (2, replace(RULES, context_thresholds=()))])
    one.read(0, NOON, record("a", service_tier="batch", web_searches=2, pages=0))
    one.read(1, NOON, record("b", input_tokens=8, image_input_tokens=3, pages=1))
    one.read(2, NOON, record("c", web_searches=4))
    hour = SliceKey("hour", NOON // 1000, "t", "usage", "eu", "p", "m")
    image = MEASURES.index("image_input_tokens")
    assert {
        key: (totals[2], totals[image])
        for key, totals in one.slices.items()
        if key.family == "hour"
    } == {
        hour._replace(service_tier="batch", context_band=5): (7, 0),
        hour._replace(context_band=7): (8, 3),
        hour: (7, 0),
    }
    unit = hour._replace(family="unit")
    assert {key: totals for key, totals in one.slices.items() if key.family == "unit"} == {
        unit._replace(unit="web_searches"): [6],
        unit._replace(unit="pages"): [1],
    }
    assert one.slices[REGISTER][2] == 22


def test_what_counts_for_other_has_no_class() -> None:
    one = recount(rules=[(0, replace(RULES, series_max=1, unused_series_max=1))])
    one.read(0, NOON, record("a", service_tier="batch"))
    one.read(
        1,
        NOON,
        record("b", service_tier="batch", model="m2", input_tokens=0, output_tokens=0, images=3),
    )
    other = SliceKey("hour", NOON // 1000, "t", "usage", "other", "other", "other")
    assert one.slices[other][0] == 1
    assert one.slices[other._replace(family="unit", unit="images")] == [3]


def test_ids_that_cannot_matter_any_more_are_forgotten() -> None:
    one = recount()
    for day in range(12):
        for number in range(10):
            time_ms = NOON + day * DAY_MS
            one.read(day * 10 + number, time_ms, record(f"{day}-{number}", time_ms))
    assert counts(one) == (120, 0, 0)
    assert len(one._seen) < 50

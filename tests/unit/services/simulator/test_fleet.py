"""The fleet: the same seed and start give the same stream, and ratios are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from schemas.metering_rules import DAY_MS, MINUTE_MS, MeteringRules
from schemas.wire import WireEvent, decode
from services.platform.errors import ConfigurationError
from services.simulator.fleet import FleetPlan, Ratios, emissions
from services.simulator.reading import (
    METERED,
    TOO_NEW,
    TOO_OLD,
    Reading,
    event_time,
    log_key,
    log_record,
)

#: A Sunday, 20:00 UTC: Monday morning in Shanghai, Sunday afternoon in New York.
START_MS = 1_773_604_800_000
PLAN = FleetPlan(seed=7, start_ms=START_MS, rate=1000, duration_seconds=20)
RULES = MeteringRules()


def test_same_plan_same_stream() -> None:
    assert list(emissions(PLAN)) == list(emissions(PLAN))


def test_other_seed_or_start_other_events() -> None:
    first = {log_key(emission.reading) for emission in emissions(PLAN)}
    for other in (replace(PLAN, seed=8), replace(PLAN, start_ms=START_MS + 1)):
        assert not first & {log_key(emission.reading) for emission in emissions(other)}


def test_stream_is_ordered_and_as_long_as_planned() -> None:
    stream = list(emissions(PLAN))
    times = [emission.at_ms for emission in stream]
    assert times == sorted(times)
    assert times[0] == START_MS
    assert times[-1] < START_MS + 20_000
    assert len({emission.number for emission in stream}) == PLAN.events == 20_000


def test_a_resend_is_its_event_once_more() -> None:
    seen: dict[int, tuple[int, Reading]] = {}
    resends = distant = 0
    for place, emission in enumerate(emissions(PLAN)):
        if emission.number in seen:
            resends += 1
            first_place, reading = seen[emission.number]
            assert emission.reading == reading
            assert reading.expected == METERED
            distant += place - first_place > 1
        else:
            seen[emission.number] = (place, emission.reading)
    # 2 % of 20,000, give or take four standard deviations; half at once, half later.
    assert resends == pytest.approx(400, abs=80)
    assert distant == pytest.approx(resends / 2, abs=60)


def test_ratios_are_kept() -> None:
    ratios = Ratios(duplicates=0, late=0.05, poison=0.05, too_old=0.05, too_new=0.05)
    counts: Counter[str] = Counter()
    for emission in emissions(replace(PLAN, ratios=ratios)):
        age_ms = emission.at_ms - emission.reading.time_ms
        late = emission.reading.expected == METERED and age_ms > RULES.late_after_ms
        counts["late" if late else emission.reading.expected] += 1
    for kind in ("late", TOO_OLD, TOO_NEW):
        assert counts[kind] == pytest.approx(1_000, abs=130), kind
    assert counts["invalid_json"] + counts["invalid_event"] == pytest.approx(1_000, abs=130)


def test_nothing_lies_near_a_limit_of_the_rules() -> None:
    """Or a delay on the way would change what the ledger expects."""
    slack_ms = 4 * MINUTE_MS
    ratios = Ratios(late=0.2, too_old=0.2, too_new=0.2)
    for emission in emissions(replace(PLAN, ratios=ratios)):
        age_ms = emission.at_ms - emission.reading.time_ms
        expected = emission.reading.expected
        if expected == METERED:
            assert abs(age_ms - RULES.late_after_ms) > slack_ms or age_ms > 10 * MINUTE_MS - 1
            assert -1 < age_ms < 10 * DAY_MS
        elif expected == TOO_OLD:
            assert age_ms >= RULES.too_old_ms + DAY_MS
        elif expected == TOO_NEW:
            assert -age_ms >= RULES.too_new_ms + 60 * MINUTE_MS


def test_every_valid_reading_is_a_valid_event() -> None:
    ratios = Ratios(adjustments=0.1)
    entries = set()
    told = set()
    for emission in emissions(replace(PLAN, ratios=ratios)):
        if emission.reading.payload is None:
            event = decode(log_record(emission.reading))
            entries.add(event.entry)
            told |= {name for name in event.__struct_fields__ if getattr(event, name)}
    assert entries == {"usage", "debit", "credit"}
    # A fleet of seconds has something of each field, so each is compared when it is audited.
    assert told == set(WireEvent.__struct_fields__)


def test_some_inputs_are_long() -> None:
    sizes = [emission.reading.input_tokens for emission in emissions(PLAN)]
    for threshold in (32_000, 100_000, 200_000, 256_000):
        assert sum(size > threshold for size in sizes) > 1


def test_a_cut_off_gateway_reports_what_it_kept_over_days_off() -> None:
    """At hours in which a working day would be at its peak."""
    ratios = Ratios(late=0.5)
    weekdays: Counter[int] = Counter()
    hours: Counter[int] = Counter()
    for emission in emissions(replace(PLAN, start_ms=START_MS - 3 * DAY_MS, ratios=ratios)):
        if emission.at_ms - emission.reading.time_ms > 2 * DAY_MS + 60_000:
            time = event_time(emission.reading.time_ms)
            weekdays[time.weekday()] += emission.reading.expected == METERED
            hours[time.hour] += emission.reading.expected == METERED
    assert {day for day, events in weekdays.items() if events} == {5, 6}
    assert min(hours[hour] for hour in range(24)) > 50


def test_poison_for_ingest_bears_no_tenant() -> None:
    plan = replace(PLAN, ratios=Ratios(poison=0.2), poison_straight=0.5)
    ways: Counter[bool] = Counter()
    for emission in emissions(plan):
        if emission.reading.payload is not None and b'"model"' in emission.reading.payload:
            ways[emission.straight] += 1
            assert (b'"tenant"' in emission.reading.payload) == emission.straight
    assert min(ways[True], ways[False]) > 100


def test_tokens_follow_the_makers_shares() -> None:
    tokens: Counter[str] = Counter()
    for emission in emissions(replace(PLAN, duration_seconds=60)):
        tokens[emission.reading.provider] += emission.reading.input_tokens
    assert tokens["deepseek"] / tokens.total() == pytest.approx(0.24, abs=0.03)


@pytest.mark.parametrize(
    "wrong", [{"late": -0.1}, {"late": 0.6, "poison": 0.6}, {"duplicates": 1.0}]
)
def test_impossible_ratios_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="ratios"):
        Ratios(**wrong)

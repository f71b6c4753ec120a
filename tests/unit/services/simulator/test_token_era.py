"""The scenario token-era: totals to the last token, plausible hours, and marked synthetic."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event_rules import TOKENS_MAX
from schemas.metering_rules import HOUR_MS
from schemas.wire import decode
from services.platform.errors import ConfigurationError
from services.simulator.profiles import MODELS
from services.simulator.reading import log_key, log_record
from services.simulator.token_era import WEEKS, TokenEraPlan, apportion, emissions

CHINESE = {"deepseek-flash", "hunyuan", "mimo", "glm-5.3", "minimax-m3", "kimi-k3", "step"}
AMERICAN = {"gpt-5.6-luna", "gemini-3.1-pro", "claude-opus-5.5", "nemotron", "grok-4.7"}
ORIGINS = {**dict.fromkeys(CHINESE, "CN"), **dict.fromkeys(AMERICAN, "US"), "qwen3.7-max": "SG"}
PLAN = TokenEraPlan(ORIGINS)


def test_each_week_has_its_totals_to_the_last_token() -> None:
    totals: Counter[tuple[str, str]] = Counter()
    for emission in emissions(PLAN):
        reading = emission.reading
        year, week, _ = datetime.fromtimestamp(reading.time_ms / 1000, UTC).isocalendar()
        home = ORIGINS.get(reading.model, "elsewhere")
        home = home if home in ("CN", "US") else "elsewhere"
        totals[f"{year}-W{week:02}", home] += reading.input_tokens + reading.output_tokens
    weeks = [f"2026-W{week:02}" for week in range(6, 12)]
    assert totals == {
        (week, home): tokens
        for week, line in zip(weeks, WEEKS, strict=True)
        for home, tokens in zip(("CN", "US", "elsewhere"), line, strict=True)
    }
    assert totals["2026-W11", "CN"] == 4_690_000_000_000


def test_china_is_ahead_in_the_last_two_weeks_only() -> None:
    assert [week.cn > week.us for week in WEEKS] == [False] * 4 + [True] * 2


def test_every_event_is_valid_marked_and_within_its_weeks() -> None:
    numbers = set()
    for emission in emissions(PLAN):
        reading = emission.reading
        event = decode(log_record(reading))
        assert event.source == "synthetic:token-era"
        assert event.input_tokens + event.output_tokens < 10**11 <= TOKENS_MAX
        assert PLAN.start_ms <= reading.time_ms < PLAN.end_ms
        numbers.add(emission.number)
    assert numbers == set(range(PLAN.events))
    assert PLAN.end_ms - PLAN.start_ms == 6 * 7 * 24 * HOUR_MS


def test_hours_regions_and_models_look_like_traffic() -> None:
    by_hour: Counter[int] = Counter()
    regions: Counter[str] = Counter()
    models: Counter[str] = Counter()
    for emission in emissions(PLAN):
        reading = emission.reading
        tokens = reading.input_tokens + reading.output_tokens
        by_hour[reading.time_ms // HOUR_MS % 24] += tokens
        regions[reading.region] += tokens
        models[reading.model] += tokens
    assert max(by_hour.values()) > 1.2 * min(by_hour.values())
    assert regions["cn-north"] > regions["sa-east"] > 0
    assert len(models) == len({profile.model for profile in MODELS})
    assert models["deepseek-flash"] == max(models.values())


def test_same_plan_same_events_and_other_seeds_other_ids() -> None:
    assert list(emissions(PLAN)) == list(emissions(TokenEraPlan(ORIGINS)))
    keys = {log_key(emission.reading) for emission in emissions(PLAN)}
    assert len(keys) == PLAN.events
    assert not keys & {log_key(e.reading) for e in emissions(replace(PLAN, seed=2))}
    other_weeks = replace(PLAN, until=date(2026, 3, 22))
    assert not keys & {log_key(e.reading) for e in emissions(other_weeks)}


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Sunday"):
        replace(PLAN, until=date(2026, 3, 14))
    with pytest.raises(ConfigurationError, match="catalogue"):
        TokenEraPlan({"gpt-5.6-luna": "US"})


@given(
    st.integers(0, 10**13),
    st.lists(st.floats(0.001, 1000), min_size=1, max_size=50),
)
def test_apportioning_loses_nothing_and_keeps_proportions(total: int, weights: list[float]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / whole) <= 1 + total * 1e-12

"""Scenarios: the log's rules are looked at before anything is sent."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.metering_rules import DAY_MS, MeteringRules
from services.platform.errors import ConfigurationError
from services.simulator.scenarios import check_rules, token_era_plan
from services.simulator.token_era import TokenEraPlan
from services.simulator.traffic import Route

PLAN = token_era_plan(1, None, Route("kafka"))
LENIENT = MeteringRules(too_old_ms=399 * DAY_MS)


def test_the_shipped_catalogue_tells_the_story() -> None:
    chinese, american, elsewhere = PLAN.models
    assert {profile.model for profile in chinese} >= {"deepseek-flash", "glm-5.3", "kimi-k3"}
    assert {profile.model for profile in american} >= {"gpt-5.6-luna", "claude-opus-5.5"}
    assert elsewhere


def test_over_http_the_tenants_are_those_of_the_keys() -> None:
    plan = token_era_plan(1, date(2026, 3, 22), Route("http", keys={"acme": "wtk_x_y"}))
    assert plan.tenants == ("acme",)
    assert plan.until == date(2026, 3, 22)


def refusal(plan: TokenEraPlan, rules: MeteringRules, now_ms: int) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_rules(plan, rules, now_ms)
    return str(caught.value)


def test_a_log_that_takes_the_events_passes() -> None:
    check_rules(PLAN, LENIENT, PLAN.end_ms)
    check_rules(PLAN, LENIENT, PLAN.start_ms + 398 * DAY_MS)


def test_the_refusal_says_which_rule_to_make() -> None:
    text = refusal(PLAN, MeteringRules(), PLAN.start_ms + 200 * DAY_MS)
    assert "older than 35 days" in text
    assert "wattoken migrate --max-event-age-days 201" in text
    # The rule that it names is enough, a day later too.
    check_rules(PLAN, MeteringRules(too_old_ms=201 * DAY_MS), PLAN.start_ms + 201 * DAY_MS)


def test_weeks_that_are_not_kept_or_not_over_are_refused() -> None:
    assert "--until" in refusal(PLAN, LENIENT, PLAN.start_ms + 400 * DAY_MS)
    assert "not ended" in refusal(PLAN, LENIENT, PLAN.end_ms - 1)

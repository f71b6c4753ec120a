"""The profiles are consistent and follow the published shares."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

import pytest

from services.simulator import profiles


def test_shares_add_up() -> None:
    assert sum(region.share for region in profiles.REGIONS) == pytest.approx(1.0)
    assert sum(model.token_share for model in profiles.MODELS) == pytest.approx(100, abs=0.2)


def test_day_curve_and_week_have_a_mean_of_one() -> None:
    assert len(profiles.HOUR_FACTORS) == 24
    assert len(profiles.WEEKDAY_FACTORS) == 7
    assert sum(profiles.HOUR_FACTORS) / 24 == pytest.approx(1.0, abs=0.03)
    assert sum(profiles.WEEKDAY_FACTORS) / 7 == pytest.approx(1.0, abs=0.03)


def test_working_hours_are_busier_than_the_night_and_weekdays_than_the_weekend() -> None:
    assert profiles.demand_factor(2, 15) > 3 * profiles.demand_factor(2, 4)
    assert profiles.demand_factor(1, 12) > profiles.demand_factor(6, 12)


def test_every_region_has_a_known_zone() -> None:
    assert {ZoneInfo(region.zone).key for region in profiles.REGIONS}


def test_mean_of_a_size_is_that_of_its_lognormals() -> None:
    size = profiles.Size(1_000, 1.0, 100, 0.0)
    assert size.mean_tokens == pytest.approx(1_000 * math.exp(0.5) + 100)


def test_request_weight_turns_token_shares_into_requests() -> None:
    small = profiles.ModelProfile("p", "small", 10.0, ((1.0, profiles.Size(100, 0, 100, 0)),))
    large = profiles.ModelProfile("p", "large", 10.0, ((1.0, profiles.Size(900, 0, 100, 0)),))
    assert small.request_weight == pytest.approx(5 * large.request_weight)

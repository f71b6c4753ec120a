from __future__ import annotations

import numpy as np
import pytest

from schemas.metering_rules import DAY_MS, HOUR_MS, MINUTE_MS, MeteringRules
from services.aggregator.core.windows import FAMILIES, HOUR, MINUTE, REGISTER, UNIT, Family

NOON_MS = 1_773_576_000_000  # 2026-03-15T12:00:00Z


@pytest.mark.parametrize(
    ("family", "time_ms", "start_ms"),
    [
        (MINUTE, NOON_MS, NOON_MS),
        (MINUTE, NOON_MS + MINUTE_MS - 1, NOON_MS),
        (MINUTE, NOON_MS + MINUTE_MS, NOON_MS + MINUTE_MS),
        (HOUR, NOON_MS - 1, NOON_MS - HOUR_MS),
        (HOUR, NOON_MS, NOON_MS),
        (REGISTER, NOON_MS, 0),
    ],
)
def test_windows_are_half_open(family: Family, time_ms: int, start_ms: int) -> None:
    assert family.window_start_ms(family.window_number(time_ms)) == start_ms


def test_a_window_is_metered_until_its_end_is_past_retention() -> None:
    rules = MeteringRules(minute_retention_ms=DAY_MS)
    #   window [start ........ end) |<---- retention ---->| append
    end_ms = NOON_MS + MINUTE_MS
    number = MINUTE.window_number(NOON_MS)
    assert MINUTE.metered_from(end_ms + DAY_MS - 1, rules) == number
    assert MINUTE.metered_from(end_ms + DAY_MS, rules) == number + 1


def test_the_register_has_no_retention() -> None:
    assert REGISTER.metered_from(10 * 365 * DAY_MS, MeteringRules()) == 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_many_times_are_in_the_windows_that_each_is_in(family: Family) -> None:
    times_ms = [NOON_MS, NOON_MS + MINUTE_MS - 1000, NOON_MS + HOUR_MS - 1000, NOON_MS + HOUR_MS]
    found = family.window_numbers(np.array(times_ms, np.int64) // 1000).tolist()
    assert found == [family.window_number(time_ms) for time_ms in times_ms]


@pytest.mark.parametrize("family", [HOUR, UNIT], ids=lambda family: family.name)
def test_hours_are_kept_as_long_as_the_rules_say_of_hours(family: Family) -> None:
    rules = MeteringRules(minute_retention_ms=DAY_MS, hour_retention_ms=3 * DAY_MS)
    end_ms, number = NOON_MS + HOUR_MS, family.window_number(NOON_MS)
    assert family.metered_from(end_ms + 3 * DAY_MS - 1, rules) == number
    assert family.metered_from(end_ms + 3 * DAY_MS, rules) == number + 1

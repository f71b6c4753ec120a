from __future__ import annotations

import pytest

from schemas.metering_rules import DAY_MS, HOUR_MS, MINUTE_MS, MeteringRules
from services.aggregator.core.windows import HOUR, MINUTE, REGISTER, Family

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

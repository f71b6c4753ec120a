"""What is late comes from the last weekend too, and from holidays that are not long past."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from schemas.metering_rules import DAY_MS, MeteringRules
from services.simulator.lateness import LATE_MS, days_off, late_ms

EPOCH = date(1970, 1, 1)
TOO_OLD_MS = MeteringRules().too_old_ms


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def days(at: str, *holidays: date) -> list[str]:
    found = days_off(ms(at), holidays, TOO_OLD_MS)
    return [f"{EPOCH + timedelta(day):%a %d}" for day in found]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-26T12:00", ["Sat 21", "Sun 22"]),
        # A weekend that is not over yet is not yet reported from.
        ("2026-11-28T12:00", ["Sat 21", "Sun 22"]),
        ("2026-11-30T00:09", ["Sat 21", "Sun 22"]),
        ("2026-11-30T00:10", ["Sat 28", "Sun 29"]),
    ],
)
def test_the_last_weekend_that_is_over(at: str, expected: list[str]) -> None:
    assert days(at) == expected


def test_holidays_not_long_past_and_none_to_come() -> None:
    october = [date(2026, 10, day) for day in range(1, 8)]
    assert days("2026-10-15T12:00", *october)[:7] == [
        *("Thu 01", "Fri 02", "Sat 03", "Sun 04", "Mon 05", "Tue 06", "Wed 07")
    ]
    assert days("2026-10-03T12:00", *october) == ["Sat 26", "Sun 27", "Thu 01", "Fri 02"]
    assert days("2026-11-05T12:00", *october) == ["Wed 07", "Sat 31", "Sun 01"]
    assert days("2026-11-07T12:00", *october) == ["Sat 31", "Sun 01"]


def test_ages_keep_away_from_the_rules() -> None:
    draw = Random(1)
    holidays = [EPOCH + timedelta(day) for day in range(20_000, 25_000)]
    for hour in range(0, 24 * 14):
        at_ms = ms("2026-11-26T00:00") + hour * 3_600_000
        for known in ((), holidays):
            for _ in range(20):
                age_ms = late_ms(at_ms, known, TOO_OLD_MS, draw)
                assert LATE_MS[0] <= age_ms + 1 <= TOO_OLD_MS - 4 * DAY_MS

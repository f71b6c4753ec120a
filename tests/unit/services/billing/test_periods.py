"""Billing periods as people write them, and which of their days there are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from services.billing.periods import Period, parse_period
from services.platform.errors import ConfigurationError

NOVEMBER = parse_period("2026-11")


def test_a_month_ends_where_the_next_begins_and_follows_the_one_before() -> None:
    assert Period(date(2026, 11, 1), date(2026, 12, 1)) == NOVEMBER
    assert parse_period("2026-12").end == date(2027, 1, 1)
    assert NOVEMBER.before == date(2026, 10, 1)
    assert parse_period("2026-01").before == date(2025, 12, 1)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026", "2026-1", "0000-01", "0001-01", "2026-11-01", ""]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no billing period"):
        parse_period(text)


@pytest.mark.parametrize(
    ("now", "running", "count"),
    [
        (datetime(2026, 10, 31, 23, tzinfo=UTC), True, 1),
        (datetime(2026, 11, 1, 0, tzinfo=UTC), True, 1),
        (datetime(2026, 11, 2, 0, tzinfo=UTC), True, 2),
        (datetime(2026, 11, 30, 23, tzinfo=UTC), True, 30),
        # Midnight in UTC decides, wherever the clock is.
        (datetime(2026, 12, 1, 5, tzinfo=timezone(timedelta(hours=8))), True, 30),
        (datetime(2026, 12, 1, 0, tzinfo=UTC), False, 30),
        (datetime(2027, 5, 1, 0, tzinfo=UTC), False, 30),
    ],
)
def test_days_that_have_begun(now: datetime, running: bool, count: int) -> None:
    assert NOVEMBER.is_running(now) is running
    days = NOVEMBER.days(now)
    assert (days[0], len(days)) == (date(2026, 11, 1), count)
    assert days[-1].day == count

"""Billing periods: calendar months in UTC, written 2026-11."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from services.platform.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Period:
    """A month: its first day, and the first day after it."""

    start: date
    end: date

    @property
    def before(self) -> date:
        """First day of the month before."""
        return (self.start - timedelta(days=1)).replace(day=1)

    def is_running(self, now: datetime) -> bool:
        """Whether it is not over."""
        return now.astimezone(UTC).date() < self.end

    def days(self, now: datetime) -> list[date]:
        """The days of it that have begun, the first one in any case."""
        last = min(self.end, now.astimezone(UTC).date() + timedelta(days=1))
        count = max((last - self.start).days, 1)
        return [self.start + timedelta(days=number) for number in range(count)]


def parse_period(text: str) -> Period:
    """Read a month as people write it.

    Raises `ConfigurationError` if ``text`` is none.
    """
    found = re.fullmatch(r"(\d{4})-(\d{2})", text)
    try:
        if found is None:
            raise ValueError
        start = date(int(found[1]), int(found[2]), 1)
        end = date(start.year + start.month // 12, start.month % 12 + 1, 1)
        # The year 1 has no month before its first.
        if start.year < 2:
            raise ValueError
    except ValueError:
        raise ConfigurationError(f"{text!r} is no billing period: write 2026-11") from None
    return Period(start, end)

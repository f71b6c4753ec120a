"""Billing periods: calendar months in UTC, written 2026-11."""

from __future__ import annotations

import re
from datetime import date

from services.platform.errors import ConfigurationError


def parse_period(text: str) -> tuple[date, date]:
    """The first day of a period and the first day after it.

    Raises `ConfigurationError` if ``text`` is no month.
    """
    found = re.fullmatch(r"(\d{4})-(\d{2})", text)
    try:
        if found is None:
            raise ValueError
        start = date(int(found[1]), int(found[2]), 1)
        end = date(start.year + start.month // 12, start.month % 12 + 1, 1)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no billing period: write 2026-11") from None
    return start, end

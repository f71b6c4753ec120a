"""Billing periods as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from services.billing.periods import parse_period
from services.platform.errors import ConfigurationError


def test_a_month_ends_where_the_next_begins() -> None:
    assert parse_period("2026-11") == (date(2026, 11, 1), date(2026, 12, 1))
    assert parse_period("2026-12") == (date(2026, 12, 1), date(2027, 1, 1))


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026", "2026-1", "0000-01", "2026-11-01", ""]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no billing period"):
        parse_period(text)

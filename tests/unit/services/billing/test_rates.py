"""The rate of a day: the latest on or before it, not too old, never made up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.billing.rates import Rate, RateBook, RateMissingError


def rate(day: int, number: str, pair: tuple[str, str] = ("CNY", "USD")) -> Rate:
    return Rate(*pair, date(2026, 10, day), Decimal(number), "bank", date(2026, 11, 2))


#: From a Friday over a weekend to a Tuesday; out of order, as in a file.
BOOK = RateBook([rate(27, "0.1412"), rate(23, "0.1405"), rate(26, "0.1409")], 3)


@pytest.mark.parametrize(
    ("day", "taken"), [(23, 23), (24, 23), (25, 23), (26, 26), (27, 27), (30, 27)]
)
def test_the_latest_on_or_before_the_day_is_taken(day: int, taken: int) -> None:
    assert BOOK.rate("CNY", "USD", date(2026, 10, day)).day == date(2026, 10, taken)


@pytest.mark.parametrize(
    ("day", "known"), [(22, "there is none"), (31, "the latest before is of 2026-10-27")]
)
def test_a_day_without_one_is_an_error_that_names_pair_and_day(day: int, known: str) -> None:
    with pytest.raises(
        RateMissingError,
        match=f"no rate of CNY to USD for 2026-10-{day}, at most 3 days old: {known};",
    ):
        BOOK.rate("CNY", "USD", date(2026, 10, day))


def test_a_pair_is_neither_turned_round_nor_put_together() -> None:
    with pytest.raises(RateMissingError, match="only of CNY to USD, which is not turned round"):
        BOOK.rate("USD", "CNY", date(2026, 10, 27))
    both = RateBook([rate(27, "0.14"), rate(27, "0.86", ("USD", "EUR"))], 7)
    with pytest.raises(RateMissingError, match="CNY to EUR for 2026-10-27.*there is none"):
        both.rate("CNY", "EUR", date(2026, 10, 27))


def test_a_rate_of_the_same_day_only_where_no_age_is_allowed() -> None:
    strict = RateBook([rate(27, "0.1412")], 0)
    assert strict.rate("CNY", "USD", date(2026, 10, 27)).rate == Decimal("0.1412")
    with pytest.raises(RateMissingError):
        strict.rate("CNY", "USD", date(2026, 10, 28))

"""Money that is never rounded unasked: the same as fractions, however many digits it has."""

from __future__ import annotations

from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.exact import difference, negative, rounded, times, total, written

#: As wide as a sum of ClickHouse's: Decimal(76, 15).
amounts = st.integers(-(10**76) + 1, 10**76 - 1).map(lambda number: Decimal(number).scaleb(-15))
rates = st.integers(1, 10**21).map(lambda number: Decimal(number).scaleb(-12))


@given(st.lists(amounts, max_size=50))
def test_a_sum_is_exact(given: list[Decimal]) -> None:
    assert Fraction(total(given)) == sum(map(Fraction, given))


@given(amounts, amounts, rates)
def test_a_product_and_a_difference_are_exact(one: Decimal, other: Decimal, rate: Decimal) -> None:
    assert Fraction(times(one, rate)) == Fraction(one) * Fraction(rate)
    assert Fraction(difference(one, other)) == Fraction(one) - Fraction(other)
    assert Fraction(negative(one)) == -Fraction(one)


def test_what_does_not_fit_is_an_error_and_not_rounded() -> None:
    with pytest.raises(Inexact):
        total([Decimal("1e100"), Decimal("1e-100")])


@given(amounts, st.integers(0, 4))
def test_rounding_is_to_the_nearest_and_half_away_from_zero(amount: Decimal, places: int) -> None:
    found = Fraction(rounded(amount, places)) * 10**places
    exact = Fraction(amount) * 10**places
    assert found.denominator == 1
    assert abs(found - exact) <= Fraction(1, 2)
    assert abs(found - exact) < Fraction(1, 2) or abs(found) > abs(exact)


@pytest.mark.parametrize("amount", ["0", "-0", "-0.00", "-0.004", "0.004"])
def test_nothing_has_no_sign(amount: str) -> None:
    assert str(rounded(Decimal(amount), 2)) == "0.00"
    assert str(negative(Decimal("0.00"))) == "0.00"
    assert "-" not in written(rounded(Decimal(amount), 2))
    assert written(Decimal("-0.000")) == "0.00"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("1.5", "1.50"),
        ("-1234567.1", "-1,234,567.10"),
        ("0.000000000000001", "0.000000000000001"),
        ("97690.531578292000000", "97,690.531578292"),
        ("1E+3", "1,000.00"),
        (f"{'9' * 61}.{'9' * 15}", f"9{',999' * 20}.{'9' * 15}"),
    ],
)
def test_an_amount_keeps_every_digit(amount: str, text: str) -> None:
    assert written(Decimal(amount)) == text


def test_a_currency_without_cents_has_none_unless_the_amount_has() -> None:
    assert written(Decimal("1500"), 0) == "1,500"
    assert written(Decimal("1500.5"), 0) == "1,500.5"
    assert written(Decimal("1.5"), 3) == "1.500"

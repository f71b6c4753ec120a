"""What differs between two price lists, and by how much."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from services.billing.rerate import Rated, Sum
from tests.unit.services.billing.rerated import (
    CREDITED,
    DEARER,
    NEWLY_PRICED,
    OLD,
    SAME,
    rerating,
)


def test_a_line_differs_where_its_price_does() -> None:
    assert DEARER.differs and NEWLY_PRICED.differs and CREDITED.differs
    assert not SAME.differs, "the name of a period is no money"
    assert replace(SAME, new=replace(OLD, currency="CNY")).differs
    assert replace(DEARER, new=Rated("unpriced", None, None, "")).differs


def test_a_difference_is_new_less_old() -> None:
    assert DEARER.difference == Decimal("0.6")
    assert CREDITED.difference == Decimal("0.003"), "a smaller credit is more to pay"
    assert NEWLY_PRICED.difference == Decimal("0.00001")
    lost = replace(DEARER, new=Rated("unpriced", None, None, ""))
    assert lost.difference == Decimal(-12)


def test_two_currencies_have_no_difference() -> None:
    assert replace(DEARER, new=replace(OLD, currency="CNY")).difference is None


def test_sums_are_of_all_lines_also_of_those_that_do_not_differ() -> None:
    found = rerating(DEARER, SAME, NEWLY_PRICED, CREDITED)
    assert found.lines == (DEARER, NEWLY_PRICED, CREDITED)
    assert found.lines_same == 1
    (total,) = found.sums
    assert total == Sum("USD", Decimal("23.97"), Decimal("24.57301"))
    assert total.difference == Decimal("0.60301")
    assert total.difference == sum(one.difference or 0 for one in found.lines)
    assert (found.unpriced_old, found.unpriced_new) == (5, 0)


def test_sums_are_apart_by_currency() -> None:
    found = rerating(DEARER, replace(DEARER, new=replace(OLD, currency="CNY")))
    assert [(one.currency, one.old, one.new) for one in found.sums] == [
        ("CNY", Decimal(0), Decimal(12)),
        ("USD", Decimal(24), Decimal("12.6")),
    ]


def test_sums_keep_more_digits_than_python_usually_does() -> None:
    big = replace(DEARER, old=replace(OLD, amount=Decimal(10) ** 40))
    small = replace(DEARER, old=replace(OLD, amount=Decimal("1E-15")))
    (total,) = rerating(big, small).sums
    assert f"{total.old:f}" == "1" + "0" * 40 + "." + "0" * 14 + "1"

"""Grouping and sums of a statement: exact, and rounded once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.billing.statement import energy_lines, grouped, money, unpriced_lines
from tests.unit.services.billing.bills import bill, full, line


def test_lines_of_all_regions_add_up_and_keep_their_price() -> None:
    labels = ("openai", "gpt-5.6-luna", "output")
    assert [(one.labels, one.tokens, one.amount_usd) for one in energy_lines(full())] == [
        ((*labels, "flat", Decimal("1.20")), 1_500_001, Decimal("1.8000012")),
        ((*labels, "off_peak", Decimal("0.6")), 3, Decimal("0.0000018")),
    ]


def test_the_total_is_the_sum_of_its_parts() -> None:
    statement = full()
    parts = [statement.subtotal_usd(kind) for kind in ("energy", "adjustment", "demand")]
    assert parts == [Decimal("1.800003"), Decimal("-0.000012"), Decimal("0.10")]
    assert statement.total_usd == sum(parts)
    assert statement.due_usd == Decimal("1.90")


def test_half_a_cent_is_rounded_up_and_only_at_the_end() -> None:
    assert bill(line("energy", 1, "0.005")).due_usd == Decimal("0.01")
    halves = [line("energy", 1, "0.004"), line("energy", 1, "0.004")]
    assert bill(*halves).due_usd == Decimal("0.01")


def test_unpriced_tokens_have_no_amount_not_zero() -> None:
    statement = full()
    (group,) = unpriced_lines(statement)
    assert (group.tokens, group.amount_usd) == (77, None)
    assert statement.unpriced_tokens == 77
    assert money(group.amount_usd) == "unpriced"


def test_a_group_is_none_only_if_all_of_it_is() -> None:
    lines = [line("energy", 1, None), line("energy", 1, "2"), line("energy", 1, None)]
    (group,) = grouped(lines, lambda one: (one.model,))
    assert (group.tokens, group.amount_usd) == (3, Decimal(2))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("1.5", "1.50"),
        ("-1234567.1", "-1,234,567.10"),
        ("0.000000000000001", "0.000000000000001"),
        ("97690.531578292000000", "97,690.531578292"),
        ("1E+3", "1,000.00"),
    ],
)
def test_money_keeps_every_digit(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


def test_a_reading_is_the_difference_of_two() -> None:
    assert [one.used_tokens for one in full().readings] == [150, 30]

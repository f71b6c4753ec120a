"""Electricity on a bill: ranges, what is not known, and what the numbers leave out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from services.billing.bill_sections import sections
from services.billing.electricity import Electricity, ModelElectricity, Range
from services.billing.electricity_section import IGNORED, electricity_section, shown
from services.billing.statement_json import document
from tests.unit.services.billing.bills import billed, statement

RATED = ModelElectricity(
    "openai",
    "gpt-5",
    Electricity(
        tokens=1_000,
        market_unrated_tokens=1_000,
        it_kwh=Range(Decimal("1.0"), Decimal("2.0")),
        kwh=Range(Decimal("1.23456"), Decimal("12345.6")),
        location_gco2e=Range(Decimal("0.5"), Decimal("1500")),
        embodied_gco2e=Range(Decimal(7), Decimal(7)),
    ),
)
UNRATED = ModelElectricity(
    "nobody",
    "unheard-of",
    Electricity(tokens=9, unrated_tokens=9, location_unrated_tokens=9, market_unrated_tokens=9),
)


def test_rows_are_ranges_and_what_is_not_known_is_a_dash() -> None:
    section = electricity_section([RATED, UNRATED])
    assert [row.cells for row in section.rows] == [
        ("gpt-5, openai", "1,000", "0", "1.23 – 12,300", "0.0005 – 1.5", "–", "0.007"),
        ("unheard-of, nobody", "9", "9", "–", "–", "–", "–"),
        ("All models", "1,009", "9", "1.23 – 12,300", "0.0005 – 1.5", "–", "0.007"),
    ]
    assert section.rows[-1].kind == "subtotal"
    assert all(len(row.cells) == len(section.columns) for row in section.rows)
    assert "No charge" in section.note and IGNORED in section.note


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0"), ("0.0012345", "0.00123"), ("999.6", "1,000"), ("1E+6", "1,000,000"), ("2", "2")],
)
def test_three_digits_and_no_exponent(number: str, text: str) -> None:
    assert shown(Decimal(number)) == text


def test_the_bill_has_it_and_no_amount_changes() -> None:
    with_it = billed(replace(statement(), electricity=(RATED,)))
    titles = [one.title for one in sections(with_it)]
    assert "Electricity, estimated" in titles
    without = billed(statement())
    assert "Electricity, estimated" not in [one.title for one in sections(without)]
    assert (with_it.due, with_it.exact_net) == (without.due, without.exact_net)


def test_json_has_every_digit_and_null_where_nothing_is_known() -> None:
    told = document(billed(replace(statement(), electricity=(RATED, UNRATED))))["electricity"]
    assert told["total"]["kwh"] == {"low": "1.23456", "mean": "6173.417280", "high": "12345.6"}
    assert told["models"][1]["kwh"] is None
    assert told["models"][1]["unrated_tokens"] == 9
    assert told["ignores"] == IGNORED

"""A bill as rows: they add up to what is due, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.billing.bill import Bill
from services.billing.exact import total
from services.billing.statement_rows import bill_row, line_rows
from services.billing.terms import StatementSettings
from tests.unit.services.billing.bills import (
    adjustment,
    billed,
    demand,
    full,
    full_statement,
    line,
    statement,
)

TAXED = StatementSettings.model_validate(
    {"version": "1", "taxes": [{"name": "VAT", "percent": "19"}]}
)
MIXED = statement(
    line("energy", 5, "7.2", currency="CNY"),
    line("energy", 5, "0.333"),
    line("adjustment", 10, "-0.5", entry="credit"),
    line("unpriced", 9, None, entry="credit"),
    demand("0.10"),
    adjustments=[adjustment(6, "-0.3"), adjustment(4, "-0.2"), adjustment(9, None)],
)


@pytest.mark.parametrize(
    "bill",
    [full(), billed(full_statement(), TAXED), billed(MIXED, TAXED), billed(MIXED, currency="JPY")],
)
def test_billed_amounts_add_up_to_what_is_due(bill: Bill) -> None:
    rows = list(line_rows(bill))
    amounts = [one.billed_amount for one in rows if one.billed_amount is not None]
    assert total(amounts) == bill.due
    assert {one.billed_currency for one in rows} == {bill.currency}


def test_each_row_says_what_it_is_of() -> None:
    rows = list(line_rows(billed(MIXED, TAXED)))
    assert [one.kind for one in rows] == [
        *("energy", "energy", "unpriced", "demand", "adjustment", "adjustment", "rounding", "tax")
    ]
    converted, plain, unpriced, peak, credit, _, rounding, tax = rows
    assert (converted.amount, converted.rate, converted.rate_source) == (
        *(Decimal("7.2"), Decimal("0.1405")),
        "a bank",
    )
    assert converted.billed_amount == Decimal("1.0116")
    assert (plain.rate, plain.billed_amount) == (None, Decimal("0.333"))
    assert (unpriced.entry, unpriced.quantity, unpriced.billed_amount) == ("credit", 9, None)
    assert (peak.unit, peak.quantity, peak.price) == ("tokens/s", 2, Decimal("0.05"))
    assert (credit.event_id, credit.adjusts, credit.reason) == (
        *("credit-1", "req-1"),
        "stream broke off",
    )
    assert (rounding.quantity, tax.note) == (None, "VAT 19 %")


def test_the_row_of_a_bill_has_its_sums() -> None:
    row = bill_row(billed(full_statement(), TAXED), "acme.pdf")
    assert (row.net, row.tax, row.due) == (Decimal("1.90"), Decimal("0.36"), Decimal("2.26"))
    assert (row.exact_net, row.currency, row.files) == (Decimal("1.899991"), "USD", "acme.pdf")
    assert row.unpriced_tokens == 77

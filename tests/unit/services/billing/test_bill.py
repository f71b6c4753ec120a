"""A bill in one currency: exact sums, dated rates, rounded once, and taxes on that."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.bill import grouped, make_bill, subtotal
from services.billing.rates import Rate, RateBook, RateMissingError
from services.billing.statement import Reading, used_tokens
from services.billing.terms import StatementSettings, terms_of
from tests.unit.services.billing.bills import (
    ISSUED,
    PLAIN,
    adjustment,
    billed,
    full,
    line,
    statement,
)

TAXED = StatementSettings.model_validate(
    {
        "version": "test",
        "taxes": [{"name": "VAT", "percent": "19"}, {"name": "levy", "percent": "0.5"}],
    }
)


def test_the_sum_is_that_of_its_parts_to_the_last_digit() -> None:
    bill = full()
    parts = [subtotal(bill.lines, kind) for kind in ("energy", "adjustment", "demand")]
    assert parts == [Decimal("1.800003"), Decimal("-0.000012"), Decimal("0.10")]
    assert bill.exact_net == sum(parts)
    assert bill.due == Decimal("1.90")


def test_sums_of_more_digits_than_python_keeps_are_exact() -> None:
    big = "9" * 30
    bill = billed(statement(line("energy", 1, f"{big}.000000000000001"), line("demand", 1, "0.1")))
    assert bill.exact_net == Decimal(f"{big}.100000000000001")
    assert bill.due == Decimal(f"{big}.10")
    assert bill.written(bill.exact_net).endswith("999.100000000000001")


def test_half_a_cent_is_rounded_up_and_only_at_the_end() -> None:
    assert billed(statement(line("energy", 1, "0.005"))).due == Decimal("0.01")
    halves = [line("energy", 1, "0.004"), line("energy", 1, "0.004")]
    assert billed(statement(*halves)).due == Decimal("0.01")


@pytest.mark.parametrize(
    ("amount", "label", "text"),
    [
        ("0", "Amount due", "0.00"),
        ("-0.004", "Amount due", "0.00"),
        ("-0.005", "Credit balance", "0.01"),
        ("-1234.5", "Credit balance", "1,234.50"),
        ("0.004", "Amount due", "0.00"),
        ("1234.5", "Amount due", "1,234.50"),
    ],
)
def test_less_than_nothing_is_a_credit_balance_and_nothing_has_no_sign(
    amount: str, label: str, text: str
) -> None:
    bill = billed(statement(line("adjustment", 1, amount, entry="credit")))
    assert (bill.due_label, bill.due_text) == (label, text)


def test_a_tenant_without_a_token_owes_nothing() -> None:
    bill = billed(statement())
    assert (bill.exact_net, bill.due, bill.due_text) == (Decimal(0), Decimal(0), "0.00")


def test_each_tax_is_rounded_by_itself_on_the_rounded_net_amount() -> None:
    bill = billed(statement(line("energy", 1, "10.006")), TAXED)
    assert bill.net == Decimal("10.01")
    assert [(one.tax.name, one.amount) for one in bill.taxes] == [
        ("VAT", Decimal("1.90")),
        ("levy", Decimal("0.05")),
    ]
    assert bill.due == Decimal("11.96")
    credit = billed(statement(line("adjustment", 1, "-10.006", entry="credit")), TAXED)
    assert credit.due == -bill.due


def test_lines_are_converted_at_the_last_rate_of_the_month() -> None:
    bill = billed(statement(line("energy", 5, "100.01", currency="CNY"), line("energy", 5, "1")))
    converted, plain = bill.lines
    assert converted.rate is not None
    assert (converted.rate.day, converted.rate.rate) == (date(2026, 5, 29), Decimal("0.1405"))
    assert converted.amount == Decimal("14.051405")
    assert (plain.rate, plain.amount) == (None, Decimal(1))
    assert bill.exact_net == Decimal("15.051405")
    assert [rate.from_currency for rate in bill.rates] == ["CNY"]


def test_a_running_month_is_converted_at_todays_rate() -> None:
    rates = RateBook(
        [
            Rate("CNY", "USD", date(2026, 5, day), Decimal(f"0.{day}"), "bank", date(2026, 5, 20))
            for day in (4, 11)
        ],
        7,
    )
    used = statement(line("energy", 5, "100", currency="CNY"), running=True)
    terms = terms_of(PLAIN, "acme", date(2026, 5, 1), issued=ISSUED, preliminary=True)
    for today, rate in ((date(2026, 5, 6), "0.4"), (date(2026, 5, 18), "0.11")):
        assert make_bill(used, terms, rates, today).exact_net == 100 * Decimal(rate)
    with pytest.raises(RateMissingError, match="CNY to USD for 2026-05-19"):
        make_bill(used, terms, rates, date(2026, 5, 19))


def test_without_a_rate_there_is_no_bill() -> None:
    with pytest.raises(RateMissingError, match="no rate of EUR to USD for 2026-05-31"):
        billed(statement(line("energy", 5, "100", currency="EUR")))
    with pytest.raises(RateMissingError, match="no rate of EUR to USD"):
        billed(statement(adjustments=[adjustment(5, "-1", currency="EUR")]))


def test_what_is_unpriced_needs_no_rate_and_has_no_amount() -> None:
    bill = billed(statement(line("unpriced", 77, None)), currency="JPY")
    assert [(one.rate, one.amount) for one in bill.lines] == [(None, None)]
    assert bill.statement.unpriced_tokens == 77
    assert bill.written(bill.lines[0].amount) == "unpriced"


def test_an_amount_due_has_as_many_decimals_as_its_currency() -> None:
    bill = billed(statement(line("energy", 5, "10.005")), TAXED, currency="JPY")
    assert bill.exact_net == Decimal("1513.05615")
    assert (str(bill.net), [str(one.amount) for one in bill.taxes]) == ("1513", ["287", "8"])
    assert bill.due_text == "1,808"


amounts = st.integers(-(10**76) + 1, 10**76 - 1).map(lambda number: Decimal(number).scaleb(-15))


@given(st.lists(st.tuples(amounts, st.sampled_from(["CNY", "USD"])), max_size=20))
def test_a_bill_is_what_fractions_say(lines: list[tuple[Decimal, str]]) -> None:
    bill = billed(statement(*(line("energy", 1, str(a), currency=c) for a, c in lines)), TAXED)
    exact = sum(
        (Fraction(a) * (Fraction("0.1405") if c == "CNY" else 1) for a, c in lines), Fraction()
    )

    def rounded(amount: Fraction) -> Fraction:
        whole = (abs(amount) * 100 + Fraction(1, 2)).__floor__()
        return Fraction(whole if amount >= 0 else -whole, 100)

    assert Fraction(bill.exact_net) == exact
    net = rounded(exact)
    taxes = rounded(net * Fraction(19, 100)) + rounded(net * Fraction(1, 200))
    assert (Fraction(bill.net), Fraction(bill.due)) == (net, net + taxes)


def test_groups_add_up_in_their_own_currency_and_in_the_bills() -> None:
    lines = [
        line("energy", 1, "1", currency="CNY"),
        line("energy", 2, "2", currency="CNY"),
        line("energy", 4, "10"),
    ]
    bill = billed(statement(*lines))
    apart = grouped(bill.lines, lambda one: (one.currency,))
    assert [(one.labels, one.quantity, one.original, one.amount) for one in apart] == [
        (("CNY",), 3, Decimal(3), Decimal("0.4215")),
        (("USD",), 4, Decimal(10), Decimal(10)),
    ]
    assert [one.rate is None for one in apart] == [False, True]
    (whole,) = grouped(bill.lines, lambda one: (one.model,))
    assert (whole.currency, whole.original, whole.rate) == (None, None, None)
    assert whole.amount == Decimal("10.4215")


def test_a_group_is_without_an_amount_only_if_all_of_it_is() -> None:
    lines = [line("energy", 1, None), line("energy", 1, "2"), line("energy", 1, None)]
    (group,) = grouped(billed(statement(*lines)).lines, lambda one: (one.model,))
    assert (group.quantity, group.amount) == (3, Decimal(2))


def test_readings_and_tokens() -> None:
    assert Reading("input", 100, 250).used_tokens == 150
    lines = [
        line("energy", 5, "1"),
        line("unpriced", 2, None),
        line("energy", 9, "1", unit="pages"),
    ]
    lines.append(line("adjustment", 7, "1", entry="debit"))
    assert used_tokens(lines) == 7
    assert replace(full().statement, lines=()).unpriced_tokens == 0

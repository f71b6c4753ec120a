"""Why amounts differ: the worth of tokens that differ, prices, rounding; sums to the last digit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.reconcile.findings import Cause, Reconciliation
from services.reconcile.metered import Charge, Usage
from tests.unit.services.reconcile.scenes import (
    DAYS,
    FIRST,
    PRICES,
    bill,
    calls,
    charged,
    line,
    meter,
    reconciled,
    used,
    worth,
)

SECOND, THIRD = DAYS[1].first, DAYS[2].first


def differences(found: Reconciliation) -> dict[str, Decimal]:
    return {one.measure: one.difference for one in found.totals}


def test_tokens_that_are_missing_are_worth_their_price() -> None:
    usage = used("output", 999_000)
    found = reconciled(
        bill(line("output", 1_000_000, "12")), with_=meter(usage, charges=[charged(usage)])
    )
    assert worth(found) == {Cause.NOT_REPORTED: Decimal("0.012")}
    (only,) = found.findings
    assert (only.quantity, only.amount) == (1000, Decimal("0.012"))


def test_the_same_tokens_at_another_price() -> None:
    usage = used("output", 1_000_000)
    found = reconciled(
        bill(line("output", 1_000_000, "13.5")), with_=meter(usage, charges=[charged(usage)])
    )
    (only,) = found.findings
    assert (only.cause, only.quantity, only.amount) == (Cause.OTHER_PRICE, None, Decimal("1.5"))
    assert only.evidence == "billed at 13.5 a million, metered at 12"


def test_a_loss_and_another_price_are_told_apart() -> None:
    usage = used("output", 990_000)
    found = reconciled(
        bill(line("output", 1_000_000, "13.5")), with_=meter(usage, charges=[charged(usage)])
    )
    assert worth(found) == {
        Cause.NOT_REPORTED: Decimal("0.12"),
        Cause.OTHER_PRICE: Decimal("1.5"),
    }


def test_rows_that_are_rounded_to_cents() -> None:
    usage = used("output", 1_000_000)
    close = bill(line("output", 1_000_000, "12.005"), places=2)
    beyond = bill(line("output", 1_000_000, "12.006"), places=2)
    charges = [charged(usage)]
    assert worth(reconciled(close, with_=meter(usage, charges=charges))) == {
        Cause.ROUNDING: Decimal("0.005")
    }
    assert worth(reconciled(beyond, with_=meter(usage, charges=charges))) == {
        Cause.OTHER_PRICE: Decimal("0.006")
    }


def test_each_row_may_be_rounded_by_itself() -> None:
    usage = used("output", 1_000_000)
    key, billed = line("output", 1_000_000, "12.015")
    rows = replace(billed, amounts=3)
    found = reconciled(bill((key, rows), places=2), with_=meter(usage, charges=[charged(usage)]))
    assert worth(found) == {Cause.ROUNDING: Decimal("0.015")}


def test_another_tier_is_worth_what_the_bill_asks_for_it() -> None:
    usage = used("output", 1_000_000)
    found = reconciled(
        bill(
            line("output", 400_000, "2.4", tier="batch"),
            line("output", 600_000, "7.2", tier="standard"),
        ),
        with_=meter(usage, charges=[charged(usage)]),
    )
    told = {(one.key.service_tier, one.cause, one.quantity): one.amount for one in found.findings}
    assert told == {
        ("batch", Cause.OTHER_CLASS, 400_000): Decimal("2.4"),
        ("standard", Cause.OTHER_CLASS, -400_000): Decimal("-4.8"),
    }


def test_tokens_may_have_had_any_price_of_their_class() -> None:
    usage = used("output", 1_000_000)
    # Of two regions, each with a price of its own.
    first, second = used("output", 0), used("output", 1_000_000)
    charges = [
        charged(first, Decimal("0.000014")),
        charged(second, Decimal("0.000010")),
        charged(first, Decimal("0.000012")),
    ]
    for amount, cause in (("10.010", None), ("10.014", None), ("10.015", Cause.OTHER_PRICE)):
        found = reconciled(
            bill(line("output", 1_001_000, amount)), with_=meter(usage, charges=charges)
        )
        expected = {Cause.NOT_REPORTED, *({cause} if cause else ())}
        assert set(worth(found)) == expected
        assert sum(worth(found).values()) == Decimal(amount) - 10


def test_without_a_price_in_the_catalogue_there_is_nothing_to_compare() -> None:
    usage = used("output", 1_000_000)
    unpriced = Charge(
        *(FIRST, "openai", "m", "", 0, "output"),
        quantity=1_000_000,
        amount=Decimal(0),
        lowest=None,
        highest=None,
        unpriced=1_000_000,
    )
    found = reconciled(
        bill(line("output", 1_000_000, "12")), with_=meter(usage, charges=[unpriced])
    )
    (only,) = found.findings
    assert only.cause == Cause.OTHER_PRICE
    assert only.evidence == "the catalogue has no price for 1,000,000 of it"


def test_usage_and_costs_of_one_provider_complete_each_other() -> None:
    usage = [used("uncached_input", 1000), used("output", 99)]
    found = reconciled(
        bill(line("uncached_input", 1000), line("output", 100), format_="usage"),
        bill(line("all", None, "0.0032", model=""), format_="costs"),
        with_=meter(*usage, charges=map(charged, usage)),
    )
    assert worth(found) == {Cause.NOT_REPORTED: Decimal("0.000012")}
    assert differences(found) == {"tokens": 1, "USD": Decimal("0.000012")}


def test_usage_without_tiers_is_in_several_amounts_with_them() -> None:
    usage = [used("output", 900, tier="standard"), used("output", 99, tier="batch")]
    charges = [charged(usage[0]), charged(usage[1], Decimal("0.000006"))]
    found = reconciled(
        bill(line("output", 1000), format_="usage"),
        bill(
            line("output", None, "0.0108", tier="standard"),
            line("output", None, "0.0006", tier="batch"),
            format_="costs",
        ),
        with_=meter(*usage, charges=charges),
    )
    told = {(one.key.service_tier, one.quantity, one.amount) for one in found.findings}
    assert told == {("", 1, None), ("batch", None, Decimal("0.000006"))}


def test_units_are_priced_each() -> None:
    usage = used("web_searches", 90)
    found = reconciled(
        bill(line("web_searches", 100, "1.5")), with_=meter(usage, charges=[charged(usage)])
    )
    assert worth(found) == {
        Cause.NOT_REPORTED: Decimal("0.1"),
        Cause.OTHER_PRICE: Decimal("0.5"),
    }
    price = next(one for one in found.findings if one.cause == Cause.OTHER_PRICE)
    assert price.evidence == "billed at 15 a thousand, metered at 10"


def of_days(*counts: int) -> list[Usage]:
    days = (FIRST, SECOND, THIRD)
    return [used("output", count, day=day) for count, day in zip(counts, days, strict=False)]


@pytest.mark.parametrize(
    ("amounts", "causes"),
    [
        # The same factor every day is a price, for a loss is not.
        (("13.2", "6.6", "1.32"), {Cause.OTHER_PRICE}),
        (("12.012", "6", "1.2"), {Cause.NOT_REPORTED}),
        (("12", "5.9", "1.2"), {Cause.REPORTED_TWICE}),
        (("12", "6.0000005", "1.2"), {Cause.ROUNDING}),
    ],
)
def test_amounts_alone(amounts: tuple[str, ...], causes: set[Cause]) -> None:
    usage = of_days(1_000_000, 500_000, 100_000)
    lines = [
        line("output", None, amount, days=days) for amount, days in zip(amounts, DAYS, strict=True)
    ]
    found = reconciled(bill(*lines), with_=meter(*usage, charges=map(charged, usage)))
    assert {one.cause for one in found.findings} == causes
    assert not [one for one in found.totals if one.measure == "tokens"], "the bill tells none"


def test_one_day_of_amounts_alone_tells_no_price() -> None:
    usage = used("output", 1_000_000)
    found = reconciled(
        bill(line("output", None, "13.2"), covered=DAYS[:1]),
        with_=meter(usage, charges=[charged(usage)]),
    )
    assert {one.cause for one in found.findings} == {Cause.NOT_REPORTED}
    assert found.findings[0].evidence == "the bill tells amounts alone"


def test_amounts_alone_of_another_tier() -> None:
    usage = used("output", 1_000_000)
    found = reconciled(
        bill(line("output", None, "3", tier="batch"), line("output", None, "6", tier="standard")),
        with_=meter(usage, charges=[charged(usage)]),
    )
    assert {(one.key.service_tier, one.cause, one.amount) for one in found.findings} == {
        ("batch", Cause.OTHER_CLASS, Decimal(3)),
        ("standard", Cause.OTHER_CLASS, Decimal(-6)),
    }


def test_what_the_bill_has_no_line_of_is_charged_by_the_meter_alone() -> None:
    usage = [used("output", 1_000_000), used("web_searches", 100)]
    found = reconciled(
        bill(line("output", None, "12")), with_=meter(*usage, charges=map(charged, usage))
    )
    (only,) = found.findings
    assert (only.key.billed_as, only.cause, only.amount) == (
        "web_searches",
        Cause.UNEXPLAINED,
        Decimal(-1),
    )
    assert PRICES["web_searches"] * 100 == 1


def test_requests_are_no_part_of_the_amounts() -> None:
    usage = used("output", 10, day=date(2026, 10, 1))
    found = reconciled(
        bill(line("output", 10, "0.00012"), requests={(DAYS[0], "openai", "m"): 2}),
        with_=meter(usage, charges=[charged(usage)], requests=[calls(7)]),
    )
    assert found.findings == ()

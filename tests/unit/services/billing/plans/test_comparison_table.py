"""A comparison on the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

from rich.console import Console

from services.billing.plans.comparison import OTHER_HOURS, Comparison
from services.billing.plans.comparison_table import IN_BRACKETS, print_comparison
from services.billing.plans.plan import ACTUAL, Plan
from tests.unit.services.billing.plans.outcomes import (
    LABELS,
    LINE,
    TOOK,
    UNPRICED,
    comparison,
    line,
    named,
    outcome,
)


def printed(given: Comparison, *, whole: bool = False) -> str:
    console = Console(file=io.StringIO(), width=170)
    print_comparison(given, console, whole=whole)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(text: str, name: str) -> str:
    (found,) = (one for one in text.splitlines() if one.strip().startswith(name))
    return " ".join(found.split())


def test_a_row_for_each_plan_beside_what_was() -> None:
    text = printed(
        comparison(
            named("in [eu]", line("0.612345678901234"), tiers={LABELS: "batch"}),
            named("free", line("0")),
        )
    )
    assert "Plans for acme, 2026-10 (UTC): 1,000 tokens" in text
    assert row(text, "as it was") == "as it was 0.51 1.5 – 3 0.3 – 0.6 unrated: 100 tokens"
    assert row(text, "in [eu]").startswith(
        "in [eu] 90.0 % 0.612345678901234 +0.102345678901234 +20.1 % 1.5 – 3"
    )
    assert row(text, "free").startswith("free 0.0 % 0.00 -0.51 -100.0 %")
    assert IN_BRACKETS not in text


def test_what_cannot_be_compared_has_no_difference_and_says_why() -> None:
    searches = replace(UNPRICED, token_class="", unit="web_searches", quantity=7)
    took = replace(TOOK, unrated_tokens=999, kwh=None)
    text = printed(
        comparison(
            named("half", LINE, UNPRICED, searches, took=took),
            named("euros", line("7", currency="EUR")),
        )
    )
    half = row(text, "half")
    assert half.startswith("half 0.0 % 0.01 – – – 0.3 – 0.6")
    assert "unpriced: 1,000 tokens; unpriced: 7 web_searches; unrated: 999 tokens" in half
    assert row(text, "euros").startswith("euros 0.0 % EUR 7.00 – – 1.5 – 3")
    assert "no rate of exchange" in row(text, "euros")
    assert "Not converted: no rate of EUR to USD for 2026-10-31" in text


def test_electricity_of_other_tokens_is_in_brackets() -> None:
    text = printed(comparison(named("x", LINE, took=replace(TOOK, unrated_tokens=500))))
    assert "(1.5 – 3) 0.3 – 0.6" in row(text, "x")
    assert IN_BRACKETS in text


def test_what_has_no_price_now_is_said_where_a_plan_has_one() -> None:
    actual = outcome(ACTUAL, LINE, UNPRICED)
    text = printed(comparison(named("x", LINE, line("1")), actual=actual))
    assert "prices more than now has a price" in row(text, "x")


def test_of_a_kind_the_first_ones_unless_all_are_asked_for() -> None:
    hours = [
        outcome(Plan("hour", f"{hours} h later", shift_hours=hours), line(f"{hours}"))
        for hours in range(1, 24)
    ]
    given = comparison(*hours, named("dear", line("99")))
    text = printed(given)
    assert "4 h later" in text and "5 h later" not in text and "dear" in text
    assert "19 more plans: --all" in text
    assert OTHER_HOURS in text
    whole = printed(given, whole=True)
    assert "23 h later" in whole and "--all" not in whole


def test_yuan_are_converted_and_it_is_said_by_which_day() -> None:
    text = printed(comparison(named("x", line("7", currency="CNY"))))
    assert "0.98" in row(text, "x")
    assert "Converted by the rates of 2026-10-31." in text


def test_of_a_cost_of_nothing_no_share_is_told() -> None:
    actual = outcome(ACTUAL, line("0"))
    assert "+1.00 – " in row(printed(comparison(named("x", line("1")), actual=actual)), "x")
    assert Decimal(0) == comparison(actual=actual).actual.cost

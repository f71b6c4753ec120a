"""What plans cost more or less than what was, and which of them can be compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from services.billing.electricity import Range
from services.billing.plans import comparison as notes
from services.billing.plans.comparison import electricity_more
from services.billing.plans.plan import ACTUAL
from tests.unit.services.billing.plans.outcomes import (
    DEMAND,
    LABELS,
    LINE,
    TOOK,
    UNPRICED,
    comparison,
    line,
    named,
    outcome,
)


def test_costs_are_exact_sums_by_kind_and_currency() -> None:
    credit = line("-0.000000000000001", kind="adjustment", entry="credit")
    yuan = line("7", currency="CNY")
    found = outcome(ACTUAL, LINE, credit, DEMAND, yuan, UNPRICED)
    assert found.costs() == {
        "CNY": {"energy": 7, "adjustment": 0, "demand": 0},
        "USD": {
            "energy": Decimal("0.01"),
            "adjustment": Decimal("-1E-15"),
            "demand": Decimal("0.5"),
        },
    }
    assert found.totals() == {"CNY": 7, "USD": Decimal("0.509999999999999")}


def test_what_no_price_fits_is_counted_by_what_it_is() -> None:
    searches = replace(UNPRICED, token_class="", unit="web_searches", quantity=3)
    debit = replace(UNPRICED, entry="debit", quantity=5)
    found = outcome(ACTUAL, LINE, DEMAND, UNPRICED, UNPRICED, searches, debit)
    assert (found.unpriced_tokens(), found.unpriced_units()) == (2005, {"web_searches": 3})
    assert found.used()["usage", "output", ""] == 3000, "of demand nothing was used"


def test_the_least_cost_comes_first_and_of_equal_costs_the_least_emission() -> None:
    cleaner = replace(TOOK, location_gco2e=Range(Decimal(1), Decimal(2)))
    unknown = replace(TOOK, location_gco2e=None)
    found = comparison(
        named("dear", line("9")),
        named("dirty", line("2")),
        named("unknown", line("2"), took=unknown),
        named("clean", line("2"), took=cleaner),
        named("half", line("1"), replace(UNPRICED, quantity=1)),
    )
    order = [one.outcome.plan.name for one in found.plans]
    assert order == ["clean", "dirty", "unknown", "dear", "half"]
    assert [one.comparable for one in found.plans] == [True] * 4 + [False]
    assert [one.more for one in found.plans][:2] == [Decimal("1.49")] * 2
    assert found.actual.cost == Decimal("0.51") and found.actual.more is None


def test_what_prices_more_than_has_a_price_now_is_no_match_either() -> None:
    actual = outcome(ACTUAL, LINE, UNPRICED)
    same, more = named("same", line("1"), UNPRICED), named("more", line("1"), line("1"))
    found = comparison(more, same, actual=actual)
    assert [one.comparable for one in found.plans] == [True, False]
    assert found.plans[0].outcome is same


def test_one_currency_by_the_rates_of_the_months_last_day() -> None:
    yuan, euros = named("yuan", line("7", currency="CNY")), named("eur", line("7", currency="EUR"))
    found = comparison(euros, yuan)
    assert (found.currency, found.day) == ("USD", date(2026, 10, 31))
    assert [one.cost for one in found.plans] == [Decimal("0.98"), None]
    assert found.plans[1].no_rate is not None and found.plans[1].no_rate.startswith(
        "no rate of EUR to USD for 2026-10-31"
    )
    assert found.plans[1].more is None
    running = comparison(yuan, running=True, today=date(2026, 11, 20))
    assert running.day == date(2026, 11, 20) and running.plans[0].cost is None


def test_the_currency_is_the_one_asked_for_or_that_of_the_month_or_usd() -> None:
    assert comparison(actual=outcome(ACTUAL, line("1", currency="CNY"))).currency == "CNY"
    assert comparison(actual=outcome(ACTUAL, LINE, line("1", currency="CNY"))).currency == "USD"
    assert comparison(actual=outcome(ACTUAL, UNPRICED)).currency == "USD"
    asked = comparison(currency="CNY")
    assert (asked.currency, asked.actual.cost) == ("CNY", None), "nothing is turned round"


def test_electricity_is_compared_where_as_much_is_rated() -> None:
    less = replace(TOOK, kwh=Range(Decimal(1), Decimal(1)), unrated_tokens=99)
    greener = replace(TOOK, location_gco2e=Range(Decimal(0), Decimal(0)))
    found = comparison(named("a", LINE, took=less), named("b", LINE, took=greener))
    by_name = {one.outcome.plan.name: one for one in found.plans}
    assert electricity_more(by_name["a"], found.actual, "kwh") is None
    assert electricity_more(by_name["b"], found.actual, "kwh") == 0
    assert electricity_more(by_name["b"], found.actual, "location_gco2e") == -450
    nothing = replace(TOOK, kwh=None)
    (row,) = comparison(named("c", LINE, took=nothing)).plans
    assert electricity_more(row, found.actual, "kwh") is None


def test_how_much_a_plan_says_something_about() -> None:
    moved, all_of_it = named("moved", LINE, tiers={LABELS: "batch"}), named("x", shift_hours=1)
    found = comparison(moved, all_of_it)
    assert found.used_tokens == 1000
    assert sorted(one.moved_tokens for one in found.plans) == [900, 1000]


def test_what_is_said_beside_the_numbers_is_about_the_plans_there() -> None:
    assert comparison(named("x", LINE)).notes == (notes.SAME_TOKENS,)
    assert comparison(named("x", other_models=True)).notes[1:] == (notes.OTHER_MODELS,)
    assert comparison(named("x", tiers={LABELS: "batch"})).notes[1:] == (notes.OTHER_TIERS,)
    assert comparison(named("x", shift_hours=2)).notes[1:] == (notes.OTHER_HOURS, notes.SAME_GRIDS)

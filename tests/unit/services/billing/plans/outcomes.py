"""Small outcomes to compare."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from services.billing.electricity import Electricity, Range
from services.billing.periods import parse_period
from services.billing.plans.comparison import Comparison, compare
from services.billing.plans.outcome import Outcome, PlanLine
from services.billing.plans.plan import ACTUAL, Labels, Plan, Used
from services.billing.rates import Rate, RateBook

PERIOD: Final = parse_period("2026-10")
LABELS: Final = Labels("us", "p", "m")
USED: Final = (Used(LABELS, 900), Used(Labels("eu", "p", "[m]"), 100))
RATES: Final = RateBook(
    [Rate("CNY", "USD", date(2026, 10, 30), Decimal("0.14"), "bank", date(2026, 11, 2))], 7
)
LINE: Final = PlanLine(
    kind="energy",
    region="us",
    provider="p",
    model="m",
    entry="usage",
    service_tier="",
    context_band=0,
    token_class="output",
    unit="",
    tou_period="flat",
    tariff_id="t",
    currency="USD",
    price=Decimal(10),
    quantity=1000,
    amount=Decimal("0.010000000000000"),
)
DEMAND: Final = replace(
    LINE, kind="demand", entry="", token_class="", quantity=3600, amount=Decimal("0.5")
)
UNPRICED: Final = replace(
    LINE, kind="unpriced", tariff_id="unpriced", currency="", price=None, amount=None
)
TOOK: Final = Electricity(
    tokens=1000,
    unrated_tokens=100,
    location_unrated_tokens=100,
    market_unrated_tokens=1000,
    it_kwh=Range(Decimal(1), Decimal(2)),
    kwh=Range(Decimal("1.5"), Decimal(3)),
    location_gco2e=Range(Decimal(300), Decimal(600)),
)


def line(amount: str | None, **other: Any) -> PlanLine:
    return replace(LINE, amount=None if amount is None else Decimal(amount), **other)


def outcome(plan: Plan, *lines: PlanLine, took: Electricity = TOOK) -> Outcome:
    return Outcome(plan, lines, took)


def named(name: str, *lines: PlanLine, took: Electricity = TOOK, **plan: Any) -> Outcome:
    return outcome(Plan("region", name, **plan), *lines, took=took)


WAS: Final = outcome(ACTUAL, LINE, DEMAND)


def comparison(*plans: Outcome, actual: Outcome = WAS, **other: Any) -> Comparison:
    given: dict[str, Any] = {"today": date(2026, 11, 2), "running": False, "currency": None} | other
    return compare(PERIOD, "acme", USED, actual, plans, RATES, **given)

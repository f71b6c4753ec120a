"""A small rerating to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from services.billing.rerate import Line, Rated, Rerating, Tally

OLD = Rated("flat", Decimal("10"), Decimal("12.000000000000000"), "USD")
DEARER = Line(
    tenant="acme",
    provider="openai",
    model="gpt-5",
    entry="usage",
    token_class="output",
    unit="",
    service_tier="",
    context_band=0,
    quantity=1_200_000,
    old=OLD,
    new=replace(OLD, price=Decimal("10.5"), amount=Decimal("12.6")),
)
SAME = replace(DEARER, token_class="reasoning", new=replace(OLD, tou_period="peak"))
NEWLY_PRICED = replace(
    DEARER,
    model="unheard-of",
    service_tier="batch",
    context_band=200_000,
    quantity=5,
    old=Rated("unpriced", None, None, ""),
    new=Rated("flat", Decimal("2"), Decimal("0.00001"), "USD"),
)
CREDITED = replace(
    DEARER,
    entry="credit",
    token_class="",
    unit="web_searches",
    quantity=3,
    old=replace(OLD, amount=Decimal("-0.03")),
    new=replace(OLD, price=Decimal("9"), amount=Decimal("-0.027")),
)


def rerating(*lines: Line, demand_differs: bool = False) -> Rerating:
    tally = Tally()
    for line in lines:
        tally.add(line)
    return Rerating(
        start=date(2026, 10, 1),
        end=date(2026, 11, 1),
        tenant=None,
        lines=tuple(tally.lines),
        lines_same=tally.lines_same,
        sums=tally.sums(),
        unpriced_old=tally.unpriced_old,
        unpriced_new=tally.unpriced_new,
        demand_differs=demand_differs,
    )

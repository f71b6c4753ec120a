"""Charges to make rows of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from services.billing.focus.accounts import Accounts
from services.billing.focus.charge_rows import (
    Charge,
    DemandCharge,
    Span,
    demand_row,
    usage_row,
)
from services.billing.focus.columns import FocusRow
from services.billing.focus.sku import Sku
from services.billing.rates import Rate, RateBook
from services.billing.terms import StatementSettings, TenantTerms

MONTH = Span(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
HOUR = Span(datetime(2026, 10, 6, 7, tzinfo=UTC), datetime(2026, 10, 6, 8, tzinfo=UTC))
OUTPUT = Sku(
    provider="openai",
    model="gpt-5",
    token_class="output",
    unit="",
    region="us-east",
    service_tier="",
    context_band=0,
    tou_period="flat",
)
USED = Charge(
    span=HOUR,
    tenant="acme",
    sku=OUTPUT,
    entry="usage",
    tariff_id="gpt-5",
    quantity=1_234_567,
    price=Decimal("10.000000000"),
    amount=Decimal("12.345670000000000"),
    currency="USD",
)
CREDITED = replace(USED, entry="credit", quantity=100, amount=Decimal("-0.001000000000000"))
UNPRICED = replace(
    USED,
    sku=replace(OUTPUT, tou_period="unpriced"),
    tariff_id="unpriced",
    price=None,
    amount=None,
    currency="",
)
SEARCHED = replace(
    USED,
    sku=replace(OUTPUT, token_class="", unit="web_searches"),
    quantity=3,
    price=Decimal("10"),
    amount=Decimal("0.030000000000000"),
)
DEMANDED = DemandCharge(
    tenant="acme",
    scope="*",
    demand_charge_id="all-regions",
    tokens_per_second=700,
    price=Decimal("0.05"),
    amount=Decimal("35.00"),
    currency="USD",
)

RATE = Rate(
    from_currency="USD",
    to_currency="CNY",
    day=date(2026, 10, 30),
    rate=Decimal("7.112345678901"),
    source="a bank",
    source_date=date(2026, 10, 31),
)
#: Statements are in USD, but of one tenant in CNY.
ACCOUNTS = Accounts(
    StatementSettings(
        version="test",
        tenants={"dragon": TenantTerms(currency="CNY", name="Dragon Ltd")},
    ),
    RateBook((RATE,), 3),
    date(2026, 10, 31),
)


def row_of(charge: Charge | DemandCharge, issuer: str = "Grid") -> FocusRow:
    """The row of a charge."""
    if isinstance(charge, DemandCharge):
        return demand_row(charge, MONTH, issuer, ACCOUNTS)
    return usage_row(charge, MONTH, issuer, ACCOUNTS)

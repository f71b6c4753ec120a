"""A small statement and its bill to render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from services.billing.bill import Bill, make_bill
from services.billing.rates import Rate, RateBook
from services.billing.statement import Adjustment, Line, Reading, Statement
from services.billing.terms import StatementSettings, terms_of

PEAK = datetime(2026, 5, 6, 7, tzinfo=UTC)
ISSUED = date(2026, 6, 3)
RATES = RateBook(
    [
        Rate("CNY", "USD", date(2026, 5, 29), Decimal("0.1405"), "a bank", date(2026, 6, 1)),
        Rate("USD", "CNY", date(2026, 5, 29), Decimal("7.1174"), "a bank", date(2026, 6, 1)),
        Rate("CNY", "JPY", date(2026, 5, 31), Decimal("21.25"), "a bank", date(2026, 6, 1)),
        Rate("USD", "JPY", date(2026, 5, 31), Decimal("151.23"), "a bank", date(2026, 6, 1)),
    ],
    7,
)
PLAIN = StatementSettings(version="test")


def line(kind: str, quantity: int, amount: str | None, **labels: object) -> Line:
    plain = Line(
        kind=kind,
        region="us-east",
        provider="openai",
        model="gpt-5.6-luna",
        entry="usage",
        service_tier="",
        context_band=0,
        token_class="output",
        unit="",
        tou_period="flat",
        tariff_id="luna",
        quantity=quantity,
        currency="USD" if amount is not None else "",
        price=Decimal("1.20") if amount is not None else None,
        peak_hour=None,
        demand_tokens_per_second=None,
        demand_price=None,
        amount=None if amount is None else Decimal(amount),
    )
    return replace(plain, **labels)  # type: ignore[arg-type]


def demand(amount: str) -> Line:
    return line(
        *("demand", 7200, amount),
        region="*",
        provider="",
        model="",
        entry="",
        token_class="",
        price=None,
        peak_hour=PEAK,
        demand_tokens_per_second=2,
        demand_price=Decimal("0.05"),
    )


def adjustment(tokens: int, amount: str | None, **labels: object) -> Adjustment:
    plain = Adjustment(
        time=PEAK,
        entry="credit",
        event_id="credit-1",
        source="desk",
        adjusts="req-1",
        reason="stream broke off",
        region="us-east",
        provider="openai",
        model="gpt-5.6-luna",
        tokens=tokens,
        currency="USD" if amount is not None else "",
        amount=None if amount is None else Decimal(amount),
    )
    return replace(plain, **labels)  # type: ignore[arg-type]


def statement(
    *lines: Line,
    running: bool = False,
    tenant: str = "acme",
    adjustments: Sequence[Adjustment] = (),
    before: Sequence[Line] = (),
) -> Statement:
    return Statement(
        tenant=tenant,
        period_start=date(2026, 5, 1),
        period_end=date(2026, 6, 1),
        running=running,
        readings=(Reading("input", 100, 250), Reading("output", 0, 30)),
        lines=tuple(lines),
        daily_tokens=tuple((date(2026, 5, day), 100 * day) for day in range(1, 32)),
        adjustments=tuple(adjustments),
        before_start=date(2026, 4, 1),
        before=tuple(before),
    )


def billed(
    given: Statement, settings: StatementSettings = PLAIN, *, currency: str | None = None
) -> Bill:
    terms = terms_of(
        *(settings, given.tenant, given.period_start),
        issued=ISSUED,
        currency=currency,
        preliminary=given.running,
    )
    return make_bill(given, terms, RATES, ISSUED)


def full_statement(tenant: str = "acme", *, running: bool = False) -> Statement:
    return statement(
        line("energy", 1_000_000, "1.20"),
        line("energy", 500_001, "0.6000012", region="eu-central"),
        line("energy", 3, "0.0000018", tou_period="off_peak", price=Decimal("0.6")),
        line("adjustment", 10, "-0.000012", entry="credit"),
        line("unpriced", 77, None, model="hand<made>"),
        demand("0.10"),
        running=running,
        tenant=tenant,
        adjustments=[adjustment(10, "-0.000012")],
        before=[line("energy", 2_000_000, "2.40"), line("energy", 5, "0.01", model="gone")],
    )


def full(tenant: str = "acme", *, running: bool = False) -> Bill:
    return billed(full_statement(tenant, running=running))

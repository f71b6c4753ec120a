"""A small statement to render."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from services.billing.statement import Line, Reading, Statement

PEAK = datetime(2026, 5, 6, 7, tzinfo=UTC)


def line(kind: str, tokens: int, amount: str | None, **labels: object) -> Line:
    plain = Line(
        kind=kind,
        region="us-east",
        provider="openai",
        model="gpt-5.6-luna",
        entry="usage",
        token_class="output",
        tou_period="flat",
        tariff_id="luna",
        tokens=tokens,
        usd_per_million_tokens=Decimal("1.20"),
        peak_hour=None,
        demand_tokens_per_second=None,
        usd_per_token_per_second=None,
        amount_usd=None if amount is None else Decimal(amount),
    )
    return replace(plain, **labels)  # type: ignore[arg-type]


def demand(amount: str) -> Line:
    return line(
        *("demand", 7200, amount),
        region="*",
        peak_hour=PEAK,
        demand_tokens_per_second=2,
        usd_per_token_per_second=Decimal("0.05"),
    )


def bill(*lines: Line, running: bool = False, tenant: str = "acme") -> Statement:
    total = sum((one.amount_usd or Decimal(0) for one in lines), Decimal(0))
    return Statement(
        tenant=tenant,
        period_start=date(2026, 5, 1),
        period_end=date(2026, 6, 1),
        running=running,
        readings=(Reading("input", 100, 250), Reading("output", 0, 30)),
        lines=(*lines, line("total", 180, str(total))),
        daily_tokens=tuple((date(2026, 5, day), 100 * day) for day in range(1, 32)),
    )


def full(tenant: str = "acme", *, running: bool = False) -> Statement:
    return bill(
        line("energy", 1_000_000, "1.20"),
        line("energy", 500_001, "0.6000012", region="eu-central"),
        line(
            "energy", 3, "0.0000018", tou_period="off_peak", usd_per_million_tokens=Decimal("0.6")
        ),
        line("adjustment", 10, "-0.000012", entry="credit"),
        line("unpriced", 77, None, model="hand<made>", usd_per_million_tokens=None),
        demand("0.10"),
        running=running,
        tenant=tenant,
    )

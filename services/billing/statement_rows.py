"""PURE. A bill as rows for spreadsheets and warehouses: a row a line, and a row a bill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

from services.billing.bill import Bill, BillAdjustment, BillLine
from services.billing.exact import difference, total
from services.billing.rates import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """One line of a bill; ``billed_amount`` of all of them adds up to the amount due.

    ``amount`` and ``price`` are in ``currency``, ``billed_amount`` is ``amount`` × ``rate``. What
    no price fits has no amount. Rows of the kind ``tax`` and ``rounding`` have nothing else.
    """

    invoice_number: str | None
    tenant: str
    period_start: date
    period_end: date
    kind: str
    region: str | None = None
    provider: str | None = None
    model: str | None = None
    entry: str | None = None
    service_tier: str | None = None
    context_band: int | None = None
    token_class: str | None = None
    unit: str | None = None
    tou_period: str | None = None
    tariff_id: str | None = None
    time: datetime | None = None
    quantity: int | None = None
    currency: str | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    rate: Decimal | None = None
    rate_date: date | None = None
    rate_source: str | None = None
    billed_currency: str
    billed_amount: Decimal | None
    event_id: str | None = None
    adjusts: str | None = None
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One bill of many, and the files that it was written to."""

    tenant: str
    customer: str
    invoice_number: str | None
    period_start: date
    period_end: date
    running: bool
    issued: date
    due_date: date | None
    currency: str
    exact_net: Decimal
    net: Decimal
    tax: Decimal
    due: Decimal
    unpriced_tokens: int
    files: str


def bill_row(bill: Bill, files: str) -> BillRow:
    """The row of a bill."""
    return BillRow(
        tenant=bill.statement.tenant,
        customer=bill.terms.customer.name,
        invoice_number=bill.terms.number,
        period_start=bill.statement.period_start,
        period_end=bill.statement.period_end,
        running=bill.statement.running,
        issued=bill.terms.issued,
        due_date=bill.terms.due_date,
        currency=bill.currency,
        exact_net=bill.exact_net,
        net=bill.net,
        tax=total(one.amount for one in bill.taxes),
        due=bill.due,
        unpriced_tokens=bill.statement.unpriced_tokens,
        files=files,
    )


def line_rows(bill: Bill) -> Iterator[LineRow]:
    """The rows of a bill's lines, each debit and credit by itself; then rounding and taxes."""
    for line in bill.lines:
        if line.line.kind != "adjustment":
            yield _line(bill, line)
    for adjustment in bill.adjustments:
        # What is unpriced stands among the lines, by token class.
        if adjustment.amount is not None:
            yield _adjustment(bill, adjustment)
    rounding = difference(bill.net, bill.exact_net)
    if rounding:
        yield _row(bill, "rounding", rounding)
    for tax in bill.taxes:
        yield _row(bill, "tax", tax.amount, note=f"{tax.tax.name} {tax.tax.percent:f} %")


def _line(bill: Bill, one: BillLine) -> LineRow:
    line = one.line
    demand = line.kind == "demand"
    return _row(
        *(bill, line.kind, one.amount, one.rate),
        region=line.region,
        provider=line.provider or None,
        model=line.model or None,
        entry=line.entry or None,
        service_tier=line.service_tier or None,
        context_band=None if demand else line.context_band,
        token_class=line.token_class or None,
        unit="tokens/s" if demand else line.unit or None,
        tou_period=line.tou_period or None,
        tariff_id=line.tariff_id or None,
        time=line.peak_hour,
        quantity=line.demand_tokens_per_second if demand else line.quantity,
        currency=line.currency or None,
        price=line.demand_price if demand else line.price,
        amount=line.amount,
    )


def _adjustment(bill: Bill, one: BillAdjustment) -> LineRow:
    made = one.adjustment
    return _row(
        *(bill, "adjustment", one.amount, one.rate),
        region=made.region,
        provider=made.provider,
        model=made.model,
        entry=made.entry,
        time=made.time,
        quantity=made.tokens,
        currency=made.currency or None,
        amount=made.amount,
        event_id=made.event_id,
        adjusts=made.adjusts or None,
        reason=made.reason or None,
    )


def _row(
    bill: Bill, kind: str, billed: Decimal | None, rate: Rate | None = None, **values: object
) -> LineRow:
    return LineRow(
        invoice_number=bill.terms.number,
        tenant=bill.statement.tenant,
        period_start=bill.statement.period_start,
        period_end=bill.statement.period_end,
        kind=kind,
        rate=None if rate is None else rate.rate,
        rate_date=None if rate is None else rate.day,
        rate_source=None if rate is None else rate.source,
        billed_currency=bill.currency,
        billed_amount=billed,
        **values,  # type: ignore[arg-type]
    )


def columns(row: type[LineRow] | type[BillRow]) -> list[str]:
    """The names of a row's columns, in order."""
    return [field.name for field in fields(row)]

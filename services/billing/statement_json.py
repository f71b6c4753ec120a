"""PURE. A bill as JSON, for scripts. Money is text: a JSON number would be read as a float."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from schemas.catalogue.currencies import USD
from services.billing.bill import Bill, BillAdjustment, BillLine, subtotal
from services.billing.electricity_section import electricity_document
from services.billing.rates import Rate
from services.billing.statement import PRICED, used_tokens
from services.billing.terms import Party


def document(bill: Bill) -> dict[str, Any]:
    """The bill as plain values; what is absent is left out of lines and parties."""
    statement, terms = bill.statement, bill.terms
    sums = {
        "energy": subtotal(bill.lines, "energy"),
        "adjustments": subtotal(bill.lines, "adjustment"),
        "demand": subtotal(bill.lines, "demand"),
        "total": bill.exact_net,
    }
    return {
        "tenant": statement.tenant,
        "period_start": statement.period_start.isoformat(),
        "period_end": statement.period_end.isoformat(),
        "running": statement.running,
        "invoice_number": terms.number,
        "issued": terms.issued.isoformat(),
        "due_date": None if terms.due_date is None else terms.due_date.isoformat(),
        "issuer": None if terms.issuer is None else _party(terms.issuer),
        "customer": _party(terms.customer),
        "currency": bill.currency,
        "readings": [
            asdict(reading) | {"used_tokens": reading.used_tokens} for reading in statement.readings
        ],
        "lines": [_line(line) for line in bill.lines],
        "adjusting_events": [_adjustment(one) for one in bill.adjustments],
        **{name: f"{amount:f}" for name, amount in sums.items()},
        "net": f"{bill.net:f}",
        "taxes": [
            {
                "name": one.tax.name,
                "percent": f"{one.tax.percent:f}",
                "amount": f"{one.amount:f}",
            }
            for one in bill.taxes
        ],
        "due": f"{bill.due:f}",
        **_in_usd(bill, sums),
        "unpriced_tokens": statement.unpriced_tokens,
        "daily_tokens": {day.isoformat(): tokens for day, tokens in statement.daily_tokens},
        "electricity": electricity_document(statement.electricity),
        "rates": [_rate(rate) for rate in bill.rates],
        "month_before": {
            "period_start": statement.before_start.isoformat(),
            "tokens": used_tokens(statement.before),
            "total": f"{subtotal(bill.before, *PRICED):f}",
        },
    }


def _in_usd(bill: Bill, sums: dict[str, Decimal]) -> dict[str, str]:
    """The sums under the names that they had when all bills were in USD."""
    if bill.currency != USD:
        return {}
    return {f"{name}_usd": f"{amount:f}" for name, amount in (sums | {"due": bill.due}).items()}


def _line(one: BillLine) -> dict[str, Any]:
    line = one.line
    values = _plain(asdict(line))
    values["quantity" if line.unit else "tokens"] = values.pop("quantity")
    if line.context_band == 0:
        del values["context_band"]
    if line.currency == USD and line.amount is not None:
        values["amount_usd"] = f"{line.amount:f}"
    return values | _billed(one.rate, one.amount)


def _adjustment(one: BillAdjustment) -> dict[str, Any]:
    return _plain(asdict(one.adjustment)) | _billed(one.rate, one.amount)


def _billed(rate: Rate | None, amount: Decimal | None) -> dict[str, Any]:
    """What an amount is on the bill, and by which rate, where it was converted."""
    if rate is None or amount is None:
        return {}
    return {"billed_amount": f"{amount:f}", "rate": _rate(rate)}


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "from": rate.from_currency,
        "to": rate.to_currency,
        "date": rate.day.isoformat(),
        "rate": f"{rate.rate:f}",
        "source": rate.source,
        "source_date": rate.source_date.isoformat(),
    }


def _party(party: Party) -> dict[str, Any]:
    return _plain({"name": party.name, "lines": list(party.lines), "tax_id": party.tax_id})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in values.items() if value not in ("", None, [])}


def plain(value: object) -> object:
    """A value whose digits no reader changes: what is no text, number or truth is made text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, date):
        return value.isoformat()
    return value

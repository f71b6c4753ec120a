"""A statement as JSON, for scripts. Money is text: a JSON number would be read as a float."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.billing.statement import Statement


def document(statement: Statement) -> dict[str, Any]:
    """The statement as plain values."""
    lines = [_plain(asdict(line)) for line in statement.lines if line.kind != "total"]
    return {
        "tenant": statement.tenant,
        "period_start": statement.period_start.isoformat(),
        "period_end": statement.period_end.isoformat(),
        "running": statement.running,
        "currency": "USD",
        "readings": [
            asdict(reading) | {"used_tokens": reading.used_tokens} for reading in statement.readings
        ],
        "lines": lines,
        "energy_usd": f"{statement.subtotal_usd('energy'):f}",
        "adjustments_usd": f"{statement.subtotal_usd('adjustment'):f}",
        "demand_usd": f"{statement.subtotal_usd('demand'):f}",
        "total_usd": f"{statement.total_usd:f}",
        "due_usd": f"{statement.due_usd:f}",
        "unpriced_tokens": statement.unpriced_tokens,
        "daily_tokens": {day.isoformat(): tokens for day, tokens in statement.daily_tokens},
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in values.items() if value not in ("", None)}


def _text(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, date):
        return value.isoformat()
    return value

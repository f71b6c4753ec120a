"""PURE. A rerating as JSON: money as strings, so that no reader makes floats of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.billing.rerate import Line, Rated, Rerating


def document(rerating: Rerating) -> dict[str, Any]:
    """The whole rerating; a price and an amount of None are usage that no price fits."""
    return {
        "from": f"{rerating.start}",
        "to": f"{rerating.end}",
        "tenant": rerating.tenant,
        "differs": bool(rerating.lines) or rerating.demand_differs,
        "demand_charges_differ": rerating.demand_differs,
        "sums": [
            {
                "currency": one.currency,
                "old": _text(one.old),
                "new": _text(one.new),
                "difference": _text(one.difference),
            }
            for one in rerating.sums
        ],
        "unpriced": {"old": rerating.unpriced_old, "new": rerating.unpriced_new},
        "lines_same": rerating.lines_same,
        "lines": [_line(one) for one in rerating.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "tenant": line.tenant,
        "provider": line.provider,
        "model": line.model,
        "entry": line.entry,
        "token_class": line.token_class,
        "unit": line.unit,
        "service_tier": line.service_tier,
        "context_band": line.context_band,
        "quantity": line.quantity,
        "old": _rated(line.old),
        "new": _rated(line.new),
        "difference": _text(line.difference),
    }


def _rated(rated: Rated) -> dict[str, Any]:
    return {
        "tou_period": rated.tou_period,
        "price": _text(rated.price),
        "amount": _text(rated.amount),
        "currency": rated.currency,
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"

"""PURE. A plan comparison as JSON: numbers with a fraction as text, so that no reader rounds."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from services.billing.electricity_section import IGNORED, electricity_values
from services.billing.plans.comparison import Comparison, Row, electricity_more
from services.billing.plans.plan import Labels
from services.billing.statement_json import plain


def document(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison with every digit; what is not known is null, never 0."""
    return {
        "period": f"{comparison.period.start:%Y-%m}",
        "running": comparison.running,
        "tenant": comparison.tenant,
        "currency": comparison.currency,
        "rates_of": comparison.day.isoformat(),
        "tokens": comparison.used_tokens,
        "notes": list(comparison.notes),
        "electricity_ignores": IGNORED,
        "actual": _row(comparison.actual, comparison.actual),
        "plans": [_row(one, comparison.actual) for one in comparison.plans],
    }


def _row(row: Row, actual: Row) -> dict[str, Any]:
    one = row.outcome
    return {
        "kind": one.plan.kind,
        "plan": one.plan.name,
        "changes": _changes(row),
        "moved_tokens": row.moved_tokens,
        "comparable": row.comparable,
        "cost": _text(row.cost),
        "cost_more": _text(row.more),
        "no_rate": row.no_rate,
        "costs": {
            currency: {name: f"{amount:f}" for name, amount in kinds.items()}
            | {"total": f"{one.totals()[currency]:f}"}
            for currency, kinds in one.costs().items()
        },
        "unpriced_tokens": one.unpriced_tokens(),
        "unpriced_units": one.unpriced_units(),
        "electricity": electricity_values(one.electricity),
        "kwh_mean_more": _text(electricity_more(row, actual, "kwh")),
        "location_gco2e_mean_more": _text(electricity_more(row, actual, "location_gco2e")),
        "lines": [
            {name: plain(value) for name, value in asdict(line).items()} for line in one.lines
        ],
    }


def _changes(row: Row) -> dict[str, Any]:
    plan = row.outcome.plan
    return {
        "labels": [
            {"from": _labels(old), "to": _labels(new)} for old, new in sorted(plan.labels.items())
        ],
        "tiers": [_labels(one) | {"tier": tier} for one, tier in sorted(plan.tiers.items())],
        "tariffs": [_labels(one) | {"tariff": name} for one, name in sorted(plan.tariffs.items())],
        "shift_hours": plan.shift_hours,
    }


def _labels(labels: Labels) -> dict[str, str]:
    return labels._asdict()


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"

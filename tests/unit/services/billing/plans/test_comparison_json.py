"""A comparison for scripts: every digit, and null for what is not known."""

from __future__ import annotations

import json
from dataclasses import replace

from services.billing.plans.comparison_json import document
from services.billing.plans.plan import Labels
from tests.unit.services.billing.plans.outcomes import (
    LABELS,
    LINE,
    TOOK,
    UNPRICED,
    comparison,
    named,
)

THERE = Labels("eu", "q", "m")


def test_all_of_it() -> None:
    took = replace(TOOK, kwh=None, location_gco2e=None)
    plan = named("there", LINE, UNPRICED, labels={LABELS: THERE}, tariffs={THERE: "t"}, took=took)
    found = json.loads(json.dumps(document(comparison(plan))))
    assert (found["period"], found["tenant"], found["currency"]) == ("2026-10", "acme", "USD")
    (one,) = found["plans"]
    assert one["changes"] == {
        "labels": [
            {
                "from": {"region": "us", "provider": "p", "model": "m"},
                "to": {"region": "eu", "provider": "q", "model": "m"},
            }
        ],
        "tiers": [],
        "tariffs": [{"region": "eu", "provider": "q", "model": "m", "tariff": "t"}],
        "shift_hours": 0,
    }
    assert (one["cost"], one["comparable"], one["unpriced_tokens"]) == (
        "0.010000000000000",
        False,
        1000,
    )
    assert one["costs"]["USD"]["total"] == "0.010000000000000"
    assert (one["electricity"]["kwh"], one["kwh_mean_more"]) == (None, None)
    assert one["lines"][1]["price"] is None and one["lines"][0]["price"] == "10"
    assert found["actual"]["cost_more"] is None
    assert found["actual"]["electricity"]["kwh"]["mean"] == "2.25"
    assert "input" in found["electricity_ignores"].lower()


def test_a_tier_is_named_with_what_gets_it() -> None:
    (one,) = document(comparison(named("x", LINE, tiers={LABELS: "batch"})))["plans"]
    assert one["changes"]["tiers"] == [
        {"region": "us", "provider": "p", "model": "m", "tier": "batch"}
    ]

"""The JSON: every digit as text."""

from __future__ import annotations

import json

from services.billing.rerate_json import document
from tests.unit.services.billing.rerated import DEARER, NEWLY_PRICED, SAME, rerating


def test_a_line_says_all_that_tells_it_apart() -> None:
    found = json.loads(json.dumps(document(rerating(NEWLY_PRICED, SAME))))
    assert found["lines"] == [
        {
            "tenant": "acme",
            "provider": "openai",
            "model": "unheard-of",
            "entry": "usage",
            "token_class": "output",
            "unit": "",
            "service_tier": "batch",
            "context_band": 200_000,
            "quantity": 5,
            "old": {"tou_period": "unpriced", "price": None, "amount": None, "currency": ""},
            "new": {"tou_period": "flat", "price": "2", "amount": "0.00001", "currency": "USD"},
            "difference": "0.00001",
        }
    ]
    assert (found["from"], found["to"], found["tenant"]) == ("2026-10-01", "2026-11-01", None)
    assert found["unpriced"] == {"old": 5, "new": 0}
    assert found["lines_same"] == 1


def test_sums_are_texts() -> None:
    found = document(rerating(DEARER))
    assert found["sums"] == [
        {
            "currency": "USD",
            "old": "12.000000000000000",
            "new": "12.6",
            "difference": "0.600000000000000",
        }
    ]


def test_whether_anything_differs() -> None:
    assert document(rerating(DEARER))["differs"] is True
    assert document(rerating(SAME))["differs"] is False
    assert document(rerating(SAME, demand_differs=True))["differs"] is True

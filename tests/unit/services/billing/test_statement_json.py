"""The bill as JSON: money is text, to the last digit."""

from __future__ import annotations

import json
from decimal import Decimal

from services.billing.statement_json import document
from tests.unit.services.billing.bills import full


def test_amounts_are_text_and_exact() -> None:
    bill = json.loads(json.dumps(document(full())))
    assert Decimal(bill["total_usd"]) == Decimal("1.899991")
    assert bill["due_usd"] == "1.90"
    amounts = [Decimal(one["amount_usd"]) for one in bill["lines"] if "amount_usd" in one]
    assert sum(amounts) == Decimal(bill["total_usd"])
    assert not [one for one in bill["lines"] if isinstance(one.get("amount_usd"), float)]


def test_unpriced_lines_have_tokens_and_no_amount() -> None:
    (unpriced,) = (one for one in document(full())["lines"] if one["kind"] == "unpriced")
    assert unpriced["tokens"] == 77
    assert "amount_usd" not in unpriced


def test_demand_says_when_it_was() -> None:
    (demand,) = (one for one in document(full())["lines"] if one["kind"] == "demand")
    assert demand["peak_hour"] == "2026-05-06T07:00:00Z"
    assert demand["demand_tokens_per_second"] == 2

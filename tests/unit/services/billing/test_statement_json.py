"""The bill as JSON: money is text, to the last digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from services.billing.bill import Bill
from services.billing.statement_json import document
from services.billing.terms import StatementSettings
from tests.unit.services.billing.bills import (
    adjustment,
    billed,
    demand,
    full,
    full_statement,
    line,
    statement,
)


def plain(bill: Bill) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(document(bill)))
    return found


def test_amounts_are_text_and_exact() -> None:
    bill = plain(full())
    assert Decimal(bill["total"]) == Decimal(bill["total_usd"]) == Decimal("1.899991")
    assert bill["due"] == bill["due_usd"] == "1.90"
    amounts = [Decimal(one["amount"]) for one in bill["lines"] if "amount" in one]
    assert sum(amounts) == Decimal(bill["total"])
    assert "float" not in str({type(value) for one in bill["lines"] for value in one.values()})


def test_unpriced_lines_have_tokens_and_no_amount() -> None:
    (unpriced,) = (one for one in plain(full())["lines"] if one["kind"] == "unpriced")
    assert unpriced["tokens"] == 77
    assert not {"amount", "amount_usd", "price", "currency"} & unpriced.keys()


def test_demand_says_when_it_was() -> None:
    (found,) = (one for one in plain(full())["lines"] if one["kind"] == "demand")
    assert found["peak_hour"] == "2026-05-06T07:00:00Z"
    assert (found["demand_tokens_per_second"], found["demand_price"]) == (2, "0.05")


def test_classes_of_price_are_told_and_units_are_no_tokens() -> None:
    bill = plain(
        billed(
            statement(
                line("energy", 1, "1", service_tier="batch", context_band=200_000),
                line("energy", 7, "1", unit="pages", token_class=""),
            )
        )
    )
    batch, pages = bill["lines"]
    assert (batch["service_tier"], batch["context_band"], batch["tokens"]) == ("batch", 200_000, 1)
    assert (pages["unit"], pages["quantity"]) == ("pages", 7)
    assert not {"tokens", "service_tier", "context_band", "token_class"} & pages.keys()


def test_what_was_converted_says_how_and_usd_is_only_in_bills_in_usd() -> None:
    given = statement(line("energy", 1, "100"), demand("1"), adjustments=[adjustment(1, "-2")])
    bill = plain(billed(given, currency="CNY"))
    rate = {
        "from": "USD",
        "to": "CNY",
        "date": "2026-05-29",
        "rate": "7.1174",
        "source": "a bank",
        "source_date": "2026-06-01",
    }
    first = bill["lines"][0]
    assert (first["amount"], first["currency"]) == ("100", "USD")
    assert (first["billed_amount"], first["rate"]) == ("711.7400", rate)
    assert bill["adjusting_events"][0]["billed_amount"] == "-14.2348"
    assert bill["rates"] == [rate]
    assert not [name for name in bill if name.endswith("_usd")]
    assert Decimal(bill["total"]) == Decimal("7.1174") * 101


def test_terms_are_told() -> None:
    settings = StatementSettings.model_validate(
        {"version": "1", "taxes": [{"name": "VAT", "percent": "7.5"}], "issuer": {"name": "X"}}
    )
    bill = plain(billed(full_statement(), settings))
    assert bill["invoice_number"].startswith("202605-")
    assert (bill["issued"], bill["due_date"]) == ("2026-06-03", "2026-07-03")
    assert bill["issuer"] == {"name": "X"}
    assert bill["taxes"] == [{"name": "VAT", "percent": "7.5", "amount": "0.14"}]
    assert (bill["net"], bill["due"]) == ("1.90", "2.04")
    assert plain(full(running=True))["invoice_number"] is None
    assert bill["month_before"]["tokens"] == 2_000_005
    assert Decimal(bill["month_before"]["total"]) == Decimal("2.41")


def test_adjusting_events_say_why() -> None:
    (event,) = plain(full())["adjusting_events"]
    assert (event["event_id"], event["adjusts"]) == ("credit-1", "req-1")
    assert event["reason"] == "stream broke off"

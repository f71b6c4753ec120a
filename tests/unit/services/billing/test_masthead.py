"""The head of a bill: what it is called, who is on it, and what is to be known first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.billing.masthead import Masthead, masthead
from services.billing.terms import StatementSettings
from tests.unit.services.billing.bills import billed, line, statement

ISSUED = StatementSettings.model_validate(
    {
        "version": "1",
        "issuer": {"name": "X", "lines": ["Street"], "tax_id": "DE1"},
        "payment": ["I"],
    }
)
PLAIN = StatementSettings(version="1")


def head(amount: str, settings: StatementSettings = ISSUED, *, running: bool = False) -> Masthead:
    return masthead(billed(statement(line("energy", 5, amount), running=running), settings))


@pytest.mark.parametrize(
    ("amount", "settings", "running", "title", "due", "paid"),
    [
        ("5", ISSUED, False, "Invoice", "Amount due", True),
        ("0", ISSUED, False, "Invoice", "Amount due", False),
        ("-5", ISSUED, False, "Credit note", "Credit balance", False),
        ("5", ISSUED, True, "Statement of account", "Amount due", False),
        ("5", PLAIN, False, "Statement of account", "Amount due", False),
    ],
)
def test_what_it_is_called_and_whether_it_asks_for_payment(
    amount: str, settings: StatementSettings, running: bool, title: str, due: str, paid: bool
) -> None:
    found = head(amount, settings, running=running)
    assert (found.title, found.due_label, bool(found.payment)) == (title, due, paid)
    assert ("Due" in dict(found.facts)) == (amount == "5" and not running)


def test_parties_are_a_name_and_lines() -> None:
    found = head("5")
    assert found.issuer == ("X", "Street", "DE1")
    assert found.customer == ("acme",)
    assert "Tenant" not in dict(found.facts), "it is the customer's name"


def test_warnings_say_what_the_amount_leaves_out() -> None:
    given = statement(line("unpriced", 77, None), running=True)
    preliminary, unpriced = masthead(billed(given)).warnings
    assert "preliminary" in preliminary and "77 tokens have no price" in unpriced
    assert masthead(billed(replace(given, lines=(), running=False))).warnings == (
        "Nothing was used in this period.",
    )

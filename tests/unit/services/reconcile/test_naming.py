"""One name of a model on both sides, whatever the bill and the gateways call it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from schemas.catalogue.names import Names
from services.reconcile.bill import Bill, Billed, Key, one_day
from services.reconcile.naming import Naming

DAY = one_day(date(2026, 10, 1))


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(load_catalogue(Path("schemas/catalogue")))


@pytest.mark.parametrize(
    ("billed", "named"),
    [
        (("openai", "gpt-5.6-luna-2026-07-30"), ("openai", "gpt-5.6-luna")),
        (("OpenAI", "gpt-5.6-luna"), ("openai", "gpt-5.6-luna")),
        (("", "anthropic/claude-opus-5-5"), ("anthropic", "claude-opus-5.5")),
        (("", "unheard-of-2026-01-31"), ("", "unheard-of")),
        (("Solora AI", "Unheard-Of-20260131"), ("Solora AI", "unheard-of")),
        (("openai", ""), ("openai", "")),
    ],
)
def test_names_of_a_line(names: Names, billed: tuple[str, str], named: tuple[str, str]) -> None:
    assert Naming(names).of_bill(*billed) == named


def test_a_provider_that_is_given_is_that_of_all_lines(names: Names) -> None:
    naming = Naming(names, "Azure")
    assert naming.of_bill("openai", "gpt-5.6-luna") == ("azure.ai.openai", "gpt-5.6-luna")


def test_lines_that_only_a_name_told_apart_are_added_up(names: Names) -> None:
    lines = {
        Key(DAY, "openai", "gpt-5.6-luna-2026-07-30", "output"): Billed(3, 1, Decimal("0.1"), 1),
        Key(DAY, "openai", "gpt-5.6-luna", "output"): Billed(4, 0, None, 0),
    }
    requests = {(DAY, "openai", "gpt-5.6-luna-2026-07-30"): 1, (DAY, "openai", "gpt-5.6-luna"): 2}
    bill = Bill("made up", "USD", 2, (DAY,), frozenset({"openai"}), lines, requests, (), ())
    found = Naming(names).named(bill)
    assert found.lines == {
        Key(DAY, "openai", "gpt-5.6-luna", "output"): Billed(7, 1, Decimal("0.1"), 1)
    }
    assert found.requests == {(DAY, "openai", "gpt-5.6-luna"): 3}
    assert found.providers == {"openai"}

"""Anthropic's usage and costs, of its API and of its console."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.platform.errors import ConfigurationError
from services.reconcile.bill import Days
from services.reconcile.formats.anthropic import model_of
from services.reconcile.formats.detecting import Reader
from tests.unit.services.reconcile.formats.golden import (
    LONG,
    OCTOBER,
    SHORT,
    amounts,
    quantities,
    read,
)

OPUS = "claude-opus-5-5"


def test_usage_has_three_kinds_of_input_that_do_not_overlap() -> None:
    bill = read("anthropic_usage.json")
    assert quantities(bill) == {
        (1, OPUS, "uncached_input", "standard", SHORT): 1500,
        (1, OPUS, "cache_read", "standard", SHORT): 200,
        (1, OPUS, "cache_write_5m", "standard", SHORT): 500,
        (1, OPUS, "cache_write_1h", "standard", SHORT): 1000,
        (1, OPUS, "output", "standard", SHORT): 500,
        (1, OPUS, "uncached_input", "batch", LONG): 310_000,
        (1, OPUS, "output", "batch", LONG): 900,
        (1, OPUS, "web_searches"): 10,
    }
    assert bill.covered == (OCTOBER[0], OCTOBER[1])
    assert bill.requests == {}, "the report counts none, which is not 0"
    assert not bill.tells_amounts


def test_costs_are_in_cents_and_become_dollars() -> None:
    bill = read("anthropic_costs.json")
    assert amounts(bill) == {
        (1, OPUS, "uncached_input", "standard", SHORT): "0.006",
        (1, OPUS, "cache_write_5m", "standard", SHORT): "0.003125",
        (1, "", "web_searches"): "0.1",
    }
    assert (bill.currency, bill.places) == ("USD", 6)
    (code,) = bill.left_out
    assert (code.what, code.amount) == ("Code Execution Usage", Decimal("0.055"))


def test_the_consoles_usage_covers_the_days_between() -> None:
    bill = read("anthropic_usage.csv")
    assert quantities(bill) == {
        (1, "claude-haiku-4-5-20251001", "uncached_input", "standard", SHORT): 189,
        (1, "claude-haiku-4-5-20251001", "cache_read", "standard", SHORT): 61_624,
        (1, "claude-haiku-4-5-20251001", "cache_write_5m", "standard", SHORT): 61_624,
        (1, "claude-haiku-4-5-20251001", "output", "standard", SHORT): 675,
        (3, "claude-haiku-4-5-20251001", "uncached_input", "fast", SHORT): 10,
        (3, "claude-haiku-4-5-20251001", "output", "fast", SHORT): 5,
        (3, "claude-haiku-4-5-20251001", "web_searches"): 2,
    }
    assert bill.covered == tuple(OCTOBER[:3])


def test_the_consoles_costs_are_rounded_to_cents_row_by_row() -> None:
    bill = read("anthropic_costs.csv")
    assert amounts(bill) == {
        (1, "claude-haiku-4-5", "uncached_input", SHORT): "0.05",
        (1, "claude-haiku-4-5", "output", SHORT): "0.12",
        (2, "claude-3-5-sonnet-20241022", "cache_write_1h", "batch", LONG): "1",
    }
    assert bill.places == 2
    output = next(one for key, one in bill.lines.items() if key.billed_as == "output")
    assert output.amounts == 2, "two keys, each rounded by itself"


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("Claude Haiku 4.5", "claude-haiku-4-5"),
        ("Claude 3.5 Sonnet 2024-10-22", "claude-3-5-sonnet-20241022"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("", ""),
    ],
)
def test_the_console_shows_models_by_other_names(shown: str, name: str) -> None:
    assert model_of(shown) == name


def costs(**fields: Any) -> str:
    bucket = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}
    named = {"currency": "USD", "amount": "1", "cost_type": "tokens", "model": OPUS}
    return json.dumps({"data": [bucket | {"results": [named | fields]}], "has_more": False})


def test_costs_that_are_not_grouped_are_of_all_together() -> None:
    reader = Reader()
    reader.read("file", costs(cost_type=None, model=None))
    (bill,) = reader.bills()
    assert amounts(bill) == {(1, "", "all"): "0.01"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (costs(token_type="magic_tokens"), "token_type is 'magic_tokens' and must be one of"),
        (costs(amount=None), "amount is missing"),
        (costs().replace("-02T00", "-01T00"), "the period ends at"),
        (costs().replace("2026-10-01T00", "soon"), "starting_at is 'soon:00:00Z'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        Reader().read("file", text)
    assert str(error.value).startswith("file: data[0]")


def test_usage_of_which_a_part_is_missing_is_an_error_and_not_0() -> None:
    text = json.dumps(
        {
            "data": [
                {
                    "starting_at": "2026-10-01T00:00:00Z",
                    "ending_at": "2026-10-02T00:00:00Z",
                    "results": [{"uncached_input_tokens": 1, "cache_read_input_tokens": 0}],
                }
            ]
        }
    )
    with pytest.raises(ConfigurationError, match="ephemeral_5m_input_tokens is missing"):
        Reader().read("file", text)


def test_a_bucket_of_several_days_is_one_period() -> None:
    reader = Reader()
    reader.read("file", costs(token_type="output_tokens").replace("10-02T00", "11-01T00"))
    (bill,) = reader.bills()
    assert {key.days for key in bill.lines} == {Days(date(2026, 10, 1), date(2026, 11, 1))}
    assert bill.lines, "the whole month is covered, so its line is compared"

"""LiteLLM's spend logs and its export by day."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from services.platform.errors import ConfigurationError
from services.reconcile.bill import Bill
from services.reconcile.formats.detecting import Reader
from tests.unit.services.reconcile.formats.golden import (
    GOLDEN,
    OCTOBER,
    amounts,
    quantities,
    read,
)


def test_spend_logs_count_on_the_day_on_which_a_request_ended() -> None:
    bill = read("litellm_spend_logs.json")
    assert quantities(bill) == {
        (2, "gpt-5.6-luna", "uncached_input", "flex"): 176,
        (2, "gpt-5.6-luna", "cache_read", "flex"): 1024,
        (2, "gpt-5.6-luna", "output", "flex"): 140,
        (2, "anthropic/claude-opus-5-5", "uncached_input"): 1200,
        (2, "anthropic/claude-opus-5-5", "cache_read"): 500,
        (2, "anthropic/claude-opus-5-5", "cache_write"): 300,
        (2, "anthropic/claude-opus-5-5", "output"): 1000,
    }
    assert amounts(bill) == {
        (2, "gpt-5.6-luna", "all"): "0.000123",
        (2, "anthropic/claude-opus-5-5", "all"): "0.0105",
    }
    assert bill.requests == {
        (OCTOBER[1], "openai", "gpt-5.6-luna"): 1,
        (OCTOBER[1], "", "anthropic/claude-opus-5-5"): 1,
    }, "a failed call is no request of the bill"
    assert bill.covered == (OCTOBER[1],)
    assert bill.notes == (
        "LiteLLM: answers from its own cache, which no provider bills and nobody meters: 1",
    )


def test_rows_that_two_pages_both_have_count_once() -> None:
    bill = read("litellm_spend_logs.csv", "litellm_spend_logs.json")
    luna = {place[2]: n for place, n in quantities(bill).items() if place[1] == "gpt-5.6-luna"}
    assert luna == {"uncached_input": 176, "cache_read": 1024, "output": 140}
    assert bill.requests[OCTOBER[1], "openai", "gpt-5.6-luna"] == 1
    assert "LiteLLM: rows that two files had, each counted once: 2" in bill.notes


@pytest.mark.parametrize("form", ["lines", "page"])
def test_json_lines_and_pages_are_read_alike(form: str) -> None:
    rows = json.loads((GOLDEN / "litellm_spend_logs.json").read_text(encoding="utf-8"))
    text = "\n".join(map(json.dumps, rows)) if form == "lines" else json.dumps({"data": rows})
    reader = Reader()
    reader.read("file", text)
    (bill,) = reader.bills()
    assert bill == read("litellm_spend_logs.json")


def test_the_export_by_day_names_no_provider() -> None:
    bill = read("litellm_days.csv")
    assert quantities(bill) == {
        (1, "gpt-5.6-luna", "uncached_input"): 480_000,
        (1, "gpt-5.6-luna", "cache_read"): 120_000,
        (1, "gpt-5.6-luna", "output"): 90_000,
    }
    assert amounts(bill) == {(1, "gpt-5.6-luna", "all"): "1.25"}
    assert bill.providers == {""}
    assert bill.requests == {(OCTOBER[0], "", "gpt-5.6-luna"): 415}


def logs(**fields: object) -> Bill:
    row = {
        "request_id": "made-up",
        "spend": Decimal("0.1"),
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "endTime": "2026-10-02T10:00:00Z",
        "model": "m",
        "custom_llm_provider": "openai",
    }
    reader = Reader()
    reader.read("file", json.dumps([row | fields], default=str))
    (bill,) = reader.bills()
    return bill


def test_what_a_log_does_not_tell_of_the_cache_is_in_all_input() -> None:
    assert quantities(logs()) == {(2, "m", "uncached_input"): 10, (2, "m", "output"): 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt_tokens": None}, "prompt_tokens is missing"),
        ({"spend": ""}, "spend is missing"),
        ({"request_id": ""}, "request_id is missing"),
        ({"endTime": "yesterday"}, "endTime is 'yesterday'"),
        (
            {"metadata": {"usage_object": {"cache_read_input_tokens": 11}}},
            "of 10 prompt_tokens 11 were cached",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"file\[0\].*{message}"):
        logs(**fields)

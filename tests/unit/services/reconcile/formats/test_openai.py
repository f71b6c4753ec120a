"""OpenAI's usage and costs, each token in one class and each day of the file covered."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from services.platform.errors import ConfigurationError
from services.reconcile.bill import Bill
from services.reconcile.formats.detecting import Reader
from tests.unit.services.reconcile.formats.golden import OCTOBER, amounts, quantities, read

LUNA = "gpt-5.6-luna-2026-07-30"


def test_usage_is_told_by_class_and_tier() -> None:
    bill = read("openai_usage_completions.json")
    assert quantities(bill) == {
        (1, LUNA, "uncached_input", "standard"): 1_204_533 - 410_624 - 12_000 - 900 - 100,
        (1, LUNA, "cache_read", "standard"): 410_624 - 128,
        (1, LUNA, "cache_read_audio", "standard"): 128,
        (1, LUNA, "cache_write", "standard"): 12_000,
        (1, LUNA, "audio_input", "standard"): 900,
        (1, LUNA, "image_input", "standard"): 100,
        (1, LUNA, "output", "standard"): 88_120 - 500,
        (1, LUNA, "audio_output", "standard"): 500,
        (1, LUNA, "uncached_input", "batch"): 500_000,
        (1, LUNA, "output", "batch"): 20_000,
    }
    assert sum(quantities(bill).values()) == 1_204_533 + 88_120 + 500_000 + 20_000
    assert bill.requests == {(OCTOBER[0], "openai", LUNA): 1013}
    assert bill.covered == (OCTOBER[0], OCTOBER[1]), "a day without usage is a day of the bill"
    assert not bill.tells_amounts
    assert "further pages (has_more)" in bill.notes[0]


def test_the_dashboards_csv_says_the_same_with_decimal_points() -> None:
    bill = read("openai_usage.csv")
    assert quantities(bill) == {
        (1, LUNA, "uncached_input", "standard"): 53_440,
        (1, LUNA, "cache_read", "standard"): 5_760,
        (1, LUNA, "output", "standard"): 10_646,
        (1, LUNA, "uncached_input", "priority"): 38_072,
        (1, LUNA, "cache_read", "priority"): 8_192,
        (1, LUNA, "output", "priority"): 60_000,
    }
    assert bill.requests == {(OCTOBER[0], "openai", LUNA): 18}
    assert bill.covered == (OCTOBER[0], OCTOBER[1])


def test_costs_are_told_by_line_item() -> None:
    bill = read("openai_costs.json")
    assert amounts(bill) == {
        (1, LUNA, "uncached_input"): "0.1563818",
        (1, LUNA, "cache_read"): "0.00820992",
        (1, LUNA, "output"): "0.105144",
        (1, LUNA, "output", "priority"): "0.5",
        (1, "gpt-audio-mini-2025-12-15", "cache_read_audio"): "0.02",
        (1, "", "web_searches"): "0.25",
    }
    assert quantities(bill)[1, LUNA, "output"] == 87_620
    assert (bill.currency, bill.places) == ("USD", 8)
    (storage,) = bill.left_out
    assert (storage.what, storage.rows, storage.amount) == ("Vector storage", 1, Decimal("0.0031"))


def test_costs_that_are_not_grouped_are_of_all_together() -> None:
    bill = read("openai_costs.csv")
    assert amounts(bill) == {(1, "", "all"): "0.895874", (3, "", "all"): "0.3409"}
    assert bill.covered == (OCTOBER[0], OCTOBER[1], OCTOBER[2])


def usage(**fields: Any) -> dict[str, Any]:
    named = {"object": "organization.usage.completions.result", "model": "m"}
    return named | {"num_model_requests": 1} | fields


def page(*results: dict[str, Any], start: int = 1_790_812_800, width: int = 86_400) -> str:
    bucket = {"object": "bucket", "start_time": start, "end_time": start + width}
    return json.dumps({"object": "page", "data": [bucket | {"results": list(results)}]})


def read_text(*texts: str) -> Bill:
    reader = Reader()
    for number, text in enumerate(texts):
        reader.read(f"file {number}", text)
    (bill,) = reader.bills()
    return bill


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        # What is not told is in a larger class, and is not 0.
        ({"input_tokens": 100, "output_tokens": 7}, {"uncached_input": 100, "output": 7}),
        (
            {"input_tokens": 100, "output_tokens": 7, "input_cached_tokens": 40},
            {"uncached_input": 60, "cache_read": 40, "output": 7},
        ),
        # Before uncached was told, audio included what was cached of it.
        (
            {
                "input_tokens": 100,
                "output_tokens": 7,
                "input_audio_tokens": 30,
                "input_cached_audio_tokens": 10,
                "input_cached_tokens": 40,
            },
            {
                "uncached_input": 40,
                "cache_read": 30,
                "audio_input": 20,
                "cache_read_audio": 10,
                "output": 7,
            },
        ),
    ],
)
def test_each_token_is_in_one_class(told: dict[str, int], parts: dict[str, int]) -> None:
    bill = read_text(page(usage(**told)))
    assert {key.billed_as: one.quantity for key, one in bill.lines.items()} == parts


@pytest.mark.parametrize(
    ("told", "tier"),
    [
        ({}, ""),
        ({"batch": False}, "not batch"),
        ({"batch": True}, "batch"),
        ({"batch": False, "service_tier": "flex"}, "flex"),
        ({"batch": True, "service_tier": "default"}, "batch"),
        ({"service_tier": "Gold"}, "gold"),
    ],
)
def test_tiers_as_far_as_a_row_is_grouped_by_them(told: dict[str, Any], tier: str) -> None:
    bill = read_text(page(usage(input_tokens=1, output_tokens=1, **told)))
    assert {key.service_tier for key in bill.lines} == {tier}


def test_embeddings_and_searches_have_pages_of_their_own() -> None:
    embeddings = {
        "object": "organization.usage.embeddings.result",
        "input_tokens": 50,
        "num_model_requests": 2,
        "model": "text-embedding-3-small",
    }
    searches = {"object": "organization.usage.web_searches.result", "model": "m"}
    bill = read_text(
        page(usage(input_tokens=100, output_tokens=7)),
        page(embeddings),
        page(searches | {"num_requests": 9, "num_model_requests": 4}),
        page({"object": "organization.usage.audio_transcriptions.result", "seconds": 12}),
        page({"object": "organization.usage.vector_stores.result", "usage_bytes": 12}),
    )
    assert {(key.model, key.billed_as): one.quantity for key, one in bill.lines.items()} == {
        ("m", "uncached_input"): 100,
        ("m", "output"): 7,
        ("text-embedding-3-small", "uncached_input"): 50,
        ("m", "web_searches"): 9,
        ("", "audio_milliseconds"): 12_000,
    }
    assert bill.requests == {
        (OCTOBER[0], "openai", "m"): 1,
        (OCTOBER[0], "openai", "text-embedding-3-small"): 2,
    }
    assert [one.what for one in bill.left_out] == ["usage of vector stores"]


def test_a_day_of_which_the_file_has_a_part_is_not_compared() -> None:
    hours = [
        page(usage(input_tokens=1, output_tokens=1), start=1_790_812_800 + 3600 * n, width=3600)
        for n in range(23)
    ]
    with pytest.raises(AssertionError):
        assert read_text(*hours).covered
    whole = read_text(*hours, page(start=1_790_812_800 + 3600 * 23, width=3600))
    assert whole.covered == (OCTOBER[0],)
    assert quantities(whole)[1, "m", "output"] == 23
    assert "only a part: 2026-10-01" in read_text(*hours).notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (page(usage(output_tokens=1)), "input_tokens is missing"),
        (page(usage(input_tokens=-1, output_tokens=1)), "a whole number of at least 0"),
        (page(usage(input_tokens=1.5, output_tokens=1)), "a whole number of at least 0"),
        (page(usage(input_tokens=True, output_tokens=1)), "must be a number"),
        (page(usage(input_tokens=1, output_tokens=1, input_cached_tokens=2)), "exceed their total"),
        (page(usage(input_tokens=1, output_tokens=1), width=90_000), "not within one UTC day"),
        (page({"object": "organization.costs.result", "amount": {}}), "amount is missing"),
        (page({"amount": {"value": 1.0}}), "has no currency"),
        (page({"amount": {"value": "x", "currency": "usd"}}), "must be a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        read_text(text)
    assert str(error.value).startswith("file 0: data[0]")


def test_a_page_that_is_given_twice_would_count_twice() -> None:
    one = page(usage(input_tokens=1, output_tokens=1))
    with pytest.raises(ConfigurationError, match="give each page once"):
        read_text(one, one)


def test_two_currencies_are_two_bills() -> None:
    costs = [{"amount": {"value": 1, "currency": name}} for name in ("usd", "eur")]
    with pytest.raises(ConfigurationError, match="amounts in USD and EUR"):
        read_text(page(*costs))

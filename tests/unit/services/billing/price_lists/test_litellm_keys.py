"""LiteLLM's keys, read one by one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from services.billing.price_lists.drawn import NotTaken
from services.billing.price_lists.litellm_keys import Key, parse, rates_of


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("input_cost_per_token", Key("uncached_input", "standard", 0)),
        ("output_cost_per_token_batches", Key("output", "batch", 0)),
        ("cache_creation_input_token_cost_above_1hr", Key("cache_write_1h", "standard", 0)),
        (
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
            Key("cache_write_1h", "standard", 200_000),
        ),
        (
            "cache_read_input_token_cost_above_272k_tokens_priority",
            Key("cache_read", "priority", 272_000),
        ),
        ("input_cost_per_audio_token_above_200k_tokens_flex", Key("audio_input", "flex", 200_000)),
        ("output_cost_per_reasoning_token", Key("reasoning", "standard", 0)),
        ("cache_creation_input_token_cost_above_12hr", None),
        ("output_cost_per_token_above_1hr", None),
        ("input_cost_per_token_ultrafast", None),
        ("input_cost_per_pixel", None),
    ],
)
def test_a_key_says_class_tier_and_length(name: str, key: Key | None) -> None:
    assert parse(name, inclusive=False) == key


def test_where_a_threshold_itself_is_dearer_the_band_below_it_ends_one_token_earlier() -> None:
    key = parse("output_cost_per_token_above_200k_tokens", inclusive=True)
    assert key == Key("output", "standard", 199_999)
    assert parse("output_cost_per_token", inclusive=True) == Key("output", "standard", 0)


def rates(**entry: Any) -> Any:
    return rates_of(
        {
            name: Decimal(v) if isinstance(v, str) and "cost" in name else v
            for name, v in entry.items()
        },
        inclusive=False,
    )


def test_prices_of_one_become_prices_of_a_million_tokens_and_of_a_thousand_units() -> None:
    found = rates(
        mode="audio_transcription",
        input_cost_per_token="1.25E-7",
        input_cost_per_second="0.0001",
        ocr_cost_per_page="0.004",
    )
    assert found.tokens == {Key("uncached_input", "standard", 0): Decimal("0.125")}
    assert found.units == {"audio_milliseconds": Decimal("0.0001"), "pages": Decimal(4)}


def test_searches_have_one_price_or_none_that_can_be_told() -> None:
    same = {"low": Decimal("0.01"), "high": Decimal("0.01")}
    assert rates(search_context_cost_per_query=same).units == {"web_searches": Decimal(10)}
    other = rates(search_context_cost_per_query=same | {"high": Decimal("0.02")})
    assert other.units == {}
    assert other.remarks == ("not taken over: search_context_cost_per_query",)


def test_ranges_of_length_are_bands() -> None:
    ranges = [
        {"range": [0, Decimal("32000.0")], "input_cost_per_token": Decimal("1E-6")},
        {
            "range": [Decimal("32000.0"), Decimal("128000.0")],
            "input_cost_per_token": Decimal("2E-6"),
        },
    ]
    assert rates(tiered_pricing=ranges).tokens == {
        Key("uncached_input", "standard", 0): Decimal(1),
        Key("uncached_input", "standard", 32_000): Decimal(2),
    }
    with pytest.raises(NotTaken, match="something else than length"):
        rates(tiered_pricing=[{"max_results_range": [0, 25]}])


def test_what_is_told_twice_is_no_remark_and_what_is_unknown_is_one() -> None:
    again = {"input_dbu_cost_per_token": "0.1", "input_cost_per_token_cache_hit": "0.1"}
    assert rates(**again).remarks == ()
    assert rates(input_cost_per_pixel="0.1").remarks == ("not taken over: input_cost_per_pixel",)


def test_what_is_charged_for_each_request_is_not_taken() -> None:
    with pytest.raises(NotTaken, match="for each request"):
        rates(input_cost_per_token="1E-6", input_cost_per_request="0.01")


def test_a_price_that_is_no_number_is_not_taken() -> None:
    with pytest.raises(NotTaken, match="input_cost_per_token is no number"):
        rates_of({"input_cost_per_token": "free"}, inclusive=False)

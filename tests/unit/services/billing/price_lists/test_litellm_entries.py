"""Entries of LiteLLM's price file as tariffs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.catalogue.listed_tariffs import ListedTariff, ListSource
from services.billing.price_lists.litellm_entries import draw, names_of, provider_of
from services.billing.price_lists.litellm_package import read_entries
from tests.unit.services.billing.price_lists.fakes import DAY

USD = {"input_cost_per_token": "2E-6", "output_cost_per_token": "6E-6"}


def entry(provider: str = "openai", **more: Any) -> dict[str, Any]:
    said = {"litellm_provider": provider} | USD | more
    return {name: Decimal(v) if "cost" in name else v for name, v in said.items()}


def drawn(key: str = "m", **more: Any) -> ListedTariff:
    return draw(key, entry(**more), "litellm.openai", "litellm 1", DAY)


def output(tariff: ListedTariff, tier: str = "", above: int = 0) -> Decimal | None:
    found = tariff.versions[0].variant_for(tier, above)
    return None if found is None else found.prices["flat"].price("output")


def test_a_price_says_its_package_and_the_page_if_the_file_names_one() -> None:
    assert drawn().versions[0].source == "litellm 1"
    assert drawn(source="https://a.example").versions[0].source == "litellm 1, https://a.example"
    assert output(drawn()) == 6


@pytest.mark.parametrize(
    ("key", "provider", "names"),
    [
        ("GPT-5", "openai", ("gpt-5",)),
        ("azure/gpt-5", "azure", ("gpt-5", "azure/gpt-5")),
        ("bedrock/us-east-1/m", "bedrock", ("us-east-1/m", "bedrock/us-east-1/m")),
        ("vertex_ai/m", "vertex_ai-mistral_models", ("m", "vertex_ai/m")),
        ("other/m", "vertex_ai-language-models", ("other/m",)),
    ],
)
def test_a_model_is_named_with_and_without_its_provider(
    key: str, provider: str, names: tuple[str, ...]
) -> None:
    assert names_of(key, entry(provider)) == names


def test_kinds_of_models_are_no_part_of_a_provider() -> None:
    kinds = ["vertex_ai-language-models", "fireworks_ai-embedding-models", "cohere_chat"]
    assert [provider_of(entry(kind)) for kind in kinds] == [
        "vertex_ai",
        "fireworks_ai",
        "cohere_chat",
    ]


def test_a_tier_is_taken_if_it_prices_all_that_the_standard_tier_does() -> None:
    batch = {"input_cost_per_token_batches": "1E-6", "output_cost_per_token_batches": "3E-6"}
    assert output(drawn(**batch), "batch") == 3
    cached = drawn(**batch, cache_read_input_token_cost="2E-7")
    assert output(cached, "batch") is None
    assert cached.remarks == ("batch is not taken over: it has no price of cache_read",)


def test_reasoning_that_costs_what_output_does_needs_no_price_in_a_tier() -> None:
    flex = {"input_cost_per_token_flex": "1E-6", "output_cost_per_token_flex": "3E-6"}
    assert output(drawn(**flex, output_cost_per_reasoning_token="6E-6"), "flex") == 3
    assert output(drawn(**flex, output_cost_per_reasoning_token="7E-6"), "flex") is None


def test_a_tier_needs_the_lengths_that_the_standard_tier_has() -> None:
    long = {
        "input_cost_per_token_above_272k_tokens": "4E-6",
        "input_cost_per_token_priority": "4E-6",
        "output_cost_per_token_priority": "1.2E-5",
    }
    tariff = drawn(**long)
    assert output(tariff, above=272_000) == 6
    assert tariff.versions[0].variant_for("", 272_000) != tariff.versions[0].variant_for("", 0)
    assert "uncached_input above 272,000 input tokens" in tariff.remarks[0]


def test_digits_beyond_those_of_a_tariff_are_rounded_and_remarked() -> None:
    tariff = drawn(output_cost_per_token="2.0000000000000002E-7")
    assert output(tariff) == Decimal("0.2")
    assert tariff.remarks == ("output: 0.20000000000000002 is rounded to 0.2",)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({name: "0.0" for name in USD}, "only prices of 0"),
        ({"input_cost_per_token_above_7k_tokens": "1"}, "above 7,000 tokens"),
        ({"output_cost_per_token": "2"}, "more than 1,000,000 USD"),
    ],
)
def test_what_is_not_taken_says_why(more: dict[str, str], reason: str) -> None:
    tariff = drawn(**more)
    assert tariff.not_taken is not None and reason in tariff.not_taken


def test_an_entry_that_is_not_taken_or_is_there_twice_is_skipped_with_the_reason() -> None:
    source = ListSource(source="litellm", version="1", license="MIT", first_seen=DAY)
    reading = read_entries(
        {
            "sample_spec": {},
            "m": entry(),
            "openai/m": entry(output_cost_per_token="7E-6"),
            "openai/n": entry(mode="image_generation"),
            "n": entry(),
            "free": {"litellm_provider": "openai", "mode": "chat"},
            "nobody": {"mode": "search"},
        },
        source,
        lambda provider: f"litellm.{provider}",
    )
    assert [one.tariff for one in reading.tariffs] == ["litellm.openai/m", "litellm.openai/n"]
    assert {one.model: one.reason for one in reading.skipped} == {
        "openai/m": "is there twice, with other prices: the first is taken",
        "openai/n": "is there twice, with the same prices: the first is taken",
        "free": "has no price of tokens, or of units that are known here",
        "nobody": "does not say who serves it",
    }

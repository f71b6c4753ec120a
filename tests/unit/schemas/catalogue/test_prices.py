"""What a token class costs: its own price, or that of the class it is billed as."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schemas.catalogue.prices import BILLED_AS, TOKEN_CLASSES, ClassPrices, PriceVariant, TokenClass

PRICES: dict[str, Any] = {
    "uncached_input": "1",
    "cache_read": "0.1",
    "cache_write": {"same_as": "uncached_input"},
    "output": "6",
    "reasoning": {"same_as": "output"},
}


def test_a_class_is_billed_at_its_own_price_or_as_another() -> None:
    prices = ClassPrices.model_validate(PRICES)
    assert prices.price("reasoning") == Decimal(6)
    assert prices.billed_as("reasoning") == "output"
    assert prices.billed_as("cache_read") == "cache_read"


@pytest.mark.parametrize("missing", PRICES)
def test_no_class_that_every_list_has_may_be_left_out(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        ClassPrices.model_validate({key: PRICES[key] for key in PRICES if key != missing})


def test_classes_that_few_lists_have_are_billed_as_the_ones_that_all_have() -> None:
    assert set(TOKEN_CLASSES) == set(get_args(TokenClass)) == set(PRICES) | set(BILLED_AS)
    prices = ClassPrices.model_validate(PRICES)
    assert {name: prices.billed_as(name) for name in TOKEN_CLASSES if name not in PRICES} == {
        # Cache writes are themselves billed as uncached input here.
        "cache_write_5m": "uncached_input",
        "cache_write_1h": "uncached_input",
        "audio_input": "uncached_input",
        "image_input": "uncached_input",
        "cache_read_audio": "cache_read",
        "cache_read_image": "cache_read",
        "audio_output": "output",
        "image_output": "output",
    }
    assert prices.price("cache_read_image") == Decimal("0.1")
    own = ClassPrices.model_validate(PRICES | {"cache_write_1h": "2", "cache_write": "1.25"})
    assert own.price("cache_write_1h") == 2
    assert (own.billed_as("cache_write_5m"), own.price("cache_write_5m")) == (
        *("cache_write", Decimal("1.25")),
    )


@pytest.mark.parametrize(
    ("price", "complaint"),
    [
        (0.1, "float"),
        ("-1", "greater than or equal to 0"),
        ("1000000.000000001", "less than or equal to 1000000"),
        ("0.0000000001", "decimal places"),
        ("NaN", "finite"),
        ({"same_as": "reasoning"}, "its own price"),
        ({"same_as": "audio_output"}, "its own price"),
    ],
)
@pytest.mark.parametrize("name", ["output", "image_output"])
def test_prices_that_are_none(name: str, price: object, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ClassPrices.model_validate(PRICES | {name: price})


def test_a_variant_names_a_tier_and_a_threshold_that_there_may_be() -> None:
    variant = {"prices": {"flat": PRICES}}
    assert PriceVariant.model_validate(variant).name == "standard"
    above = {"service_tier": "batch", "above_input_tokens": 272_000}
    assert PriceVariant.model_validate(variant | above).name == "batch above 272,000 input tokens"
    for wrong, complaint in (
        ({"service_tier": "cheap"}, "'cheap' is no service tier: standard, batch"),
        ({"above_input_tokens": -1}, "greater than or equal to 0"),
        ({"above_input_tokens": 2**32}, "less than or equal to"),
        ({"prices": {}}, "at least 1 item"),
    ):
        with pytest.raises(ValidationError, match=complaint):
            PriceVariant.model_validate(variant | wrong)

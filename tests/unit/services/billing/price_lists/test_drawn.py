"""Prices cut to the decimals of a tariff, and classes that are billed as others."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.catalogue.prices import TOKEN_CLASSES, TokenClass
from services.billing.price_lists.drawn import NotTaken, class_prices, plain, rounded


def test_a_price_that_fits_is_told_by_no_remark_and_another_by_one() -> None:
    assert rounded(Decimal("0.30"), 1, "output") == (Decimal("0.3"), ())
    price, remark = rounded(Decimal("0.11"), 3600, "audio_milliseconds")
    assert price == Decimal("0.000030556")
    assert remark == ("audio_milliseconds: 0.0000305555555555555556 is rounded to 0.000030556",)


@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity", "1000001"])
def test_what_no_price_can_be_is_not_taken(wrong: str) -> None:
    with pytest.raises(NotTaken, match="output"):
        rounded(Decimal(wrong), 1, "output")


def test_prices_are_written_without_exponents_and_zeros() -> None:
    assert [plain(Decimal(text)) for text in ("1E-7", "2.50", "100", "1E+2", "0.0")] == [
        *("0.0000001", "2.5", "100", "100"),
        "0",
    ]


def billed(**tokens: str) -> dict[TokenClass, TokenClass]:
    prices = class_prices({name: Decimal(price) for name, price in tokens.items()})  # type: ignore[misc]
    return {
        name: prices.billed_as(name) for name in TOKEN_CLASSES if prices.billed_as(name) != name
    }


def test_what_has_no_price_is_part_of_what_has_one() -> None:
    assert billed(uncached_input="2", output="6") == {
        "cache_read": "uncached_input",
        "cache_write": "uncached_input",
        "cache_write_5m": "uncached_input",
        "cache_write_1h": "uncached_input",
        "audio_input": "uncached_input",
        "image_input": "uncached_input",
        "cache_read_audio": "uncached_input",
        "cache_read_image": "uncached_input",
        "reasoning": "output",
        "audio_output": "output",
        "image_output": "output",
    }


def test_cached_audio_is_audio_where_only_that_has_a_price_and_cache_read_where_that_has() -> None:
    assert billed(uncached_input="2", audio_input="9")["cache_read_audio"] == "audio_input"
    assert billed(uncached_input="2", cache_read="1", audio_input="9")["cache_read_audio"] == (
        "cache_read"
    )
    assert billed(uncached_input="2", image_input="9")["cache_read_image"] == "image_input"


def test_an_embedding_costs_nothing_for_output_and_no_input_is_no_price() -> None:
    assert class_prices({"uncached_input": Decimal(1)}).price("reasoning") == 0
    with pytest.raises(NotTaken, match="none for input"):
        class_prices({"output": Decimal(1)})

"""Ids, meters and units of what is sold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.catalogue import TOKEN_CLASSES
from schemas.price_class import UNITS
from services.billing.focus.sku import TOKEN_METERS, UNIT_METERS, joined
from tests.unit.services.billing.focus.charges import OUTPUT

PARTS = st.lists(st.text("a/%2F", max_size=4), min_size=3, max_size=3)


def test_each_token_class_and_unit_has_a_meter_of_its_own() -> None:
    assert set(TOKEN_METERS) == set(TOKEN_CLASSES)
    assert set(UNIT_METERS) == set(UNITS)
    meters = [*TOKEN_METERS.values(), *(meter for meter, _ in UNIT_METERS.values())]
    assert len(set(meters)) == len(meters)


def test_a_sku_is_the_same_at_every_price() -> None:
    dear = replace(
        OUTPUT, region="eu", service_tier="priority", context_band=200_000, tou_period="peak"
    )
    assert dear.id == OUTPUT.id == "openai/gpt-5/output"
    assert OUTPUT.price_id == "openai/gpt-5/output/us-east/standard/0/flat"
    assert dear.price_id == "openai/gpt-5/output/eu/priority/200000/peak"


def test_a_tier_that_was_not_reported_has_the_price_of_standard() -> None:
    assert replace(OUTPUT, service_tier="standard").price_id == OUTPUT.price_id


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "azure"},
        {"model": "gpt-5-mini"},
        {"token_class": "reasoning"},
        {"region": "eu"},
        {"service_tier": "batch"},
        {"context_band": 128_000},
        {"tou_period": "peak"},
    ],
)
def test_whatever_a_price_depends_on_is_in_its_id(change: dict[str, str]) -> None:
    assert replace(OUTPUT, **change).price_id != OUTPUT.price_id  # type: ignore[arg-type]


@example(["a/", "", ""], ["a%2F", "", ""])
@example(["a", "b/c", ""], ["a/b", "c", ""])
@given(PARTS, PARTS)
def test_two_ids_are_equal_only_if_all_parts_are(one: list[str], other: list[str]) -> None:
    assert (joined(*one) == joined(*other)) == (one == other)


def test_units_are_those_of_focus() -> None:
    assert (OUTPUT.meter, OUTPUT.consumed_unit) == ("Output Tokens", "Tokens")
    assert OUTPUT.pricing_unit == "1000000 Tokens"
    video = replace(OUTPUT, token_class="", unit="video_milliseconds")
    assert (video.meter, video.consumed_unit) == ("Video", "Milliseconds")
    assert video.pricing_unit == "1000 Milliseconds"
    assert video.id == "openai/gpt-5/video_milliseconds"


def test_details_are_flat_json_with_marked_keys() -> None:
    batch = replace(OUTPUT, service_tier="batch", model='"五"')
    details = json.loads(batch.price_details)
    assert details == {
        "x_ContextBand": "0",
        "x_ModelName": '"五"',
        "x_ServiceTier": "batch",
        "x_TimeOfUsePeriod": "flat",
        "x_TokenClass": "output",
    }
    searches = replace(OUTPUT, token_class="", unit="web_searches")
    assert json.loads(searches.price_details)["x_Unit"] == "web_searches"


def test_a_description_says_what_the_price_depends_on() -> None:
    assert OUTPUT.description == "Output Tokens of gpt-5 at openai, standard tier"
    long = replace(OUTPUT, context_band=200_000, tou_period="off_peak")
    assert long.description.endswith("standard tier, input above 200,000 tokens, off_peak")

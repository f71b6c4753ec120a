"""Explanations hold for every field of the event, those added later too."""

from __future__ import annotations

import pytest

from schemas.usage_event import UsageEvent
from services.ingest.errors import EVENT_CODES
from services.ingest.explain import _CODES, EXPECTED, explain, shown_value


def test_every_field_says_what_it_takes() -> None:
    assert list(EXPECTED) == list(UsageEvent.model_fields)


def test_every_code_is_one_that_the_metrics_know() -> None:
    assert set(_CODES.values()) <= set(EVENT_CODES)
    assert explain({}, "x").code in EVENT_CODES


def test_fields_without_a_fault_give_what_the_decoder_said() -> None:
    whole = {name: "a" for name in ("id", "source", "tenant", "region", "provider", "model")}
    fields = whole | {"time": "2026-03-15T12:00:00Z", "input_tokens": 1, "output_tokens": 1}
    assert explain(fields, "as the decoder said").message == "as the decoder said"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (5, "the number 5"),
        (1.5, "the number 1.5"),
        (-(10**30), "an integer of more than 20 digits"),
        ("a", "the text 'a'"),
        ("a" * 41, "a text of 41 characters"),
        ([1], "an array"),
        ({}, "an object"),
    ],
)
def test_values_are_shown_short_and_in_the_words_of_json(value: object, shown: str) -> None:
    assert shown_value(value) == shown

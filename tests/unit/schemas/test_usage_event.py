"""The model's own rules, and the JSON Schema generated from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schemas import usage_event, wire
from schemas.event_rules import CLOSER_SUBSETS
from schemas.json_schema import JSON_SCHEMA_PATH, json_schema
from schemas.measures import MEASURES
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.usage_event import UsageEvent

FIELDS: dict[str, Any] = {
    "id": "a",
    "source": "gw",
    "tenant": "acme",
    "time": "2026-03-15T17:30:00+05:30",
    "region": "eu",
    "provider": "openai",
    "model": "m",
    "input_tokens": 10,
    "output_tokens": 5,
}


def test_committed_json_schema_is_the_generated_one() -> None:
    assert JSON_SCHEMA_PATH.read_text(encoding="utf-8") == json_schema()


def test_json_schema_requires_exactly_the_fields_without_a_default() -> None:
    assert set(json.loads(json_schema())["required"]) == set(FIELDS)


def test_time_is_utc_inside() -> None:
    event = UsageEvent.model_validate(FIELDS)
    assert event.time == datetime(2026, 3, 15, 12, tzinfo=UTC)
    assert event.time.tzinfo is UTC


def test_unreported_subset_is_not_zero() -> None:
    event = UsageEvent.model_validate(FIELDS)
    assert event.cache_read_input_tokens is None


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_no_required_field_is_made_up(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        UsageEvent.model_validate({name: FIELDS[name] for name in FIELDS if name != field})
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [
        ((field,), "missing")
    ]


def test_of_a_key_given_twice_the_last_counts() -> None:
    record = '{"id": "first", ' + json.dumps(FIELDS)[1:]
    assert UsageEvent.model_validate_json(record).id == "a"


def test_of_a_key_given_twice_both_must_be_valid() -> None:
    record = '{"input_tokens": -1, ' + json.dumps(FIELDS)[1:]
    with pytest.raises(ValidationError, match="input_tokens"):
        UsageEvent.model_validate_json(record)


def test_of_a_time_given_twice_only_the_last_must_be_in_range() -> None:
    record = '{"time": "1990-01-01T00:00:00Z", ' + json.dumps(FIELDS)[1:]
    assert UsageEvent.model_validate_json(record).time.year == 2026


def test_tiers_and_units_are_those_of_the_contract() -> None:
    assert get_args(wire.Tier) == get_args(usage_event.Tier) == SERVICE_TIERS
    fields = tuple(UsageEvent.model_fields)
    assert wire.WireEvent.__struct_fields__ == fields
    assert fields[-len(UNITS) :] == UNITS
    assert set(MEASURES) - set(fields) == {"requests", "failed_requests", "estimated_tokens"}


PARTS = {
    "cache_read_input_tokens": 4,
    "cache_write_input_tokens": 3,
    "cache_write_5m_input_tokens": 2,
    "cache_write_1h_input_tokens": 1,
    "audio_input_tokens": 3,
    "image_input_tokens": 2,
    "cache_read_audio_input_tokens": 1,
    "cache_read_image_input_tokens": 1,
    "reasoning_output_tokens": 2,
    "audio_output_tokens": 2,
    "image_output_tokens": 1,
}


def test_parts_may_make_up_all_of_their_totals() -> None:
    event = UsageEvent.model_validate(FIELDS | PARTS)
    assert event.image_output_tokens == 1


@pytest.mark.parametrize("name", sorted(PARTS))
def test_no_part_may_have_one_token_more(name: str) -> None:
    changed = PARTS | {name: PARTS[name] + 1}
    if name == "cache_read_audio_input_tokens":
        # It makes room in the input; so its totals are what it must not exceed.
        changed |= {"cache_read_audio_input_tokens": 3, "cache_read_image_input_tokens": 2}
    if name == "cache_read_image_input_tokens":
        changed |= {"cache_read_image_input_tokens": 3}
    with pytest.raises(ValidationError, match="must not exceed"):
        UsageEvent.model_validate(FIELDS | changed)


@pytest.mark.parametrize("name", sorted({part for parts, _ in CLOSER_SUBSETS for part in parts}))
def test_a_part_of_what_is_not_reported_may_only_be_none(name: str) -> None:
    bare = {key: value for key, value in PARTS.items() if key.endswith("output_tokens")}
    assert getattr(UsageEvent.model_validate(FIELDS | bare | {name: 0}), name) == 0
    if name not in ("audio_input_tokens", "image_input_tokens"):
        with pytest.raises(ValidationError, match=f"{name} must not exceed"):
            UsageEvent.model_validate(FIELDS | bare | {name: 1})


def test_the_error_names_what_is_reported() -> None:
    with pytest.raises(ValidationError, match="\naudio|  audio_output_tokens must not exceed"):
        UsageEvent.model_validate(FIELDS | {"audio_output_tokens": 6})

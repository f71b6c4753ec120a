"""The model's own rules, and the JSON Schema generated from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.json_schema import JSON_SCHEMA_PATH, json_schema
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

"""Every example is replayed through both decoders; an invalid one gives the error it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import schemas
from schemas import wire
from schemas.usage_event import UsageEvent
from schemas.wire import InvalidEventError

EXAMPLES = Path(schemas.__file__).with_name("examples")
VALID = sorted((EXAMPLES / "valid").glob("*.json"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.json"))


def record_of(document: dict[str, Any]) -> bytes:
    """An invalid example holds the event, or the record's text where no JSON value shows it."""
    if "record" in document:
        return str(document["record"]).encode()
    return json.dumps(document["event"]).encode()


def test_there_are_examples_of_both_kinds() -> None:
    assert len(VALID) >= 10
    assert len(INVALID) >= 20


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_example_is_read_the_same_by_both(path: Path) -> None:
    record = path.read_bytes()
    event = wire.decode(record)
    model = UsageEvent.model_validate_json(record)
    assert {name: getattr(event, name) for name in event.__struct_fields__} == model.model_dump()


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_example_survives_the_log(path: Path) -> None:
    event = wire.decode(path.read_bytes())
    assert wire.decode(wire.encode(event)) == event


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_example_gives_the_error_it_names(path: Path) -> None:
    document = json.loads(path.read_bytes())
    record, error = record_of(document), document["error"]
    with pytest.raises(InvalidEventError) as from_wire:
        wire.decode(record)
    with pytest.raises(ValidationError) as from_model:
        UsageEvent.model_validate_json(record)
    first = from_model.value.errors()[0]
    assert (from_wire.value.code, first["type"]) == (error["code"], error["type"])
    if error["field"] is not None:
        assert error["field"] in from_wire.value.message
        assert error["field"] in (*first["loc"], *first["msg"].split())

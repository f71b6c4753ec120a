"""The event on the log: what its bytes are."""

from __future__ import annotations

import json

import pytest

from schemas import wire
from schemas.usage_event import UsageEvent
from schemas.wire import InvalidEventError

RECORD = (
    b'{"id":"a","source":"gw","tenant":"acme","time":"2026-03-15T17:30:00+05:30","region":"eu",'
    b'"provider":"openai","model":"m","input_tokens":10,"output_tokens":5}'
)


def test_encoded_time_is_utc() -> None:
    assert json.loads(wire.encode(wire.decode(RECORD)))["time"] == "2026-03-15T12:00:00Z"


def test_model_and_struct_encode_to_the_same_bytes() -> None:
    assert wire.encode(UsageEvent.model_validate_json(RECORD)) == wire.encode(wire.decode(RECORD))


def test_absent_fields_stay_absent_and_zero_stays_zero() -> None:
    event = wire.decode(RECORD[:-1] + b',"cache_read_input_tokens":0}')
    encoded = json.loads(wire.encode(event))
    assert encoded["cache_read_input_tokens"] == 0
    assert "cache_write_input_tokens" not in encoded
    assert "status" not in encoded


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (RECORD.replace(b'"a"', b'"\xff"'), "invalid_json"),
        (b"[" * 100_000, "invalid_event"),
        (b'{"id":' + b"[" * 100_000, "invalid_event"),
        (b"{}", "invalid_event"),
        (b"null", "invalid_event"),
    ],
    ids=["empty", "cut off", "bad UTF-8", "deep", "deep in a field", "no fields", "null"],
)
def test_what_is_no_event_has_a_code(record: bytes, code: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        wire.decode(record)
    assert caught.value.code == code

"""The event on the log: what its bytes are."""

from __future__ import annotations

import json
from datetime import UTC, timedelta

import pytest

from schemas import wire
from schemas.usage_event import UsageEvent
from schemas.wire import InvalidEventError
from services.audit.event import EPOCH, NotAnEventError, read_event

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31T23:59:59.9999999Z", "2026-10-31T23:59:59.999999+00:00"),
        ("2026-10-31T23:59:59.999999999Z", "2026-10-31T23:59:59.999999+00:00"),
        ("2026-10-31T23:59:59.1234565Z", "2026-10-31T23:59:59.123456+00:00"),
        ("2026-11-01T00:59:59.9999996+01:00", "2026-10-31T23:59:59.999999+00:00"),
        ("2099-12-31T23:59:59.9999999Z", "2099-12-31T23:59:59.999999+00:00"),
        ("2026-10-31T23:59:59.99\\u00399999Z", "2026-10-31T23:59:59.999999+00:00"),
    ],
)
def test_times_are_cut_to_the_microsecond_by_every_reader(text: str, expected: str) -> None:
    record = wire.encode(wire.decode(RECORD)).replace(b"2026-03-15T12:00:00Z", text.encode())
    (many,), _ = wire.decode_many([record])
    for time in (
        wire.decode(record).time,
        UsageEvent.model_validate_json(record).time,
        many.time,
        EPOCH + timedelta(microseconds=read_event(record).time_us),
    ):
        assert time.astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize(("length", "taken"), [(129, True), (256, True), (257, False)])
def test_names_of_models_have_up_to_256_characters(length: int, taken: bool) -> None:
    record = wire.encode(wire.decode(RECORD)).replace(
        b'"model":"m"', b'"model":"%s"' % (b"m" * length)
    )
    try:
        assert wire.decode(record).model == read_event(record).model == "m" * length
        assert taken
    except InvalidEventError:
        assert not taken
        with pytest.raises(NotAnEventError):
            read_event(record)

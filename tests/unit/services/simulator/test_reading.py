"""A reading's shapes on the wire say the same as the reading."""

from __future__ import annotations

import json

import msgspec

from schemas.identity import identity_hash
from schemas.usage_event import UsageEvent
from schemas.wire import WireEvent, decode
from services.simulator.reading import METERED, Reading, log_key, log_record, native_body

READING = Reading(
    *(METERED, "tenant", "source", "id", 1_773_576_000_250, "region", "provider", "model"),
    *(500, 60, 40, None, 0),
    duration_ms=1_000,
    service_tier="batch",
    audio_input_tokens=50,
    web_searches=0,
)


def test_fields_lie_in_the_order_of_the_wire_event() -> None:
    names = [field.name for field in msgspec.structs.fields(WireEvent)]
    assert list(Reading._fields[5:-1]) == names[4:]


def test_log_record_holds_every_field() -> None:
    event = decode(log_record(READING))
    assert event.id == "id"
    assert event.source == "source"
    assert event.tenant == "tenant"
    assert event.time.isoformat() == "2026-03-15T12:00:00.250000+00:00"
    assert (event.input_tokens, event.output_tokens) == (500, 60)
    assert event.cache_read_input_tokens == 40
    assert event.cache_write_input_tokens is None
    assert event.reasoning_output_tokens == 0
    assert event.duration_ms == 1_000
    assert (event.service_tier, event.audio_input_tokens) == ("batch", 50)
    assert (event.web_searches, event.pages) == (0, None)


def test_native_body_leaves_the_tenant_to_the_key_and_is_valid_with_it() -> None:
    body = json.loads(native_body(READING))
    assert "tenant" not in body
    # An explicit 0 is sent, what is not reported is not.
    assert body["reasoning_output_tokens"] == 0
    assert "cache_write_input_tokens" not in body
    whole = UsageEvent.model_validate_json(json.dumps({**body, "tenant": "tenant"}))
    assert whole == UsageEvent.model_validate_json(log_record(READING))


def test_key_is_the_identity() -> None:
    assert log_key(READING) == identity_hash("tenant", "source", "id")


def test_poison_goes_out_as_it_is() -> None:
    poison = READING._replace(payload=b"{")
    assert log_record(poison) == native_body(poison) == b"{"

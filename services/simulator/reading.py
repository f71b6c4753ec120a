"""A reading: one usage event as the simulator means it, and its shapes on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from schemas.identity import identity_hash
from schemas.wire import WireEvent, encode

#: What must become of a reading that reaches the log: metered, or dead-lettered with this reason.
METERED: Final = "metered"
TOO_OLD: Final = "too_old"
TOO_NEW: Final = "too_new"
INVALID_JSON: Final = "invalid_json"
INVALID_EVENT: Final = "invalid_event"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Reading(NamedTuple):
    """One usage event and what must become of it. The fields are those of `UsageEvent`.

    `time_ms` is event time in milliseconds since 1970, UTC. A subset, tier or unit of None is not
    reported.
    `payload` is None except for poison, which is sent as these bytes instead of the fields.
    """

    expected: str
    tenant: str
    source: str
    id: str
    time_ms: int
    region: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    status: str = "ok"
    quality: str = "measured"
    duration_ms: int | None = None
    entry: str = "usage"
    adjusts: str | None = None
    reason: str | None = None
    service_tier: str | None = None
    cache_write_5m_input_tokens: int | None = None
    cache_write_1h_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    image_input_tokens: int | None = None
    cache_read_audio_input_tokens: int | None = None
    cache_read_image_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_output_tokens: int | None = None
    web_searches: int | None = None
    file_searches: int | None = None
    tool_calls: int | None = None
    images: int | None = None
    audio_milliseconds: int | None = None
    video_milliseconds: int | None = None
    characters: int | None = None
    pages: int | None = None
    payload: bytes | None = None


_encoder: Final = msgspec.json.Encoder()


def log_key(reading: Reading) -> bytes:
    """Give the Kafka key: the hash of the identity, so a resend meets its event."""
    return identity_hash(reading.tenant, reading.source, reading.id)


def log_record(reading: Reading) -> bytes:
    """Encode the reading as it lies on the log; poison as the bytes it is."""
    if reading.payload is not None:
        return reading.payload
    _, tenant, source, id_, time_ms = reading[:5]
    # The rest of the fields lie in the same order in both; a test holds that.
    rest: Any = reading[5:-1]
    return encode(WireEvent(id_, source, tenant, event_time(time_ms), *rest))


def native_body(reading: Reading) -> bytes:
    """Encode the reading as a line for ``POST /v1/events``; the tenant is left to the API key."""
    if reading.payload is not None:
        return reading.payload
    fields = event_fields(reading)
    del fields["tenant"]
    return _encoder.encode(fields)


def event_fields(reading: Reading) -> dict[str, Any]:
    """Give the event's fields as JSON knows them; what is not reported is left out."""
    fields = {
        name: value
        for name, value in reading._asdict().items()
        if value is not None and name not in ("expected", "time_ms", "payload")
    }
    time = event_time(reading.time_ms).isoformat(timespec="milliseconds")
    return {**fields, "time": time.replace("+00:00", "Z")}


def event_time(time_ms: int) -> datetime:
    """Turn milliseconds since 1970 into a time, exactly."""
    return EPOCH + timedelta(milliseconds=time_ms)

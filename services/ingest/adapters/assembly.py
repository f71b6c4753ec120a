"""PURE: puts a whole event together from what its source, its key and the catalogue say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from schemas.event_rules import DURATION_MS_MAX, TIME_MAX, TIME_MIN, floored
from schemas.identity import compact_id
from schemas.wire import WireEvent
from services.ingest.adapters.field_sizes import check_fields
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED, explain
from services.ingest.keys.entry import KeyEntry
from services.ingest.providers import PROVIDER_UNKNOWN, provider_and_model_of

T = TypeVar("T")

#: A response id shorter than this is not trusted to be unique: Ollama's end in a random number
#: below 1000, and events that share an id count once.
RESPONSE_ID_LENGTH_MIN: Final = 16
_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000


def decoded(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw, what: str) -> T:
    """Decode what a gateway sends; ``what`` says in an error what it should be.

    Raises `EventRejectedError`.
    """
    try:
        check_fields(decoder, raw)
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise EventRejectedError("not_an_object", f"this is no {what}: {error}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventRejectedError("invalid_json", f"this is no JSON: {error}") from None


def assemble(fields: dict[str, Any]) -> WireEvent:
    """Make the event; ``time`` may be a time or its text, ids may have any length.

    Raises `EventRejectedError` naming the field, what is wrong with it and how to fix it.
    """
    for name in ("id", "adjusts"):
        if isinstance(fields.get(name), str):
            fields[name] = compact_id(fields[name])
    if isinstance(fields.get("time"), str):
        fields["time"] = floored(fields["time"])
    try:
        return msgspec.convert(fields, WireEvent)
    except msgspec.ValidationError as error:
        if isinstance(fields.get("time"), datetime):
            fields["time"] = fields["time"].isoformat()
        raise explain(fields, str(error)) from None


def provider_and_model(model: object, provider: object, key: KeyEntry) -> dict[str, Any]:
    """Name provider and model as the catalogue does: LiteLLM writes ``openai/gpt-4o`` for both.

    Who served is what the event says, else the key, else the model's name where it tells, else
    the catalogue, else unknown.
    """
    said = key.provider if provider is None else provider
    if isinstance(model, str) and (said is None or isinstance(said, str)):
        said, model = provider_and_model_of(model, said)
    return {"provider": PROVIDER_UNKNOWN if said is None else said, "model": model}


def moment(unix_ns: int, name: str) -> datetime:
    """Turn nanoseconds since 1970 into a time, to the microsecond below."""
    seconds, rest_ns = divmod(unix_ns, _NS_PER_SECOND)
    if not TIME_MIN.timestamp() <= seconds < TIME_MAX.timestamp():
        raise EventRejectedError(
            "invalid_time", f"{name} is {unix_ns}: give nanoseconds since 1970, from 2000 to 2100"
        )
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)


def duration_ms(start_unix_ns: int, end_unix_ns: int) -> int | None:
    """Tell how long a request took; None where its times do not say."""
    if not 0 < start_unix_ns <= end_unix_ns:
        return None
    took_ms = (end_unix_ns - start_unix_ns) // _NS_PER_MS
    return took_ms if took_ms <= DURATION_MS_MAX else None


def failed_attempt_id(call_id: str, started_unix_ns: int) -> str:
    """Tell a failed attempt by its call and when it began; the client package does it alike."""
    return f"{call_id}:failure:{started_unix_ns // 1000}"


def missing(name: str, field: str) -> EventRejectedError:
    """Refuse an event without something that it needs; ``field`` is the event's name for it."""
    return EventRejectedError("missing_field", f"{name} is missing: give {EXPECTED[field]}")

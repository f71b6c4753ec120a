"""PURE: from the fields of a call to one line of NDJSON; ingest judges what is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, Required, TypedDict

from wattoken.client.errors import InvalidEventError
from wattoken.client.ids import compact_id

#: Ingest takes more, but nothing that describes one request is this long.
EVENT_BYTES_MAX: Final = 64 * 1024


class UsageFields(TypedDict, total=False):
    """What `Meter.record` takes. A field that is None counts as absent, never as 0.

    Either the token counts, where ``input_tokens`` includes what was read from or written to a
    cache and ``output_tokens`` includes reasoning; or ``usage`` as the provider answered it, with
    ``usage_format`` saying whose shape that is. Beside ``usage`` the ``service_tier`` may be in the
    provider's word, and units (``web_searches`` to ``pages``) may be told; `beside_usage` reads
    both from an answer. See Wattoken's event schema for the rest.
    """

    model: Required[str]
    provider: str | None
    region: str | None
    tenant: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_input_tokens: int | None
    cache_write_input_tokens: int | None
    reasoning_output_tokens: int | None
    service_tier: str | None
    cache_write_5m_input_tokens: int | None
    cache_write_1h_input_tokens: int | None
    audio_input_tokens: int | None
    image_input_tokens: int | None
    cache_read_audio_input_tokens: int | None
    cache_read_image_input_tokens: int | None
    audio_output_tokens: int | None
    image_output_tokens: int | None
    web_searches: int | None
    file_searches: int | None
    tool_calls: int | None
    images: int | None
    audio_milliseconds: int | None
    video_milliseconds: int | None
    characters: int | None
    pages: int | None
    usage: object
    usage_format: str | None
    status: Literal["ok", "error"] | None
    quality: Literal["measured", "estimated"] | None
    duration_ms: int | None
    time: datetime | str | None
    id: str | None
    source: str | None
    entry: Literal["usage", "debit", "credit"] | None
    adjusts: str | None
    reason: str | None


def encode(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> bytes:
    """Make one line, without its end, of the fields that are given; defaults fill the others.

    Raises `InvalidEventError` when a value is no JSON, a time has no zone, or the line is too
    long.
    """
    event = {name: value for name, value in fields.items() if value is not None}
    event = {**defaults, **event}
    for name in ("id", "adjusts"):
        if isinstance(event.get(name), str):
            event[name] = compact_id(event[name])
    if isinstance(event.get("time"), datetime):
        event["time"] = rfc3339(event["time"])
    if "usage" in event:
        event["usage"] = plain(event["usage"])
    try:
        line = json.dumps(event, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEventError(f"this is no JSON: {error}") from error
    if len(line) > EVENT_BYTES_MAX:
        raise InvalidEventError(f"the event has {len(line)} bytes, at most {EVENT_BYTES_MAX} go")
    return line


def rfc3339(moment: datetime) -> str:
    """Write a time in UTC; raises `InvalidEventError` for one without a zone."""
    if moment.tzinfo is None:
        raise InvalidEventError("time has no zone: give datetime.now(timezone.utc)")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(usage: Any) -> Any:
    """Turn a provider's usage object (pydantic, as in the openai and anthropic packages) to JSON.

    A list is those of one stream. What an object leaves unset stays out: absent says "not
    reported", which is not 0.
    """
    if isinstance(usage, list | tuple):
        return [plain(one) for one in usage]
    for method in ("model_dump", "to_dict", "dict"):
        dump = getattr(usage, method, None)
        if callable(dump):
            known = {"mode": "json", "exclude_none": True, "by_alias": True}
            options = known if method == "model_dump" else {}
            return dump(**options)
    return usage


def numbers(value: Mapping[str, Any]) -> dict[str, Any]:
    """Take the numbers of a usage object, nested ones too: texts may be a whole conversation."""
    taken: dict[str, Any] = {}
    for name, one in plain(value).items():
        if hasattr(one, "model_dump"):
            one = plain(one)
        if isinstance(one, int | float) and not isinstance(one, bool):
            taken[name] = one
        elif isinstance(one, Mapping) and (below := numbers(one)):
            taken[name] = below
    return taken

"""PURE: which reader a request asks for, by its path and the type of its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote

from services.ingest.batches import (
    Batch,
    BatchLimits,
    cloud_event_binary,
    cloud_events,
    native_json,
    native_ndjson,
)
from services.ingest.errors import UnsupportedError
from services.ingest.gateway_batches import (
    Signal,
    envoy_events,
    litellm_payloads,
    otlp,
    portkey_logs,
)
from services.ingest.keys.key import Key

#: Turns a whole body into what it holds.
Reader = Callable[[bytes, Key], Batch]
Headers = Mapping[str, str]
#: Chooses the reader by the headers; the time is that of receipt.
ReaderFor = Callable[[Headers, datetime, BatchLimits], Reader]

JSON: Final = "application/json"
NDJSON: Final = ("application/x-ndjson", "application/ndjson")
PROTOBUF: Final = "application/x-protobuf"
_CLOUD_EVENT: Final = "application/cloudevents+json"
_CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
_BINARY_MARK: Final = "ce-specversion"
_ATTRIBUTE: Final = "ce-"

NATIVE_TYPES: Final = f"{JSON}, {NDJSON[0]}, {_CLOUD_EVENT} or {_CLOUD_EVENTS}"
OPENMETER_TYPES: Final = f"{_CLOUD_EVENT}, {_CLOUD_EVENTS} or {JSON}"
LITELLM_TYPES: Final = f"{JSON} or {NDJSON[0]}"
OTLP_TYPES: Final = f"{PROTOBUF} or {JSON}"


def native(headers: Headers, received: datetime, limits: BatchLimits) -> Reader:
    """Choose for ``/v1/events``: native events, or CloudEvents in any mode."""
    media = media_type(headers)
    if (reader := _cloud_events(media, headers, received, limits)) is not None:
        return reader
    if media == JSON:
        return lambda body, key: native_json(body, key, limits)
    if media in NDJSON:
        return lambda body, key: native_ndjson(body, key, limits)
    raise _unsupported(media, NATIVE_TYPES)


def openmeter(headers: Headers, received: datetime, limits: BatchLimits) -> Reader:
    """Choose for ``/api/v1/events``: CloudEvents, whose plain JSON is one event or an array."""
    media = media_type(headers)
    if (reader := _cloud_events(media, headers, received, limits)) is not None:
        return reader
    if media == JSON:
        return lambda body, key: cloud_events(body, key, received, limits, batch=None)
    raise _unsupported(media, OPENMETER_TYPES)


def litellm(headers: Headers, received: datetime, limits: BatchLimits) -> Reader:
    """Choose for ``/v1/litellm``."""
    media = media_type(headers)
    if media == JSON or media in NDJSON:
        return lambda body, key: litellm_payloads(body, key, limits)
    raise _unsupported(media, LITELLM_TYPES)


def envoy(headers: Headers, received: datetime, limits: BatchLimits) -> Reader:
    """Choose for ``/v1/envoy``."""
    media = media_type(headers)
    if media == JSON or media in NDJSON:
        return lambda body, key: envoy_events(body, key, limits)
    raise _unsupported(media, LITELLM_TYPES)


def portkey(headers: Headers, received: datetime, limits: BatchLimits) -> Reader:
    """Choose for ``/v1/portkey``."""
    media = media_type(headers)
    if media == JSON or media in NDJSON:
        return lambda body, key: portkey_logs(body, key, received, limits)
    raise _unsupported(media, LITELLM_TYPES)


def otlp_of(signal: Signal) -> ReaderFor:
    """Make the choice for ``/v1/traces`` or ``/v1/logs``."""

    def choose(headers: Headers, received: datetime, limits: BatchLimits) -> Reader:
        media = media_type(headers)
        if media not in (JSON, PROTOBUF):
            raise _unsupported(media, OTLP_TYPES)
        return lambda body, key: otlp(body, key, received, limits, signal, json=media == JSON)

    return choose


def _cloud_events(
    media: str, headers: Headers, received: datetime, limits: BatchLimits
) -> Reader | None:
    if media in (_CLOUD_EVENT, _CLOUD_EVENTS):
        batch = media == _CLOUD_EVENTS
        return lambda body, key: cloud_events(body, key, received, limits, batch=batch)
    if _BINARY_MARK not in headers:
        return None
    # In binary mode the body is the data, and its type the body's; none at all means JSON.
    if media not in ("", JSON) and not media.endswith("+json"):
        raise _unsupported(media, f"{JSON} for the data of an event in binary mode")
    attributes = {
        name.removeprefix(_ATTRIBUTE): unquote(value)
        for name, value in headers.items()
        if name.startswith(_ATTRIBUTE)
    }
    return lambda body, key: cloud_event_binary(attributes, body, key, received, limits)


def is_cloud_event(headers: Headers) -> bool:
    """Say whether ``/v1/events`` reads a request as CloudEvents."""
    return media_type(headers) in (_CLOUD_EVENT, _CLOUD_EVENTS) or _BINARY_MARK in headers


def media_type(headers: Headers) -> str:
    """Read the content type without its parameters; empty where there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _unsupported(media: str, supported: str) -> UnsupportedError:
    given = f"Content-Type {media[:60]!r} is not supported" if media else "no Content-Type given"
    return UnsupportedError(f"{given}: use {supported}")

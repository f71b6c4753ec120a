"""PURE: usage events of Envoy AI Gateway, one for each request that it finished.

Its proposal 012 (https://github.com/envoyproxy/ai-gateway/pull/2424) states the schema, v1: input
tokens leave out what was read from or written to a cache, reasoning is part of the output. The
gateway sends each event once and takes any 2xx for its receipt.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.wire import WireEvent
from services.ingest.adapters.assembly import (
    assemble,
    decoded,
    failed_attempt_id,
    missing,
    moment,
    provider_and_model,
)
from services.ingest.adapters.clock import unix_ns
from services.ingest.adapters.counts import count, optional_count
from services.ingest.adapters.totals import Inclusion, Reading, canonical
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value
from services.ingest.keys.entry import KeyEntry

ENVOY: Final = Inclusion(caches=False, reasoning=True)
SOURCE: Final = "envoy-ai-gateway"
_SCHEMA: Final = "v1"
_MS_PER_SECOND: Final = 1000
_STATUSES: Final = {"succeeded": "ok", "failed": "error"}
_COUNTS: Final = (
    *("input_tokens", "output_tokens", "cached_input_tokens"),
    *("cache_write_input_tokens", "reasoning_tokens"),
)


class _UsageEvent(msgspec.Struct):
    """The fields that matter here; their types are checked where they are read."""

    schema_version: Any = None
    event_id: Any = None
    emitted_at: msgspec.Raw = msgspec.Raw(b"null")
    status: Any = None
    provider: Any = None
    model_requested: Any = None
    model_response: Any = None
    input_tokens: Any = None
    output_tokens: Any = None
    cached_input_tokens: Any = None
    cache_write_input_tokens: Any = None
    reasoning_tokens: Any = None


_decoder: Final = msgspec.json.Decoder(_UsageEvent)


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry) -> WireEvent:
    """Turn one usage event into a whole event.

    Raises `EventRejectedError` naming the field, what is wrong with it and how to fix it.
    """
    event = decoded(_decoder, raw, "usage event of Envoy AI Gateway")
    if event.schema_version != _SCHEMA:
        raise EventRejectedError(
            "invalid_value", f"schema_version is {shown_value(event.schema_version)}: give v1"
        )
    if not isinstance(event.status, str) or event.status not in _STATUSES:
        raise EventRejectedError(
            "invalid_value", f"status is {shown_value(event.status)}: give succeeded or failed"
        )
    emitted_ns = unix_ns(event.emitted_at, "emitted_at", per_second=_MS_PER_SECOND)
    if emitted_ns is None:
        raise missing("emitted_at", "time")
    model = event.model_response or event.model_requested
    if not model:
        raise missing("model_response", "model")
    return assemble(
        {
            "id": _identity(event, emitted_ns),
            "source": SOURCE,
            "tenant": key.tenant,
            "region": key.region,
            "time": moment(emitted_ns, "emitted_at"),
            "status": _STATUSES[event.status],
            **provider_and_model(model, event.provider or None, key),
            **canonical(_reading(event), ENVOY).fields(),
        }
    )


def _identity(event: _UsageEvent, emitted_ns: int) -> object:
    """Take the event's id; that of a failed attempt is also that of the next on this backend."""
    if not event.event_id:
        raise missing("event_id", "id")
    if event.status == "failed" and isinstance(event.event_id, str):
        return failed_attempt_id(event.event_id, emitted_ns)
    return event.event_id


def _reading(event: _UsageEvent) -> Reading:
    counts = {name: getattr(event, name) for name in _COUNTS}
    if event.status == "failed" and set(map(type, counts.values())) == {type(None)}:
        # It says nothing of what it used, so that was nothing.
        return Reading(0, 0)
    return Reading(
        input_tokens=count(counts, "input_tokens"),
        output_tokens=count(counts, "output_tokens"),
        cache_read=optional_count(counts, "cached_input_tokens"),
        cache_write=optional_count(counts, "cache_write_input_tokens"),
        reasoning=optional_count(counts, "reasoning_tokens"),
    )

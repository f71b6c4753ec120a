"""PURE: splits what gateways and collectors send by themselves: LiteLLM's logs, and OTLP.

Their elements carry whole conversations, so the limits on a native event's size and depth do not
fit; what is not wanted is passed over without being built, and the body's own limit holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from schemas.wire import WireEvent
from services.ingest.adapters import genai, litellm, otlp_json, otlp_protobuf
from services.ingest.adapters.genai import GenAiRecord
from services.ingest.adapters.protobuf_wire import Budget
from services.ingest.batches import (
    Batch,
    BatchLimits,
    RawEvent,
    collect,
    is_array,
    split_array,
    split_lines,
    too_many,
    whole,
)
from services.ingest.errors import MalformedError
from services.ingest.keys import Key

Signal = Literal["traces", "logs"]
#: A span has some forty fields that are walked over.
_FIELDS_PER_EVENT: Final = 100


def litellm_payloads(body: bytes, key: Key, limits: BatchLimits) -> Batch:
    """Read LiteLLM's payloads: one, an array, or one a line.

    Its callback says ``application/json`` for each of them, so the body tells which. Raises
    `MalformedError` when the body is no JSON, `TooLargeError` for too many payloads.
    """
    return collect(_payloads(body, limits), lambda raw: litellm.adapt(raw, key.entry), key)


def _payloads(body: bytes, limits: BatchLimits) -> Iterator[tuple[int, RawEvent]]:
    if is_array(body):
        return enumerate(split_array(body, limits.events_max))
    try:
        return enumerate([whole(body)])
    except MalformedError:
        lines = list(split_lines(body, limits.events_max))
        if len(lines) < 2:
            raise
        return iter(lines)


def otlp(
    body: bytes, key: Key, received: datetime, limits: BatchLimits, signal: Signal, *, json: bool
) -> Batch:
    """Read an OTLP export request of spans or log records, in JSON or else protobuf.

    Raises `MalformedError` when the body is no such request, `TooLargeError` for too many of them.
    """

    def adapt(decode: otlp_json.Decode | None) -> WireEvent | None:
        if decode is None:
            return None
        record: GenAiRecord = decode()
        return genai.adapt(record, key.entry, received)

    if json:
        found = otlp_json.elements(body, signal)
    else:
        budget = Budget(_FIELDS_PER_EVENT * limits.events_max)
        found = otlp_protobuf.elements(body, signal, budget)
    return collect(_bounded(found, limits.events_max), adapt, key)


def _bounded(
    found: Iterator[otlp_json.Decode | None], elements_max: int
) -> Iterator[tuple[int, otlp_json.Decode | None]]:
    for index, decode in enumerate(found):
        if index >= elements_max:
            raise too_many(elements_max)
        yield index, decode

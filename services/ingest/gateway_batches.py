"""PURE: splits what gateways and collectors send by themselves: their logs, and OTLP.

Their elements carry whole conversations, so the limits on a native event's size and depth do not
fit; what is not wanted is passed over without being built, and the body's own limit holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from schemas.wire import WireEvent
from services.ingest.adapters import (
    envoy,
    genai,
    litellm,
    otlp_json,
    otlp_protobuf,
    portkey,
)
from services.ingest.adapters.genai import GenAiRecord
from services.ingest.adapters.nesting import SpanKey, around_calls
from services.ingest.adapters.otlp_element import Element
from services.ingest.adapters.protobuf_wire import Budget
from services.ingest.batches import (
    Batch,
    BatchLimits,
    RawEvent,
    collect,
    fault_of_ours,
    is_array,
    split_array,
    split_lines,
    tolerant,
    too_many,
    whole,
)
from services.ingest.errors import EventRejectedError, MalformedError, RequestError
from services.ingest.keys.key import Key
from services.ingest.structure import check_parts

Signal = Literal["traces", "logs"]
#: A span has some forty fields that are walked over, and each attribute that is read a few more.
_FIELDS_PER_EVENT: Final = 200
#: What became of an element: its record, why it has none, or None for what is no call of a model.
Decoded = GenAiRecord | EventRejectedError | None


def litellm_payloads(body: bytes, key: Key, limits: BatchLimits) -> Batch:
    """Read LiteLLM's payloads: one, an array, or one a line.

    Its callback says ``application/json`` for each of them, so the body tells which. Raises
    `MalformedError` when the body is no JSON, `TooLargeError` for too many payloads.
    """
    adapt = tolerant(lambda raw: litellm.adapt(raw, key.entry))
    return collect(_payloads(body, limits), adapt, key, limits.times)


def envoy_events(body: bytes, key: Key, limits: BatchLimits) -> Batch:
    """Read usage events of Envoy AI Gateway: one, an array, or one a line; raises likewise."""
    adapt = tolerant(lambda raw: envoy.adapt(raw, key.entry))
    return collect(_payloads(body, limits), adapt, key, limits.times)


def portkey_logs(body: bytes, key: Key, received: datetime, limits: BatchLimits) -> Batch:
    """Read logs of Portkey's log hook: one, an array, or one a line; raises likewise."""
    adapt = tolerant(lambda raw: portkey.adapt(raw, key.entry, received))
    return collect(_payloads(body, limits), adapt, key, limits.times)


def _payloads(body: bytes, limits: BatchLimits) -> Iterator[tuple[int, RawEvent]]:
    check_parts(body, limits.parts_max)
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
    if json:
        check_parts(body, limits.parts_max)
        found = otlp_json.elements(body, signal)
    else:
        fields_max = min(_FIELDS_PER_EVENT * limits.events_max, limits.parts_max)
        found = otlp_protobuf.elements(body, signal, Budget(fields_max))
    elements = list(_bounded(found, limits.events_max))
    decoded = [_decoded(element) for element in elements]
    repeated = _around_calls(elements, decoded) if signal == "traces" else frozenset()

    def adapt(record: Decoded) -> WireEvent | None:
        if isinstance(record, EventRejectedError):
            raise record
        if record is None or (record.trace_id, record.span_id) in repeated:
            return None
        return genai.adapt(record, key.entry, received)

    return collect(enumerate(decoded), adapt, key, limits.times)


def _decoded(element: Element) -> Decoded:
    if element.decode is None:
        return None
    try:
        record = element.decode()
        _ = record.is_call  # What is odd about it shows here, and is its own fault alone.
        return record
    except EventRejectedError as error:
        return error
    except RequestError:
        raise
    except Exception as error:
        return fault_of_ours(error)


def _around_calls(elements: list[Element], decoded: list[Decoded]) -> frozenset[SpanKey]:
    """Find the spans that repeat what calls within them tell."""
    records = [record for record in decoded if isinstance(record, GenAiRecord)]
    calls = Counter(record.trace_id for record in records if record.is_call)
    crowded = {trace_id for trace_id, count in calls.items() if count > 1}
    if not crowded:
        return frozenset()
    # Spans that are no calls may lie between those that are.
    links = [
        (record.trace_id, record.span_id, record.parent_id)
        if isinstance(record, GenAiRecord)
        else element.link()
        for element, record in zip(elements, decoded, strict=True)
    ]
    parents = {
        (link[0], link[1]): link[2] for link in links if link is not None and link[0] in crowded
    }
    return around_calls([record for record in records if record.trace_id in crowded], parents)


def _bounded(found: Iterator[Element], elements_max: int) -> Iterator[Element]:
    for index, element in enumerate(found):
        if index >= elements_max:
            raise too_many(elements_max)
        yield element

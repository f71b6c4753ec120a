"""PURE: OTLP's trace and log requests in protobuf, split into what may be about a model's call.

The structure is walked over and only small, wanted parts are built, with OpenTelemetry's own
classes: a span's messages and tool calls may be megabytes, and none of it matters here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from services.ingest.adapters.genai import ATTRIBUTES, MARK, GenAiRecord
from services.ingest.adapters.protobuf_wire import Budget, fields
from services.ingest.errors import EventRejectedError, MalformedError

#: Turns an element into a record; raises `EventRejectedError` where it is broken.
Decode = Callable[[], GenAiRecord]

#: Field numbers of the three levels of a request, which traces and logs share.
_GROUPS: Final = 1
_RESOURCE: Final = 1
_SCOPES: Final = 2
_ELEMENTS: Final = 2
#: Resource.attributes
_RESOURCE_ATTRIBUTES: Final = 1
_SERVICE: Final = "service.name"
#: An attribute above this is content, never a count or a name.
_ATTRIBUTE_BYTES_MAX: Final = 4096


class _SpanFields:
    TRACE_ID, SPAN_ID, START, END, ATTRIBUTES, STATUS = 1, 2, 7, 8, 9, 15


class _LogFields:
    TIME, ATTRIBUTES, TRACE_ID, SPAN_ID, OBSERVED = 1, 6, 9, 10, 11


def elements(body: bytes, signal: str, budget: Budget) -> Iterator[Decode | None]:
    """Yield each span (``signal`` "traces") or log record ("logs"); None for what has no usage.

    Raises `MalformedError` where the request is no protobuf, `TooLargeError` beyond the budget.
    """
    decode = _span if signal == "traces" else _log_record
    for group in _children(memoryview(body), _GROUPS, budget):
        service, scopes = "", []
        for number, value in fields(group, budget):
            if number == _RESOURCE and isinstance(value, memoryview):
                service = _service(value, budget)
            elif number == _SCOPES and isinstance(value, memoryview):
                scopes.append(value)
        for scope in scopes:
            for element in _children(scope, _ELEMENTS, budget):
                raw = bytes(element)
                yield _deferred(decode, raw, service, budget) if MARK in raw else None


def _deferred(
    decode: Callable[[bytes, str, Budget], GenAiRecord], raw: bytes, service: str, budget: Budget
) -> Decode:
    def decoded() -> GenAiRecord:
        try:
            return decode(raw, service, budget)
        except (MalformedError, DecodeError):
            raise EventRejectedError(
                "invalid_json", "this is no protobuf of OpenTelemetry: it breaks off within a field"
            ) from None

    return decoded


def _children(message: memoryview, wanted: int, budget: Budget) -> Iterator[memoryview]:
    for number, value in fields(message, budget):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _service(resource: memoryview, budget: Budget) -> str:
    for attribute in _children(resource, _RESOURCE_ATTRIBUTES, budget):
        if len(attribute) <= _ATTRIBUTE_BYTES_MAX:
            try:
                pair = KeyValue.FromString(bytes(attribute))
            except DecodeError:
                raise MalformedError("the body has a resource that is no protobuf") from None
            if pair.key == _SERVICE:
                return str(pair.value.string_value)
    return ""


def _span(raw: bytes, service: str, budget: Budget) -> GenAiRecord:
    attributes: dict[str, Any] = {}
    trace_id = span_id = b""
    start_ns = end_ns = 0
    failed = False
    for number, value in fields(memoryview(raw), budget):
        if isinstance(value, int):
            if number == _SpanFields.START:
                start_ns = value
            elif number == _SpanFields.END:
                end_ns = value
        elif number == _SpanFields.ATTRIBUTES:
            _add(attributes, value)
        elif number == _SpanFields.TRACE_ID:
            trace_id = bytes(value)
        elif number == _SpanFields.SPAN_ID:
            span_id = bytes(value)
        elif number == _SpanFields.STATUS:
            failed = Status.FromString(bytes(value)).code == Status.STATUS_CODE_ERROR
    if not end_ns:
        raise EventRejectedError("missing_field", "the end time is missing: send ended spans only")
    return GenAiRecord(attributes, trace_id.hex(), span_id.hex(), start_ns, end_ns, failed, service)


def _log_record(raw: bytes, service: str, budget: Budget) -> GenAiRecord:
    attributes: dict[str, Any] = {}
    trace_id = span_id = b""
    time_ns = observed_ns = 0
    for number, value in fields(memoryview(raw), budget):
        if isinstance(value, int):
            if number == _LogFields.TIME:
                time_ns = value
            elif number == _LogFields.OBSERVED:
                observed_ns = value
        elif number == _LogFields.ATTRIBUTES:
            _add(attributes, value)
        elif number == _LogFields.TRACE_ID:
            trace_id = bytes(value)
        elif number == _LogFields.SPAN_ID:
            span_id = bytes(value)
    return GenAiRecord(
        attributes, trace_id.hex(), span_id.hex(), 0, time_ns or observed_ns, False, service
    )


def _add(attributes: dict[str, Any], raw: memoryview) -> None:
    if len(raw) > _ATTRIBUTE_BYTES_MAX:
        return
    pair = KeyValue.FromString(bytes(raw))
    if pair.key in ATTRIBUTES:
        kind = pair.value.WhichOneof("value")
        scalar = kind in ("string_value", "bool_value", "int_value", "double_value")
        attributes[pair.key] = getattr(pair.value, kind) if scalar else []

"""PURE: OTLP's trace and log requests in JSON, split into what may be about a model's call.

OTLP's JSON is protobuf's but for ids, which are hex: 64-bit integers may be text, enums are
numbers, and what is null or absent is the default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import msgspec

from services.ingest.adapters.attributes import ATTRIBUTES, MARKS, is_unknown_usage
from services.ingest.adapters.field_sizes import check_fields, is_too_large
from services.ingest.adapters.genai import GenAiRecord, is_number
from services.ingest.adapters.otlp_element import Element, Link
from services.ingest.errors import EventRejectedError, MalformedError, TooLargeError
from services.ingest.explain import shown_value
from services.ingest.salvage import salvaged

_SERVICE: Final = "service.name"
#: A number by the specification; some write its name.
_STATUS_ERROR: Final = (2, "STATUS_CODE_ERROR")
_DIGITS_MAX: Final = 20
#: The JSON of an attribute's value that is a number; a longer one is none.
_NUMBER_BYTES_MAX: Final = 64


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] | None = None


class _Scope(msgspec.Struct):
    spans: list[msgspec.Raw] | None = None
    logRecords: list[msgspec.Raw] | None = None


class _Group(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"null")
    scopeSpans: list[_Scope] | None = None
    scopeLogs: list[_Scope] | None = None


class _Request(msgspec.Struct):
    resourceSpans: list[_Group] | None = None
    resourceLogs: list[_Group] | None = None


class _Status(msgspec.Struct):
    code: Any = None


class _Link(msgspec.Struct):
    traceId: str | None = None
    spanId: str | None = None
    parentSpanId: str | None = None


class _Span(_Link):
    startTimeUnixNano: Any = None
    endTimeUnixNano: Any = None
    attributes: list[_KeyValue] | None = None
    status: _Status | None = None


class _SpanNumbers(msgspec.Struct):
    startTimeUnixNano: Any = None
    endTimeUnixNano: Any = None
    status: _Status | None = None


class _LogNumbers(msgspec.Struct):
    timeUnixNano: Any = None
    observedTimeUnixNano: Any = None


class _LogRecord(msgspec.Struct):
    traceId: str | None = None
    spanId: str | None = None
    timeUnixNano: Any = None
    observedTimeUnixNano: Any = None
    attributes: list[_KeyValue] | None = None


_request: Final = msgspec.json.Decoder(_Request)
_resource: Final = msgspec.json.Decoder(_Resource | None)
_link: Final = msgspec.json.Decoder(_Link)
#: What is built of them beside attributes, whose values are read one by one.
_span_sizes: Final = msgspec.json.Decoder(_SpanNumbers)
_log_sizes: Final = msgspec.json.Decoder(_LogNumbers)
_span_decoder: Final = msgspec.json.Decoder(_Span)
_log_decoder: Final = msgspec.json.Decoder(_LogRecord)


def elements(body: bytes, signal: str) -> Iterator[Element]:
    """Yield each span (``signal`` "traces") or log record ("logs").

    Raises `MalformedError` where the request is none of OTLP. Whoever calls has bounded its values.
    """
    request = _decoded(body)
    traces = signal == "traces"
    decode = _span if traces else _log_record
    for group in (request.resourceSpans if traces else request.resourceLogs) or ():
        service = _service(group.resource)
        for scope in (group.scopeSpans if traces else group.scopeLogs) or ():
            for raw in (scope.spans if traces else scope.logRecords) or ():
                text = bytes(raw)
                marked = any(mark in text for mark in MARKS)
                yield Element(
                    _deferred(decode, text, service) if marked else None, partial(_linked, text)
                )


def _decoded(body: bytes) -> _Request:
    try:
        return _request.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Once more without what cannot be read: most of it nobody reads.
        try:
            return _request.decode(salvaged(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedError(f"the body is no OTLP request in JSON: {error}") from None


def _linked(raw: bytes) -> Link | None:
    try:
        link = _link.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _hex(link.traceId), _hex(link.spanId), _hex(link.parentSpanId)


def _hex(text: str | None) -> str:
    return (text or "").lower()


def _deferred(
    decode: Callable[[bytes, str], GenAiRecord], raw: bytes, service: str | EventRejectedError
) -> Callable[[], GenAiRecord]:
    def decoded() -> GenAiRecord:
        if isinstance(service, EventRejectedError):
            raise service
        try:
            try:
                return decode(raw, service)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return decode(salvaged(raw), service)
        except msgspec.ValidationError as error:
            raise EventRejectedError("wrong_type", f"this is none of OTLP: {error}") from None
        except (
            msgspec.MsgspecError,
            UnicodeDecodeError,
            RecursionError,
            TooLargeError,
        ) as error:
            raise EventRejectedError("invalid_json", f"this is no JSON: {error}") from None

    return decoded


def _service(raw: msgspec.Raw) -> str | EventRejectedError:
    """Read the name of the service, or why it cannot be read: its spans share the fault alone."""
    try:
        try:
            resource = _resource.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            resource = _resource.decode(salvaged(bytes(raw)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TooLargeError) as error:
        return EventRejectedError("wrong_type", f"the resource is none of OTLP: {error}")
    for pair in (resource.attributes if resource is not None else None) or ():
        if pair.key == _SERVICE:
            value = _value(pair.value)
            return value if isinstance(value, str) else ""
    return ""


def _span(raw: bytes, service: str) -> GenAiRecord:
    check_fields(_span_sizes, raw)
    span = _span_decoder.decode(raw)
    end_ns = _unix_ns(span.endTimeUnixNano, "endTimeUnixNano")
    if not end_ns:
        raise EventRejectedError("missing_field", "the end time is missing: send ended spans only")
    return GenAiRecord(
        attributes=_attributes(span.attributes),
        trace_id=_hex(span.traceId),
        span_id=_hex(span.spanId),
        start_unix_ns=_unix_ns(span.startTimeUnixNano, "startTimeUnixNano"),
        end_unix_ns=end_ns,
        failed=span.status is not None and span.status.code in _STATUS_ERROR,
        service=service,
        parent_id=_hex(span.parentSpanId),
        is_span=True,
        unread=_unread(span.attributes),
    )


def _log_record(raw: bytes, service: str) -> GenAiRecord:
    check_fields(_log_sizes, raw)
    record = _log_decoder.decode(raw)
    return GenAiRecord(
        attributes=_attributes(record.attributes),
        trace_id=_hex(record.traceId),
        span_id=_hex(record.spanId),
        start_unix_ns=0,
        end_unix_ns=_unix_ns(record.timeUnixNano, "timeUnixNano")
        or _unix_ns(record.observedTimeUnixNano, "observedTimeUnixNano"),
        failed=False,
        service=service,
        unread=_unread(record.attributes),
    )


def _attributes(pairs: list[_KeyValue] | None) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs or () if pair.key in ATTRIBUTES}


def _unread(pairs: list[_KeyValue] | None) -> list[str]:
    """Name the numbers that tell usage and that no rule reads; nothing else of theirs is read."""
    return [
        pair.key
        for pair in pairs or ()
        if is_unknown_usage(pair.key)
        and len(memoryview(pair.value)) <= _NUMBER_BYTES_MAX
        and is_number(_value(pair.value))
    ]


def _value(raw: msgspec.Raw) -> Any:
    """Read an AnyValue; [] for what is no scalar."""
    if is_too_large(raw):
        return []
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            value = msgspec.json.decode(salvaged(bytes(raw)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TooLargeError):
            return []
    if not isinstance(value, dict) or len(value) != 1:
        return []
    ((kind, scalar),) = value.items()
    match kind, scalar:
        case "intValue", str():
            return _integer(scalar)
        case "doubleValue", "NaN" | "Infinity" | "-Infinity":
            return float(scalar)
        case (("intValue" | "doubleValue"), bool()):
            return []
        case (("intValue" | "doubleValue"), int() | float()):
            return scalar
        case "stringValue", str():
            return scalar
        case "boolValue", bool():
            return scalar
        case _:
            return []


def _integer(text: str) -> Any:
    """Read a 64-bit integer, which protobuf's JSON writes as text; the text where it is none."""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX:
        return int(text)
    return text


def _unix_ns(value: Any, name: str) -> int:
    if value is None:
        return 0
    number = _integer(value) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise EventRejectedError(
            "wrong_type", f"{name} is {shown_value(value)}: give nanoseconds since 1970"
        )
    return number

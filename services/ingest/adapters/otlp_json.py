"""PURE: OTLP's trace and log requests in JSON, split into what may be about a model's call.

OTLP's JSON is protobuf's but for ids, which are hex: 64-bit integers may be text, enums are
numbers, and what is null or absent is the default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from services.ingest.adapters.genai import ATTRIBUTES, MARK, GenAiRecord
from services.ingest.errors import EventRejectedError, MalformedError, TooLargeError
from services.ingest.explain import shown_value

#: Turns an element into a record; raises `EventRejectedError` where it is broken.
Decode = Callable[[], GenAiRecord]

_SERVICE: Final = "service.name"
_STATUS_ERROR: Final = 2
#: Each element of ``[1,1,1,…`` would become an object of its own, fifty times its size. A body
#: with more commas than this is larger than the default limit, or an attack.
_COMMAS_MAX: Final = 1_000_000
_DIGITS_MAX: Final = 20


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] | None = None


class _Scope(msgspec.Struct):
    spans: list[msgspec.Raw] | None = None
    logRecords: list[msgspec.Raw] | None = None


class _Group(msgspec.Struct):
    resource: _Resource | None = None
    scopeSpans: list[_Scope] | None = None
    scopeLogs: list[_Scope] | None = None


class _Request(msgspec.Struct):
    resourceSpans: list[_Group] | None = None
    resourceLogs: list[_Group] | None = None


class _Status(msgspec.Struct):
    code: Any = None


class _Span(msgspec.Struct):
    traceId: str | None = None
    spanId: str | None = None
    startTimeUnixNano: Any = None
    endTimeUnixNano: Any = None
    attributes: list[_KeyValue] | None = None
    status: _Status | None = None


class _LogRecord(msgspec.Struct):
    traceId: str | None = None
    spanId: str | None = None
    timeUnixNano: Any = None
    observedTimeUnixNano: Any = None
    attributes: list[_KeyValue] | None = None


_request: Final = msgspec.json.Decoder(_Request)
_span_decoder: Final = msgspec.json.Decoder(_Span)
_log_decoder: Final = msgspec.json.Decoder(_LogRecord)


def elements(body: bytes, signal: str) -> Iterator[Decode | None]:
    """Yield each span (``signal`` "traces") or log record ("logs"); None for what has no usage.

    Raises `MalformedError` where the request is none of OTLP, `TooLargeError` for too many parts.
    """
    if body.count(b",") > _COMMAS_MAX:
        raise TooLargeError("the body has too many parts: send smaller batches")
    try:
        request = _request.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"the body is no OTLP request in JSON: {error}") from None
    traces = signal == "traces"
    decode = _span if traces else _log_record
    for group in (request.resourceSpans if traces else request.resourceLogs) or ():
        service = _service(group.resource)
        for scope in (group.scopeSpans if traces else group.scopeLogs) or ():
            for raw in (scope.spans if traces else scope.logRecords) or ():
                yield _deferred(decode, raw, service) if MARK in bytes(raw) else None


def _deferred(
    decode: Callable[[msgspec.Raw, str], GenAiRecord], raw: msgspec.Raw, service: str
) -> Decode:
    def decoded() -> GenAiRecord:
        try:
            return decode(raw, service)
        except msgspec.ValidationError as error:
            raise EventRejectedError("wrong_type", f"this is none of OTLP: {error}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EventRejectedError("invalid_json", f"this is no JSON: {error}") from None

    return decoded


def _service(resource: _Resource | None) -> str:
    for pair in (resource.attributes if resource is not None else None) or ():
        if pair.key == _SERVICE:
            value = _value(pair.value)
            return value if isinstance(value, str) else ""
    return ""


def _span(raw: msgspec.Raw, service: str) -> GenAiRecord:
    span = _span_decoder.decode(raw)
    end_ns = _unix_ns(span.endTimeUnixNano, "endTimeUnixNano")
    if not end_ns:
        raise EventRejectedError("missing_field", "the end time is missing: send ended spans only")
    return GenAiRecord(
        attributes=_attributes(span.attributes),
        trace_id=(span.traceId or "").lower(),
        span_id=(span.spanId or "").lower(),
        start_unix_ns=_unix_ns(span.startTimeUnixNano, "startTimeUnixNano"),
        end_unix_ns=end_ns,
        failed=span.status is not None and span.status.code == _STATUS_ERROR,
        service=service,
    )


def _log_record(raw: msgspec.Raw, service: str) -> GenAiRecord:
    record = _log_decoder.decode(raw)
    return GenAiRecord(
        attributes=_attributes(record.attributes),
        trace_id=(record.traceId or "").lower(),
        span_id=(record.spanId or "").lower(),
        start_unix_ns=0,
        end_unix_ns=_unix_ns(record.timeUnixNano, "timeUnixNano")
        or _unix_ns(record.observedTimeUnixNano, "observedTimeUnixNano"),
        failed=False,
        service=service,
    )


def _attributes(pairs: list[_KeyValue] | None) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs or () if pair.key in ATTRIBUTES}


def _value(raw: msgspec.Raw) -> Any:
    """Read an AnyValue; [] for what is no scalar."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
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

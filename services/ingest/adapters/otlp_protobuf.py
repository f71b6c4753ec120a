"""PURE: OTLP's trace and log requests in protobuf, split into what may be about a model's call.

The structure is walked over and only what is wanted is read: a span's messages and tool calls may
be megabytes, or be cut off within a character, and none of it matters here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from services.ingest.adapters.attributes import ATTRIBUTES, MARKS, USAGE_PREFIXES, is_unknown_usage
from services.ingest.adapters.genai import GenAiRecord, is_number
from services.ingest.adapters.otlp_element import Element, Link
from services.ingest.adapters.protobuf_wire import Budget, fields
from services.ingest.errors import EventRejectedError, MalformedError
from services.ingest.unreadable import UNREADABLE

#: Field numbers of the three levels of a request, which traces and logs share.
_GROUPS: Final = 1
_RESOURCE: Final = 1
_SCOPES: Final = 2
_ELEMENTS: Final = 2
#: Resource.attributes
_RESOURCE_ATTRIBUTES: Final = 1
_SERVICE: Final = b"service.name"
#: An empty group is two bytes, and beginning to read it costs as much as some fields.
_GROUP_FIELDS: Final = 5
_WANTED: Final = {name.encode(): name for name in ATTRIBUTES}
_USAGE_PREFIXES: Final = tuple(prefix.encode() for prefix in USAGE_PREFIXES)
#: An attribute that is a number is no longer than this; the rest may be a whole conversation.
_NUMBER_BYTES_MAX: Final = 256
#: Status.code, and its value for an error.
_STATUS_CODE, _STATUS_ERROR = 3, 2
_KEY_TAG: Final = 1 << 3 | 2
_INT64_SIGN: Final = 1 << 63


class _SpanFields:
    TRACE_ID, SPAN_ID, PARENT_ID, START, END, ATTRIBUTES, STATUS = 1, 2, 4, 7, 8, 9, 15


class _LogFields:
    TIME, ATTRIBUTES, TRACE_ID, SPAN_ID, OBSERVED = 1, 6, 9, 10, 11


class _ValueFields:
    TEXT, BOOL, INT, DOUBLE = 1, 2, 3, 4


def elements(body: bytes, signal: str, budget: Budget) -> Iterator[Element]:
    """Yield each span (``signal`` "traces") or log record ("logs").

    Raises `MalformedError` where the request is no protobuf, `TooLargeError` beyond the budget.
    """
    decode = _span if signal == "traces" else _log_record
    for group in _children(memoryview(body), _GROUPS, budget):
        budget.spend(_GROUP_FIELDS)
        service, scopes = "", []
        for number, value in fields(group, budget):
            if number == _RESOURCE and isinstance(value, memoryview):
                service = _service(value, budget)
            elif number == _SCOPES and isinstance(value, memoryview):
                scopes.append(value)
        for scope in scopes:
            budget.spend(_GROUP_FIELDS)
            for element in _children(scope, _ELEMENTS, budget):
                raw = bytes(element)
                marked = any(mark in raw for mark in MARKS)
                yield Element(
                    _deferred(decode, raw, service, budget) if marked else None,
                    partial(_linked, raw, budget),
                )


def _linked(raw: bytes, budget: Budget) -> Link | None:
    ids = {_SpanFields.TRACE_ID: "", _SpanFields.SPAN_ID: "", _SpanFields.PARENT_ID: ""}
    try:
        for number, value in fields(memoryview(raw), budget):
            if number in ids and isinstance(value, memoryview):
                ids[number] = bytes(value).hex()
    except MalformedError:
        return None
    trace_id, span_id, parent_id = ids.values()
    return trace_id, span_id, parent_id


def _deferred(
    decode: Callable[[bytes, str, Budget], GenAiRecord], raw: bytes, service: str, budget: Budget
) -> Callable[[], GenAiRecord]:
    def decoded() -> GenAiRecord:
        try:
            return decode(raw, service, budget)
        except MalformedError:
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
        if _key(attribute, budget) == _SERVICE:
            value = _value(attribute, budget)
            return value if isinstance(value, str) else ""
    return ""


def _span(raw: bytes, service: str, budget: Budget) -> GenAiRecord:
    attributes: dict[str, Any] = {}
    unread: list[str] = []
    trace_id = span_id = parent_id = b""
    start_ns = end_ns = 0
    failed = False
    for number, value in fields(memoryview(raw), budget):
        if isinstance(value, int):
            if number == _SpanFields.START:
                start_ns = value
            elif number == _SpanFields.END:
                end_ns = value
        elif number == _SpanFields.ATTRIBUTES:
            _add(attributes, unread, value, budget)
        elif number == _SpanFields.TRACE_ID:
            trace_id = bytes(value)
        elif number == _SpanFields.SPAN_ID:
            span_id = bytes(value)
        elif number == _SpanFields.PARENT_ID:
            parent_id = bytes(value)
        elif number == _SpanFields.STATUS:
            # Its message may be cut off within a character.
            failed = (_STATUS_CODE, _STATUS_ERROR) in set(_numbers(value, budget))
    if not end_ns:
        raise EventRejectedError("missing_field", "the end time is missing: send ended spans only")
    return GenAiRecord(
        attributes, trace_id.hex(), span_id.hex(), start_ns, end_ns, failed, service,
        parent_id.hex(), is_span=True, unread=unread,
    )  # fmt: skip


def _log_record(raw: bytes, service: str, budget: Budget) -> GenAiRecord:
    attributes: dict[str, Any] = {}
    unread: list[str] = []
    trace_id = span_id = b""
    time_ns = observed_ns = 0
    for number, value in fields(memoryview(raw), budget):
        if isinstance(value, int):
            if number == _LogFields.TIME:
                time_ns = value
            elif number == _LogFields.OBSERVED:
                observed_ns = value
        elif number == _LogFields.ATTRIBUTES:
            _add(attributes, unread, value, budget)
        elif number == _LogFields.TRACE_ID:
            trace_id = bytes(value)
        elif number == _LogFields.SPAN_ID:
            span_id = bytes(value)
    return GenAiRecord(
        attributes, trace_id.hex(), span_id.hex(), 0, time_ns or observed_ns, False, service,
        unread=unread,
    )  # fmt: skip


def _add(attributes: dict[str, Any], unread: list[str], raw: memoryview, budget: Budget) -> None:
    key = _key(raw, budget)
    name = _WANTED.get(key)
    if name is not None:
        attributes[name] = _value(raw, budget)
    elif key.startswith(_USAGE_PREFIXES) and len(raw) <= _NUMBER_BYTES_MAX:
        # A number that tells usage and that no rule reads: its name is noted, and no more.
        unknown = key.decode("utf-8", "replace")
        if is_unknown_usage(unknown) and is_number(_value(raw, budget)):
            unread.append(unknown)


def _key(raw: memoryview, budget: Budget) -> bytes:
    """Read an attribute's key alone: nearly all attributes have it first, and short."""
    if len(raw) > 2 and raw[0] == _KEY_TAG and raw[1] < 0x80:
        return bytes(raw[2 : 2 + raw[1]])
    key = b""
    for number, value in fields(raw, budget):
        if number == 1 and isinstance(value, memoryview):
            key = bytes(value)
    return key


def _value(raw: memoryview, budget: Budget) -> Any:
    """Read an attribute's value; [] for what is no scalar."""
    read: Any = []
    for any_value in _children(raw, 2, budget):
        for number, value in fields(any_value, budget):
            read = _scalar(number, value)
    return read


def _scalar(number: int, value: int | memoryview) -> Any:
    match number, value:
        case _ValueFields.TEXT, memoryview():
            try:
                return bytes(value).decode()
            except UnicodeDecodeError:
                return UNREADABLE
        case _ValueFields.BOOL, int():
            return bool(value)
        case _ValueFields.INT, int():
            return value - (1 << 64) if value & _INT64_SIGN else value
        case _ValueFields.DOUBLE, int():
            return struct.unpack("<d", value.to_bytes(8, "little"))[0]
        case _:
            return []


def _numbers(message: memoryview, budget: Budget) -> Iterator[tuple[int, int]]:
    for number, value in fields(message, budget):
        if isinstance(value, int):
            yield number, value

"""PURE: bodies that are dear to read for their size, each at any size.

Each is a kind that has stopped a parser somewhere: texts without an end, what nests, what is much
smaller than the objects it becomes, what fails late and often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from services.ingest.adapters.protobuf_wire import field

#: The paths of JSON, each with the types that it is tried with.
JSON_PATHS: Final[tuple[tuple[str, str], ...]] = (
    ("/v1/events", "application/json"),
    ("/v1/events", "application/x-ndjson"),
    ("/api/v1/events", "application/json"),
    ("/v1/litellm", "application/json"),
    ("/v1/envoy", "application/json"),
    ("/v1/portkey", "application/json"),
    ("/v1/traces", "application/json"),
    ("/v1/logs", "application/json"),
)
PROTOBUF_PATHS: Final = (
    ("/v1/traces", "application/x-protobuf"),
    ("/v1/logs", "application/x-protobuf"),
)
_EVENT: Final = (
    b'{"id":"a","source":"g","time":"2026-03-15T12:00:00Z","model":"m","provider":"p",'
    b'"specversion":"1.0","type":"t","input_tokens":1,"output_tokens":1,"x":%b}'
)
_USAGE: Final = (
    b'{"id":"a","source":"g","time":"2026-03-15T12:00:00Z","model":"m","provider":"p",'
    b'"usage_format":"openai_chat","usage":{"prompt_tokens":1,"completion_tokens":2,"x":%b}}'
)
_SPAN: Final = (
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"aa","spanId":"bb","endTimeUnixNano":'
    b'"1773576000000000000","status":{"code":%b},"attributes":[{"key":"gen_ai.usage.input_tokens",'
    b'"value":{"intValue":%b}}]}]}]}]}'
)
_MARKED: Final = field(9, field(1, b"gen_ai.usage.input_tokens"))


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of body: how it is made at a size, about, and whether it is protobuf."""

    made: Callable[[int], bytes]
    protobuf: bool = False


def _repeated(piece: bytes) -> Callable[[int], bytes]:
    return lambda size: piece * (size // len(piece))


def _within(around: bytes, piece: bytes, last: bytes = b"1", first: bytes = b"[") -> Shape:
    return Shape(lambda size: around % (first + piece * (size // len(piece)) + last + b"]"))


def _array(piece: bytes, last: bytes = b"1") -> Shape:
    return Shape(lambda size: b"[" + piece * (size // len(piece)) + last + b"]")


def _numbered(template: bytes, before: bytes, after: bytes) -> Shape:
    return Shape(
        lambda size: (
            before
            + b",".join(template % (n, n) for n in range(size // (len(template) + 6)))
            + after
        )
    )


def _span(inner: bytes) -> bytes:
    return field(1, field(2, field(2, inner)))


SHAPES: Final[Mapping[str, Shape]] = {
    "brackets": Shape(_repeated(b"[")),
    "objects": Shape(_repeated(b'{"a":')),
    "closed brackets": Shape(lambda size: b"[" * (size // 2) + b"]" * (size // 2)),
    "quotation marks": Shape(lambda size: b"[" + b'"' * size),
    "text without an end": Shape(lambda size: b'"' + b'\\"' * (size // 2) + b"{" * 33),
    "texts without an end": Shape(lambda size: b'["' + b'\\" ,' * (size // 4) + b"{" * 33),
    "field without an end": Shape(lambda size: b'{"a":"' + b'\\"' * (size // 2) + b"{" * 33),
    "lines without an end": Shape(
        lambda size: (b'"' + b'\\"' * 500 + b"{" * 33 + b"\n") * (size // 1035)
    ),
    "backslashes": Shape(lambda size: b'["' + b"\\" * size),
    "halves of pairs": Shape(
        lambda size: b"[" + _EVENT % (b'"' + b"\\ud800" * (size // 6) + b'"') + b"]"
    ),
    "NaN": _array(b"NaN,"),
    "commas": Shape(lambda size: b"[" + b"," * size + b"]"),
    "spaces": Shape(lambda size: b"[1" + b" " * size),
    "dashes": Shape(lambda size: b"[" + b"-" * size),
    "digits": Shape(lambda size: b"[" + _EVENT % (b"9" * size) + b"]"),
    "numbers": _array(b"1,"),
    "events never closed": Shape(lambda size: b"[" + b'{"a":1},' * (size // 8)),
    "broken events": _array(b'{"a":"\\ud800"},', b"{}"),
    "empty arrays in a field": _within(_EVENT, b"[],"),
    "empty arrays in a usage": _within(_USAGE, b"[],"),
    "objects in a usage": _within(_USAGE, b'{"a":1},'),
    "arrays and NaN in a usage": _within(_USAGE, b"[],", first=b"[NaN,"),
    "unknown fields": _numbered(b'"k%d":%d', b"{", b"}"),
    "unknown fields of many": _numbered(b'{"inpt_%d":1,"outpt_%d":2}', b"[", b"]"),
    "fields of a usage": _numbered(
        b'"k%d":%d',
        b'{"usage_format":"openai_chat","id":"a","source":"g","model":"m","usage":{',
        b"}}",
    ),
    "names in a usage": _numbered(
        b'{"k%d":"k%d"}', b'{"id":"' + b"x" * 100 + b'","usage":[', b"]}"
    ),
    "arrays in a status": Shape(lambda size: _SPAN % (b"[" + b"[]," * (size // 3) + b"1]", b"1")),
    "arrays in a count": Shape(lambda size: _SPAN % (b"1", b"[" + b"[]," * (size // 3) + b"1]")),
    "long id": Shape(lambda size: b'[{"id":"' + b"a " * (size // 2) + b'"}]'),
    "long name and texts": Shape(
        lambda size: b'{"' + b"n" * (size // 2) + b'":[' + b'"",' * (size // 6) + b'""]}'
    ),
    "texts deep down": Shape(lambda size: b"[" * 5000 + b'"a",' * (size // 4)),
    "spaces after texts": Shape(lambda size: (b'"a"' + b" " * 300) * (size // 303)),
    "addresses": Shape(lambda size: b'{"id":"' + b"https://" * (size // 8) + b'"}'),
    "groups": Shape(_repeated(field(1, b"")), protobuf=True),
    "scopes": Shape(lambda size: field(1, field(2, b"") * (size // 2)), protobuf=True),
    "spans": Shape(lambda size: field(1, field(2, field(2, b"") * (size // 2))), protobuf=True),
    "fields of a span": Shape(
        lambda size: _span(_MARKED + field(14, b"") * (size // 2)), protobuf=True
    ),
    "values of an attribute": Shape(
        lambda size: _span(
            _MARKED
            + field(
                9, field(1, b"gen_ai.usage.input_tokens") + field(2, field(1, b"")) * (size // 4)
            )
        ),
        protobuf=True,
    ),
    "varints": Shape(lambda size: b"\x80" * size, protobuf=True),
}

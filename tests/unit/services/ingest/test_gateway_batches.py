"""OTLP requests and LiteLLM's logs as wholes: their limits, and what one broken part costs."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from schemas import wire
from services.ingest.adapters.protobuf_wire import field
from services.ingest.batches import Batch, BatchLimits
from services.ingest.errors import MalformedError, TooLargeError
from services.ingest.gateway_batches import litellm_payloads, otlp
from services.ingest.keys.key import Key
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key

PEPPER = b"p" * 32
LIMITS = BatchLimits(events_max=5, event_bytes_max=1000)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
END_NS = 1_773_576_000_000_000_000


@pytest.fixture
def key() -> Key:
    text, entry = new_key("acme", "eu", PEPPER, "openai")
    return KeyRing([entry], PEPPER).verify(f"Bearer {text}", NOW)


def attribute(name: str, value: int | str) -> KeyValue:
    any_value = (
        AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    )
    return KeyValue(key=name, value=any_value)


def span(number: int, *more: KeyValue) -> Span:
    return Span(
        trace_id=b"t" * 16,
        span_id=number.to_bytes(8, "big"),
        end_time_unix_nano=END_NS,
        attributes=[
            attribute("gen_ai.request.model", "m"),
            attribute("gen_ai.usage.input_tokens", number),
            attribute("gen_ai.usage.output_tokens", 0),
            *more,
        ],
    )


def request(*spans: Span) -> bytes:
    groups = [ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    return bytes(ExportTraceServiceRequest(resource_spans=groups).SerializeToString())


def read(body: bytes, key: Key, encoding: Literal["json", "protobuf"] = "protobuf") -> Batch:
    return otlp(body, key, NOW, LIMITS, "traces", json=encoding == "json")


def counts(batch: Batch) -> list[int]:
    return [wire.decode(record["value"]).input_tokens for record in batch.records]


def test_groups_and_scopes_are_all_read_wherever_the_resource_stands(key: Key) -> None:
    scope = ScopeSpans(spans=[span(1)]).SerializeToString()
    resource = field(1, attribute("service.name", "later").SerializeToString())
    group = field(2, scope) + field(2, ScopeSpans(spans=[span(2)]).SerializeToString())
    body = field(1, group + field(1, resource)) + request(span(3))
    batch = read(body, key)
    events = [wire.decode(record["value"]) for record in batch.records]
    assert [(event.input_tokens, event.source) for event in events] == [
        (1, "later"),
        (2, "later"),
        (3, "opentelemetry"),
    ]


def test_a_conversation_beside_the_counts_is_no_reason_to_refuse(key: Key) -> None:
    talk = attribute("gen_ai.input.messages", "x" * 2_000_000)
    assert counts(read(request(span(1, talk), span(2)), key)) == [1, 2]


def test_a_broken_span_costs_no_other(key: Key) -> None:
    broken = b"\x4a\x7fgen_ai."
    body = field(1, field(2, field(2, broken) + field(2, span(2).SerializeToString())))
    batch = read(body, key)
    assert counts(batch) == [2]
    assert [item["index"] for item in batch.rejections] == [0]


@pytest.mark.parametrize("body", [b"\xff", b"{}", request(span(1))[:-1], b"\x0a\x05\x0a\x09abc"])
def test_what_is_no_protobuf_is_malformed(key: Key, body: bytes) -> None:
    with pytest.raises(MalformedError):
        read(body, key)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"resourceSpans":5}', b'{"resourceSpans":[{"scopeSpans":{}}]}']
)
def test_what_is_no_request_in_json_is_malformed(key: Key, body: bytes) -> None:
    with pytest.raises(MalformedError):
        read(body, key, "json")


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans":null}', b'{"resourceSpans":[{}]}'])
def test_nothing_in_json_is_nothing(key: Key, body: bytes) -> None:
    assert read(body, key, "json") == Batch()


def test_nothing_in_protobuf_is_nothing(key: Key) -> None:
    assert read(b"", key) == Batch()


def test_more_spans_than_allowed_are_too_many(key: Key) -> None:
    assert len(read(request(*map(span, range(1, 6))), key).records) == 5
    with pytest.raises(TooLargeError):
        read(request(*map(span, range(1, 7))), key)
    # Those without usage are no events, but they are work.
    with pytest.raises(TooLargeError):
        read(request(*[Span()] * 6), key)


def test_millions_of_empty_messages_stay_small(key: Key) -> None:
    empty = b"\x4a\x00" * 2_000_000 + field(9, attribute("gen_ai.system", "x").SerializeToString())
    body = field(1, field(2, field(2, empty)))
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        read(body, key)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 3 * len(body)


def test_millions_of_elements_in_json_stay_small(key: Key) -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"1," * 1_000_001 + b"1]}]}]}"
    with pytest.raises(TooLargeError):
        read(body, key, "json")


def payload(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:032}",
        "status": "success",
        "model": "m",
        "custom_llm_provider": "openai",
        "prompt_tokens": number,
        "completion_tokens": 1,
        "startTime": 1773575999.0,
        "endTime": 1773576000.0,
        **fields,
    }


def test_payloads_larger_than_an_event_are_read(key: Key) -> None:
    deep: Any = "x" * 2000
    for _ in range(50):
        deep = {"messages": [deep]}
    body = json.dumps([payload(1, messages=deep, response=deep), payload(2)]).encode()
    assert counts(litellm_payloads(body, key, LIMITS)) == [1, 2]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_payload_may_go_over_lines(key: Key, indent: int | None) -> None:
    body = json.dumps(payload(1), indent=indent).encode()
    assert counts(litellm_payloads(body, key, LIMITS)) == [1]


def test_a_broken_line_costs_no_other(key: Key) -> None:
    lines = [json.dumps(payload(1)), "{", json.dumps(payload(2)), ""]
    batch = litellm_payloads("\n".join(lines).encode(), key, LIMITS)
    assert counts(batch) == [1, 2]
    assert [(item["index"], item["code"]) for item in batch.rejections] == [(1, "invalid_json")]


def test_too_many_payloads(key: Key) -> None:
    many = [payload(number) for number in range(6)]
    for body in (json.dumps(many), "\n".join(map(json.dumps, many))):
        with pytest.raises(TooLargeError):
            litellm_payloads(body.encode(), key, LIMITS)


@pytest.mark.parametrize("body", [b"", b"{", b"[{}", b"nope"])
def test_what_is_no_json_is_malformed(key: Key, body: bytes) -> None:
    with pytest.raises(MalformedError):
        litellm_payloads(body, key, LIMITS)

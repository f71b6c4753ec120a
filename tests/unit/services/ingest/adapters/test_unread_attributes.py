"""Numbers that tell usage under a name of OpenTelemetry that no rule reads, in both encodings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.adapters.attributes import ATTRIBUTES, REGISTER, USAGE_PREFIXES
from services.ingest.adapters.price_attributes import PARTS
from services.ingest.adapters.usage_fields.fields import Quantity
from services.ingest.batches import Batch, BatchLimits
from services.ingest.gateway_batches import Signal, otlp
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key
from tests.unit.services.ingest.adapters.golden_cases import Case, body_of

PEPPER = b"p" * 32
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
NOW_NS = "1773576000000000000"
CALL = {
    "gen_ai.operation.name": {"stringValue": "chat"},
    "gen_ai.request.model": {"stringValue": "gpt-5"},
    "gen_ai.usage.input_tokens": {"intValue": "10"},
    "gen_ai.usage.output_tokens": {"intValue": "5"},
}
NEW = "gen_ai.usage.tomorrows_tokens"
both_encodings = pytest.mark.parametrize("encoding", ["json", "protobuf"])


def span(number: int, attributes: dict[str, Any]) -> dict[str, Any]:
    pairs = [{"key": key, "value": value} for key, value in attributes.items()]
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": f"{number:016x}",
        "endTimeUnixNano": NOW_NS,
        "attributes": pairs,
    }


def log_record(number: int, attributes: dict[str, Any]) -> dict[str, Any]:
    record = span(number, attributes)
    record["timeUnixNano"] = record.pop("endTimeUnixNano")
    return record


def read(encoding: str, *elements: dict[str, Any], signal: Signal = "traces") -> Batch:
    if signal == "traces":
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [*elements]}]}]}
    else:
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [*elements]}]}]}
    request = {"path": f"/v1/{signal}", "content_type": "application/json", "body": body}
    case = Case("unread", {"request": request}, encoding)
    text, entry = new_key("acme", "eu", PEPPER, "openai")
    key = KeyRing([entry], PEPPER).verify(f"Bearer {text}", NOW)
    limits = BatchLimits(events_max=1000, event_bytes_max=100_000)
    return otlp(body_of(case), key, NOW, limits, signal, json=encoding == "json")


@both_encodings
@pytest.mark.parametrize("prefix", USAGE_PREFIXES)
@pytest.mark.parametrize(
    "value", [{"intValue": "7"}, {"doubleValue": 7.5}, {"stringValue": "7"}], ids=str
)
def test_a_number_under_a_new_name_is_noted(
    encoding: str, prefix: str, value: dict[str, Any]
) -> None:
    new = f"{prefix}tomorrows.tokens"
    batch = read(encoding, span(1, CALL | {new: value}), span(2, CALL | {new: value}))
    assert batch.unread == {("opentelemetry", new): 2}
    assert len(batch.records) == 2


@both_encodings
def test_so_it_is_in_log_records(encoding: str) -> None:
    batch = read(encoding, log_record(1, CALL | {NEW: {"intValue": "7"}}), signal="logs")
    assert batch.unread == {("opentelemetry", NEW): 1}


@both_encodings
@pytest.mark.parametrize(
    "value",
    [
        {"stringValue": "standard"},
        {"stringValue": "7" * 5000},
        {"boolValue": True},
        {"arrayValue": {"values": [{"intValue": "7"}]}},
    ],
    ids=["text", "long text", "boolean", "array"],
)
def test_what_is_no_number_is_not(encoding: str, value: dict[str, Any]) -> None:
    batch = read(encoding, span(1, CALL | {NEW: value}))
    assert batch.unread == {}
    assert len(batch.records) == 1


@both_encodings
def test_every_name_that_is_read_or_classed_is_known(encoding: str) -> None:
    """Of those that begin as usage does; each alone, for several that differ are refused.

    But what is cached of a kind, which says nothing without both that it is a part of.
    """
    named = [*ATTRIBUTES, *(field.path for field in REGISTER.fields)]
    known = [name for name in named if name.startswith(USAGE_PREFIXES)]
    cached = {"gen_ai.usage.cache_read.input_tokens": {"intValue": "5"}}
    wholes = {
        name: cached | {PARTS[kind][0]: {"intValue": "5"}}
        for part, kind in (
            (Quantity.CACHED_AUDIO, Quantity.AUDIO_INPUT),
            (Quantity.CACHED_IMAGE, Quantity.IMAGE_INPUT),
        )
        for name in PARTS[part]
    }
    spans = [
        span(number + 1, CALL | wholes.get(name, {}) | {name: {"intValue": "5"}})
        for number, name in enumerate(known)
    ]
    batch = read(encoding, *spans)
    assert batch.unread == {}


@both_encodings
def test_what_is_no_call_is_not_looked_at(encoding: str) -> None:
    around = CALL | {"gen_ai.operation.name": {"stringValue": "invoke_agent"}}
    batch = read(encoding, span(1, around | {NEW: {"intValue": "7"}}))
    assert batch.unread == {}
    assert batch.skipped == 1


@both_encodings
def test_the_names_of_one_batch_are_bounded(encoding: str) -> None:
    many = {f"{NEW}.{number}": {"intValue": "7"} for number in range(500)}
    strange = {"gen_ai.usage.ü": {"intValue": "7"}, f"gen_ai.usage.{'x' * 100}": {"intValue": "7"}}
    batch = read(encoding, span(1, CALL | strange | many))
    assert len(batch.unread) <= 65
    assert batch.unread["opentelemetry", "other"] == 502 - (len(batch.unread) - 1)
    assert len(batch.records) == 1


@both_encodings
def test_a_new_name_in_langfuses_details_is_noted(encoding: str) -> None:
    details = '{"input": 10, "output": 5, "output_audio": 1, "tomorrows": 3, "kind": "new"}'
    batch = read(
        encoding,
        span(
            1,
            {
                "gen_ai.request.model": {"stringValue": "gpt-5"},
                "langfuse.observation.type": {"stringValue": "generation"},
                "langfuse.observation.usage_details": {"stringValue": details},
            },
        ),
    )
    assert batch.unread == {
        ("opentelemetry", "langfuse.observation.usage_details.tomorrows"): 1,
    }

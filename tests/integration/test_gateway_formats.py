"""Gateways' own formats through ingest, Kafka and the meter: the register has each call once."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from tests.unit.services.ingest.adapters.golden_cases import Case, body_of, read_cases

#: Golden cases that are each one call of a model, and what the register must say of them all.
CASES = (
    "anthropic/total_is_the_sum_of_three",
    "cloudevents/binary_v1",
    "cloudevents/binary_api",
    "gemini/thoughts_beside_candidates",
    "litellm/anthropic_caches_are_inside",
    "litellm_openmeter/callback",
    "openai_chat/parts_are_inside",
    "openai_responses/parts_are_inside",
    "otel/log_record_of_a_call",
    "otel/new_attributes",
)
#: Requests, input, cache read, cache write, output and reasoning tokens by provider and model.
#: The span and the log record are one call, and so are the two events in binary mode.
EXPECTED = [
    ("anthropic", "claude-opus-5.5", 2, 3248, 2800, 348, 523, 0),
    ("gcp.gemini", "gemini-3.1-pro", 1, 1200, 1000, 0, 500, 420),
    ("openai", "gpt-4-turbo", 1, 123_456, 0, 0, 0, 0),
    ("openai", "gpt-4o", 1, 10, 0, 0, 20, 0),
    # Of these, one call was answered by gpt-5-2025-08-07, which is it.
    ("openai", "gpt-5", 3, 4340, 4096, 10, 652, 424),
]
#: Cases that tell what a price depends on; the third is one of those above, and counts once.
PRICED_CASES = (
    "anthropic/fast_mode",
    "anthropic/stream_with_lifetimes_and_searches",
    "anthropic/total_is_the_sum_of_three",
    "cohere/a_rerank_is_billed_by_searches",
    "gemini/kinds_and_what_is_cached_of_them",
    "openai_responses/searches_beside_the_usage",
    "otel/tier_that_was_asked_for",
)
#: Requests, input, what was written to a cache for 5 minutes and for an hour, audio and images of
#: the input and what was cached of both, by provider, model and tier.
EXPECTED_TIERS = [
    ("anthropic", "claude-opus-5.5", "fast", 1, 2098, 148, 100, 0, 0, 0, 0),
    ("anthropic", "claude-opus-5.5", "priority", 1, 2098, 148, 100, 0, 0, 0, 0),
    ("anthropic", "claude-opus-5.5", "standard", 1, 2098, 148, 100, 0, 0, 0, 0),
    ("gcp.gemini", "gemini-3.1-pro", "priority", 1, 1000, 0, 0, 500, 160, 300, 40),
    ("openai", "gpt-5", "flex", 1, 10, 0, 0, 0, 0, 0, 0),
    ("openai", "gpt-5", "priority", 1, 7583, 0, 0, 0, 0, 0, 0),
]
EXPECTED_UNITS = [
    ("anthropic", "claude-opus-5.5", "web_searches", 3),
    ("cohere", "rerank-v4.0-pro", "file_searches", 1),
    ("openai", "gpt-5", "file_searches", 1),
    ("openai", "gpt-5", "web_searches", 2),
]


@pytest.fixture(scope="module")
def pipeline(pipelines: Callable[..., Pipeline]) -> Pipeline:
    return pipelines(services=["ingest", "aggregator"], accounts=[("acme", "eu-central")])


@pytest.fixture(scope="module")
def client(pipeline: Pipeline) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {pipeline.credentials[0].key}"}
    with httpx.Client(base_url=pipeline.addresses["ingest"], headers=headers, timeout=30) as client:
        yield client


def send(client: httpx.Client, case: Case) -> httpx.Response:
    """Send a case as its client would, but now: what is metered must not be too old."""
    request = case.document["request"]
    media = "application/x-protobuf" if case.encoding == "protobuf" else request["content_type"]
    headers = {"content-type": media, "content-encoding": "gzip", **request.get("headers", {})}
    return client.post(case.path, content=gzip.compress(body_of(case)), headers=headers)


def dated_now(case: Case) -> Case:
    now = int(time.time())
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    text = json.dumps(case.document).replace("2026-03-15T12:00:00", stamp)
    text = text.replace("1773576000", str(now)).replace("17735759985", f"{now - 2}5")
    text = text.replace("1773575998.5", str(now - 1.5))
    document = json.loads(text)
    body = document["request"]["body"]
    # Cases of one source bear one id; here they are calls of their own.
    if isinstance(body, dict) and body.get("source") in ("gw", "litellm-proxy"):
        body["id"] = case.name
    return Case(case.name, document, case.encoding)


def registers(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return rows(
        pipeline,
        "SELECT provider, model, requests, input_tokens, cache_read_input_tokens,"
        " cache_write_input_tokens, output_tokens, reasoning_output_tokens"
        " FROM registers ORDER BY provider, model",
    )


def tiers(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    measures = (
        *("requests", "input_tokens", "cache_write_5m_input_tokens", "cache_write_1h_input_tokens"),
        *("audio_input_tokens", "image_input_tokens"),
        *("cache_read_audio_input_tokens", "cache_read_image_input_tokens"),
    )
    return rows(
        pipeline,
        f"SELECT provider, model, service_tier, {', '.join(f'sum({one})' for one in measures)}"
        " FROM usage_hour_entries WHERE service_tier != ''"
        " GROUP BY provider, model, service_tier ORDER BY ALL",
    )


def units(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return rows(
        pipeline,
        "SELECT provider, model, unit, sum(quantity) FROM usage_unit_hours"
        " GROUP BY provider, model, unit ORDER BY ALL",
    )


def rows(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    settings = ClickHouseSettings(
        clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
        clickhouse_database=pipeline.database,
    )
    with closing(connect(settings)) as database:
        return [tuple(row) for row in database.query(query).result_rows]


def test_each_format_is_metered_to_the_token(pipeline: Pipeline, client: httpx.Client) -> None:
    assert send_twice(client, CASES) == len(CASES) + 2, "those of OTLP come in two encodings"
    assert in_time(lambda: registers(pipeline), EXPECTED) == EXPECTED


def test_what_a_price_depends_on_reaches_the_meter(
    pipeline: Pipeline, client: httpx.Client
) -> None:
    assert send_twice(client, PRICED_CASES) == len(PRICED_CASES) + 1
    assert in_time(lambda: tiers(pipeline), EXPECTED_TIERS) == EXPECTED_TIERS
    assert in_time(lambda: units(pipeline), EXPECTED_UNITS) == EXPECTED_UNITS


def send_twice(client: httpx.Client, names: tuple[str, ...]) -> int:
    """Send each case twice, for a resend is the same call, and say how many there are."""
    cases = [dated_now(case) for case in read_cases() if case.name in names]
    for case in [*cases, *cases]:
        answer = send(client, case)
        assert answer.status_code == case.document["status"], (case.name, answer.text)
    return len(cases)


def in_time(read: Callable[[], list[tuple[Any, ...]]], expected: object) -> list[tuple[Any, ...]]:
    """Read until it is as expected, 30 s at most, and give what was read last."""
    deadline = time.monotonic() + 30
    while (found := read()) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_otlp_answers_in_the_encoding_of_its_request(client: httpx.Client) -> None:
    bad = [case for case in read_cases() if case.name == "otel/output_missing"]
    for case in bad:
        answer = send(client, case)
        assert answer.status_code == 200
        if case.encoding == "json":
            assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
        else:
            told = ExportTraceServiceResponse.FromString(answer.content).partial_success
            assert told.rejected_spans == 1
    headers = {"content-type": "application/x-protobuf"}
    answer = client.post("/v1/traces", content=b"\xff", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, headers["content-type"])
    answer = client.post("/v1/logs", json={}, headers={"authorization": "Bearer wtk_x_y"})
    assert (answer.status_code, answer.json()["code"]) == (401, 16)
    text = client.get("/metrics").text
    assert 'wattoken_ingest_requests_total{path="/v1/traces",status="400"} 1.0' in text

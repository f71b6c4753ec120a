"""Traces of real services, through the real OpenTelemetry Collector, and exemplars in Prometheus.

The Collector hands on what it takes, as JSON, to a backend that is this test. So what is looked at
has been through OTLP twice, once as the services write it and once as the Collector does.
"""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import yaml

from services.local_stack.errors import ComponentMissing
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child, ChildPlan
from services.local_stack.readiness import port_listens
from services.local_stack.supervisor import Supervisor
from tests.integration.conftest import PipelineFactory
from tests.integration.faults import select
from tests.otel_collector.build import fetch_collector
from tests.waiting import eventually

pytest.importorskip("opentelemetry.sdk", reason="needs the extra traces")

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
KINDS = {1: "internal", 2: "server", 4: "producer"}
ERROR = 2


@dataclass(frozen=True, slots=True)
class Span:
    """A span as the Collector handed it on."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool


@dataclass(slots=True)
class Backend:
    """Takes OTLP in JSON and keeps the spans."""

    port: int
    spans: list[Span] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        self.texts.append(body)
        for group in json.loads(body)["resourceSpans"]:
            service = attributes(group["resource"])["service.name"]
            for scope in group["scopeSpans"]:
                self.spans += [read(service, span) for span in scope["spans"]]

    def of_trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def attributes(told: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: value_of(one["value"]) for one in told.get("attributes", ())}


def value_of(value: dict[str, Any]) -> Any:
    ((kind, said),) = value.items()
    if kind == "arrayValue":
        return [value_of(one) for one in said.get("values", ())]
    return int(said) if kind == "intValue" else said


def read(service: str, span: dict[str, Any]) -> Span:
    return Span(
        *(service, span["name"], KINDS[span["kind"]], span["traceId"], span["spanId"]),
        *(span.get("parentSpanId", ""), attributes(span)),
        span.get("status", {}).get("code") == ERROR,
    )


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    found = Backend(pick_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((LOOPBACK, found.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()
    give_back(found.port)


@dataclass(frozen=True, slots=True)
class Collector:
    """The Collector's process and where it listens."""

    child: Child
    port: int


@pytest.fixture(scope="module")
def collector(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    try:
        program = fetch_collector(print)
    except ComponentMissing as error:
        # In CI too: Go is no part of what Wattoken needs.
        pytest.skip(str(error))
    folder, port = tmp_path_factory.mktemp("collector"), pick_port()
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{LOOPBACK}:{port}"}}}},
        "exporters": {
            "otlp_http": {
                "endpoint": f"http://{LOOPBACK}:{backend.port}",
                "encoding": "json",
                "compression": "none",
            }
        },
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_http"]}},
        },
    }
    (folder / "collector.yaml").write_text(yaml.safe_dump(config))
    plan = ChildPlan(
        name="collector",
        command=[str(program), "--config", str(folder / "collector.yaml")],
        log_path=folder / "collector.log",
        ready=lambda: port_listens(port),
        ready_timeout_seconds=60,
        directory=folder,
    )
    with Supervisor() as supervisor:
        yield Collector(supervisor.start(plan), port)
    give_back(port)


def traced(port: int) -> dict[str, str]:
    return {
        "WATTOKEN_TRACES": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{LOOPBACK}:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }


@pytest.fixture(scope="module")
def pipeline(collector: Collector, pipelines: PipelineFactory) -> Pipeline:
    return pipelines(services=["ingest", "aggregator"], env=traced(collector.port))


def event(number: int) -> dict[str, object]:
    return {
        "id": f"traced-{number}",
        "source": "test-gateway",
        "time": datetime.now(UTC).isoformat(),
        "provider": "openai",
        "model": "gpt-5",
        "input_tokens": 12,
        "output_tokens": 3,
    }


def send(pipeline: Pipeline, body: Any, **headers: str) -> httpx.Response:
    key = pipeline.credentials[0].key
    return httpx.post(
        f"{pipeline.addresses['ingest']}/v1/events",
        json=body,
        headers={"authorization": f"Bearer {key}", **headers},
        trust_env=False,
        timeout=30,
    )


def openmetrics(pipeline: Pipeline, service: str) -> str:
    address = f"{pipeline.addresses[service]}/metrics"
    answer = httpx.get(address, headers=OPENMETRICS, trust_env=False, timeout=30)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return answer.text


def spans_counted(pipeline: Pipeline, service: str, outcome: str) -> float:
    name = rf'wattoken_{service}_spans_total{{outcome="{outcome}"}} (\S+)'
    found = re.search(name, openmetrics(pipeline, service))
    assert found is not None
    return float(found[1])


def test_a_request_goes_on_with_the_trace_of_its_caller(
    pipeline: Pipeline, backend: Backend
) -> None:
    body = [event(1), event(2), {"id": "broken"}]
    assert send(pipeline, body, traceparent=f"00-{TRACE}-{CALLER}-01").status_code == 207
    eventually("both spans", lambda: len(backend.of_trace(TRACE)) == 2)
    sending, request = sorted(backend.of_trace(TRACE), key=lambda span: span.kind)
    assert (request.service, request.name) == ("wattoken-ingest", "POST /v1/events")
    assert (request.kind, request.parent_id) == ("server", CALLER)
    assert request.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 207,
        "http.route": "/v1/events",
        "network.protocol.version": "1.1",
        "url.path": "/v1/events",
        "url.scheme": "http",
        "wattoken.events.accepted": 2,
        "wattoken.events.rejected": 1,
        "wattoken.events.skipped": 0,
    }
    assert (sending.kind, sending.parent_id) == ("producer", request.span_id)
    assert sending.name == f"send {pipeline.topic}"
    assert sending.attributes["messaging.batch.message_count"] == 2
    assert not request.failed and not sending.failed


def test_requests_at_once_are_not_mixed_up(pipeline: Pipeline, backend: Backend) -> None:
    def one(number: int) -> None:
        parent = f"00-{number:032x}-{number:016x}-01"
        body = [event(number * 100 + index) for index in range(number)]
        assert send(pipeline, body, traceparent=parent).status_code == 202

    numbers = range(3, 43)
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(one, numbers))
    ids = {number: f"{number:032x}" for number in numbers}
    eventually("all", lambda: all(len(backend.of_trace(one)) == 2 for one in ids.values()))
    for number, trace_id in ids.items():
        sending, request = sorted(backend.of_trace(trace_id), key=lambda span: span.kind)
        assert request.attributes["wattoken.events.accepted"] == number
        assert sending.attributes["messaging.batch.message_count"] == number
        assert sending.parent_id == request.span_id


def test_flushes_and_the_recovery_tell_their_steps(pipeline: Pipeline, backend: Backend) -> None:
    count = sum(range(3, 43)) + 2
    query = "SELECT sum(requests) FROM registers"
    eventually("metered", lambda: select(pipeline, query)[0][0] >= count)

    def flushed() -> dict[int, int]:
        return {
            partition: offset
            for flush in backend.named("flush")
            for partition, offset in zip(
                flush.attributes["wattoken.partitions"],
                flush.attributes["wattoken.offsets.next"],
                strict=True,
            )
        }

    query = "SELECT partition, max(next_offset) FROM checkpoints GROUP BY partition"
    eventually("flushes are told", lambda: flushed() == dict(select(pipeline, query)))
    (recovery,) = backend.named("recover")
    assert recovery.attributes["wattoken.partitions"] == [0, 1, 2, 3]
    for flush in backend.named("flush"):
        assert (flush.service, flush.parent_id) == ("wattoken-aggregator", "")
        assert flush.attributes["wattoken.rows"] > 0
        steps = {span.name for span in backend.of_trace(flush.trace_id)} - {"flush"}
        wanted = {"snapshot", "insert rows", "read checkpoints", "insert checkpoints", "commit"}
        assert wanted | {"look at the log"} <= steps <= wanted | {"look at the log", "write ids"}
    assert backend.named("write ids")


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("ingest", "wattoken_ingest_delivery_seconds_bucket"),
        ("aggregator", "wattoken_aggregator_flush_seconds_bucket"),
    ],
)
def test_histograms_lead_to_traces_in_prometheus(
    pipeline: Pipeline, backend: Backend, prometheus_url: str, service: str, name: str
) -> None:
    pattern = rf'^{name}{{.*}} \S+ # {{span_id="(\w+)",trace_id="(\w+)"}} '
    shown = re.findall(pattern, openmetrics(pipeline, service), re.MULTILINE)
    assert shown

    def told() -> set[tuple[str, str]]:
        return {(span.span_id, span.trace_id) for span in backend.spans}

    eventually("the Collector has them", lambda: set(shown) <= told())

    def stored() -> set[str]:
        now = time.time()
        answer = httpx.get(
            f"{prometheus_url}/api/v1/query_exemplars",
            params={"query": name, "start": now - 600, "end": now + 60},
            trust_env=False,
        )
        answer.raise_for_status()
        return {
            exemplar["labels"]["trace_id"]
            for series in answer.json()["data"]
            for exemplar in series["exemplars"]
        }

    ids = {trace_id for _, trace_id in shown}
    eventually("Prometheus has them", lambda: stored() & ids)


def test_nothing_of_who_sent_is_told(pipeline: Pipeline, backend: Backend) -> None:
    account = pipeline.credentials[0]
    said = b"".join(backend.texts)
    assert b"POST /v1/events" in said
    for secret in (account.key, account.tenant, "traced-", "broken", "test-gateway", "gpt-5"):
        assert secret.encode() not in said


def test_what_kafka_refuses_is_an_error_in_the_trace(
    collector: Collector, backend: Backend, pipelines: PipelineFactory
) -> None:
    nowhere = {"WATTOKEN_INGEST_DELIVERY_TIMEOUT_SECONDS": "0.5"}
    pipeline = pipelines(services=["ingest"], env={**traced(collector.port), **nowhere})
    pipeline.infrastructure.broker.kill(signal.SIGSTOP)
    try:
        trace = "f" * 31 + "1"
        answer = send(pipeline, event(1), traceparent=f"00-{trace}-{CALLER}-01")
        assert answer.status_code == 503
    finally:
        pipeline.infrastructure.broker.kill(signal.SIGCONT)
    eventually("both spans", lambda: len(backend.of_trace(trace)) == 2)
    sending, request = sorted(backend.of_trace(trace), key=lambda span: span.kind)
    assert sending.failed and request.failed
    assert sending.attributes["error.type"] == "BusyError"
    assert request.attributes["error.type"] == "503"


def test_a_collector_that_is_away_stops_nothing(pipeline: Pipeline, collector: Collector) -> None:
    collector.child.kill()
    before = spans_counted(pipeline, "ingest", "failed")
    for number in range(5000, 5020):
        assert send(pipeline, event(number)).status_code == 202
    eventually("counted", lambda: spans_counted(pipeline, "ingest", "failed") >= before + 40)
    query = "SELECT sum(requests) FROM registers"
    eventually("metered", lambda: select(pipeline, query)[0][0] == sum(range(3, 43)) + 2 + 20)
    sent = spans_counted(pipeline, "ingest", "sent")
    collector.child.restart()
    assert send(pipeline, event(5021)).status_code == 202
    eventually("sent again", lambda: spans_counted(pipeline, "ingest", "sent") >= sent + 2)
    collector.child.kill()
    send(pipeline, event(5022))
    for child in (pipeline.ingest, pipeline.aggregator):
        child.kill(signal.SIGTERM)
        assert child.wait(60) == 0

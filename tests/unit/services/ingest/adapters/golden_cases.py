"""Golden cases: a request as a client sends it, and the usage events or the refusal it must give.

Each file under `golden/` is one case, from the request's bytes to the records for the log. A case
of OTLP is written in JSON and run in both encodings; protobuf is made by OpenTelemetry's classes.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.routing import Route

from services.ingest.endpoints import Endpoints
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings

GOLDEN = Path(__file__).with_name("golden")
OTLP: dict[str, Any] = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
}
_PEPPER = b"p" * 32


@dataclass(frozen=True, slots=True)
class Case:
    """One golden file, in one encoding."""

    name: str
    document: dict[str, Any]
    encoding: str

    @property
    def path(self) -> str:
        path: str = self.document["request"]["path"]
        return path


def read_cases() -> list[Case]:
    """Read all of them, those of OTLP once for each encoding."""
    cases = []
    for file in sorted(GOLDEN.rglob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        name = str(file.relative_to(GOLDEN).with_suffix(""))
        encodings = ["json"]
        if document["request"]["path"] in OTLP:
            encodings = document.get("encodings", ["json", "protobuf"])
        cases += [Case(name, document, encoding) for encoding in encodings]
    return cases


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case."""

    answer: httpx.Response
    records: list[Record]
    skipped: float | None


class _ListLog:
    def __init__(self) -> None:
        self.records: list[Record] = []

    async def publish(self, records: list[Record]) -> None:
        self.records += records

    async def put(self, records: list[Record]) -> None:
        """Rejections are looked at elsewhere."""


def run(case: Case) -> Outcome:
    """Send the case's request to ingest's endpoints, on a log that is a list."""
    text, entry = new_key(
        *("acme", "eu-central", _PEPPER, case.document.get("key", {}).get("provider")),
        scopes=("ingest", "adjust"),
    )
    log, metrics = _ListLog(), IngestMetrics()
    # The cases have the times of when they were written.
    settings = IngestSettings(
        ingest_event_age_max_days=36_500, ingest_event_ahead_max_seconds=86_400
    )
    endpoints = Endpoints(settings, KeyRing([entry], _PEPPER), log, metrics, log)
    handlers: dict[str, Any] = {
        "/v1/events": endpoints.native,
        "/api/v1/events": endpoints.openmeter,
        "/v1/litellm": endpoints.litellm,
        "/v1/envoy": endpoints.envoy,
        "/v1/portkey": endpoints.portkey,
        "/v1/traces": endpoints.traces,
        "/v1/logs": endpoints.logs,
    }
    app = Starlette(routes=[Route(case.path, handlers[case.path], methods=["POST"])])
    headers = {"authorization": f"Bearer {text}", **case.document["request"].get("headers", {})}
    media = "application/x-protobuf" if case.encoding == "protobuf" else None
    media = media or case.document["request"]["content_type"]
    if media is not None:
        headers["content-type"] = media

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            return await client.post(case.path, content=body_of(case), headers=headers)

    answer = asyncio.run(send())
    skipped = metrics.registry.get_sample_value("wattoken_ingest_events_skipped_total")
    return Outcome(answer, log.records, skipped)


def body_of(case: Case) -> bytes:
    """Encode the body of a case's request."""
    request = case.document["request"]
    if case.encoding == "protobuf":
        message = OTLP[case.path][0]
        return bytes(_protobuf(message, request["body"]).SerializeToString())
    if "text" in request:
        return str(request["text"]).encode()
    return json.dumps(request["body"]).encode()


def _protobuf(message: Any, body: dict[str, Any]) -> Any:
    """Build the message; OTLP's JSON has ids in hex, where protobuf's own has base64."""
    body = copy.deepcopy(body)
    for group in body.get("resourceSpans", []) + body.get("resourceLogs", []):
        for scope in group.get("scopeSpans", []) + group.get("scopeLogs", []):
            for element in scope.get("spans", []) + scope.get("logRecords", []):
                for name in {"traceId", "spanId", "parentSpanId"} & element.keys():
                    element[name] = base64.b64encode(bytes.fromhex(element[name])).decode()
    return json_format.ParseDict(body, message())


def read_answer(case: Case, answer: httpx.Response) -> dict[str, Any]:
    """Read an OTLP answer in the encoding of its request."""
    if case.encoding == "json":
        return dict(answer.json())
    message = OTLP[case.path][1].FromString(answer.content)
    return dict(json_format.MessageToDict(message))

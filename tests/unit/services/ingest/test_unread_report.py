"""`wattoken gateways`: what ingest met and did not know, from its metrics to the screen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.routing import Route
from typer.testing import CliRunner

from services.cli import app
from services.ingest.adapters.provider_usage import FORMATS
from services.ingest.endpoints import Endpoints
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key
from services.ingest.metrics import IngestMetrics
from services.ingest.settings import IngestSettings
from services.ingest.unread_report import unread_of
from services.platform.errors import WattokenError

PEPPER = b"p" * 32


class NoLog:
    async def publish(self, records: list[Any]) -> None:
        pass

    async def put(self, records: list[Any]) -> None:
        pass


def metrics_after(*events: dict[str, Any]) -> str:
    """What an ingest shows at /metrics after these native events, all in one request."""
    text, entry = new_key("acme", "eu", PEPPER, "openai")
    metrics = IngestMetrics()
    settings = IngestSettings(ingest_event_age_max_days=36_500)
    endpoints = Endpoints(settings, KeyRing([entry], PEPPER), NoLog(), metrics, NoLog())
    served = Starlette(routes=[Route("/v1/events", endpoints.native, methods=["POST"])])
    base = {"source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    body = [{"id": str(number), **base, **event} for number, event in enumerate(events)]

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=served)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            headers = {"authorization": f"Bearer {text}"}
            return await client.post("/v1/events", json=body, headers=headers)

    assert asyncio.run(send()).status_code in (202, 207, 400)
    return generate_latest(metrics.registry).decode()


OPENAI = {"prompt_tokens": 1, "completion_tokens": 1}


def usage(fields: dict[str, Any], usage_format: str = "openai_chat") -> dict[str, Any]:
    return {"usage": fields, "usage_format": usage_format}


def test_a_new_number_is_counted_whether_taken_or_refused() -> None:
    text = metrics_after(
        usage(OPENAI | {"tomorrows_tokens": 3, "completion_tokens_details": {"new": 1}}),
        usage({"prompt_tokens": -1, "completion_tokens": 1, "tomorrows_tokens": 3}),
        usage(OPENAI | {"cost": 0.1, "text": "new"}),
    )
    assert unread_of(text) == {
        ("openai_chat", "tomorrows_tokens"): 2,
        ("openai_chat", "completion_tokens_details.new"): 1,
    }


def test_what_is_only_tried_is_not_counted() -> None:
    """A refusal tries other formats, to say which fits."""
    text = metrics_after(usage({"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}))
    assert {name for name, _ in unread_of(text)} == {"openai_chat"}


def test_a_new_kind_of_iteration_is_counted() -> None:
    iterations = [{"type": "dreaming", "input_tokens": 5, "output_tokens": 1}]
    fields = {"input_tokens": 1, "output_tokens": 1, "iterations": iterations}
    text = metrics_after(usage(fields, "anthropic"))
    assert unread_of(text) == {("anthropic", "iterations[].type.dreaming"): 1}


@pytest.fixture
def ingest() -> Iterator[str]:
    """An address whose /metrics are those of an ingest that met something new."""
    text = metrics_after(usage(OPENAI | {"tomorrows_tokens": 3}))

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Metrics)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_unread_adds_up_over_several_ingests(ingest: str) -> None:
    call = ["gateways", "unread", "--url", ingest, "--url", f"{ingest}/"]
    result = CliRunner().invoke(app, [*call, "--json"])
    assert json.loads(result.stdout) == [
        {"format": "openai_chat", "field": "tomorrows_tokens", "times": 2}
    ]
    assert "tomorrows_tokens" in CliRunner().invoke(app, call).stdout


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://x", "nonsense"])
def test_an_address_that_does_not_answer_is_named(url: str) -> None:
    result = CliRunner().invoke(app, ["gateways", "unread", "--url", url])
    assert isinstance(result.exception, WattokenError)
    assert url in str(result.exception)


def test_fields_lists_the_register() -> None:
    rows = json.loads(CliRunner().invoke(app, ["gateways", "fields", "--json"]).stdout)
    assert {row["format"] for row in rows} == {*FORMATS, "cloudevents", "opentelemetry"}
    only = json.loads(CliRunner().invoke(app, ["gateways", "fields", "ollama", "--json"]).stdout)
    assert {
        name: next(row for row in only if row["field"] == "eval_count")[name]
        for name in ("format", "field", "class")
    } == {"format": "ollama", "field": "eval_count", "class": "a total"}
    wrong = CliRunner().invoke(app, ["gateways", "fields", "acme"])
    assert "'acme'" in str(wrong.exception)

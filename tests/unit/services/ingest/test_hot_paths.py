"""Hot paths answer as the framework would, and leave everything else to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.ingest.hot_paths import Handler, HotPaths, HotRequest, IncomingRequest
from services.ingest.metrics import IngestMetrics

PATH = "/v1/events"


async def echo(request: IncomingRequest) -> Response:
    body = b"".join([piece async for piece in request.stream()])
    return Response(
        request.headers.get("x-name", "").encode() + body,
        status_code=202,
        headers={"Retry-After": "7"},
        media_type="application/json",
    )


async def broken(_request: IncomingRequest) -> Response:
    raise RuntimeError("secret")


class Service:
    def __init__(self, handler: Handler = echo) -> None:
        async def cold(_request: Request) -> Response:
            return PlainTextResponse("cold")

        self.metrics = IngestMetrics()
        framework = Starlette(routes=[Route(PATH, echo, methods=["POST"]), Route("/cold", cold)])
        self.framework = framework
        self.app = HotPaths(framework, {PATH: handler}, self.metrics)

    def count(self, path: str, status: int) -> float | None:
        labels = {"path": path, "status": str(status)}
        return self.metrics.registry.get_sample_value("wattoken_ingest_requests_total", labels)


def call(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def test_it_answers_as_the_framework_does() -> None:
    service = Service()
    sent: dict[str, Any] = {"content": b"x" * 100_000, "headers": {"X-Name": "é".encode("latin-1")}}
    hot = call(service.app, "POST", PATH, **sent)
    cold = call(service.framework, "POST", PATH, **sent)
    assert (hot.status_code, hot.content) == (cold.status_code, cold.content) == (202, hot.content)
    assert hot.headers == cold.headers
    assert service.count(PATH, 202) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "label"),
    [("GET", PATH, 405, PATH), ("GET", "/cold", 200, "other"), ("POST", "/none", 404, "other")],
)
def test_everything_else_is_the_frameworks_and_counted(
    method: str, path: str, status: int, label: str
) -> None:
    service = Service()
    assert call(service.app, method, path).status_code == status
    assert service.count(label, status) == 1


def test_a_fault_of_ours_is_500_without_a_word() -> None:
    service = Service(broken)
    answer = call(service.app, "POST", PATH, content=b"{}")
    assert (answer.status_code, answer.content) == (500, b"")
    assert service.count(PATH, 500) == 1


def test_a_client_that_goes_away_is_said_so() -> None:
    messages: Iterator[Mapping[str, Any]] = iter(
        [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Mapping[str, Any]:
        return next(messages)

    async def scenario() -> None:
        pieces = []
        with pytest.raises(ClientDisconnect):
            async for piece in HotRequest({"headers": []}, receive).stream():  # type: ignore[arg-type]
                pieces.append(piece)
        assert pieces == [b"a"]

    asyncio.run(scenario())

"""The paths that take events, served without the framework's layers around each request.

A gateway that sends one event a request pays for the request, not for the event; routing,
middleware and request objects of the framework would be most of that. The handlers are the same
coroutines that the framework could call: they read headers and the body's stream only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest.answers import native_refusal
from services.ingest.errors import MalformedError
from services.ingest.headers import check_headers
from services.ingest.metrics import IngestMetrics
from services.platform.log import get_logger

log = get_logger(__name__)

POST: Final = "POST"


class IncomingRequest(Protocol):
    """What a handler sees of a request: Starlette's `Request` is one, and so is `HotRequest`."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by their names in lower case."""

    def stream(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""


Handler = Callable[[IncomingRequest], Awaitable[Response]]


class HotRequest:
    """One POST, straight from the server."""

    __slots__ = ("_receive", "headers")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        # Of a header given twice the last counts; of those that are read, none is let in twice.
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._receive = receive

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body's pieces; raises `ClientDisconnect` when the client goes away."""
        receive = self._receive
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body = message.get("body", b"")
            if body:
                yield body
            if not message.get("more_body", False):
                return


class HotPaths:
    """Serves POSTs to some paths itself and counts every answer; the rest is the application's."""

    def __init__(self, app: ASGIApp, handlers: Mapping[str, Handler], metrics: IngestMetrics):
        self._app = app
        self._handlers = handlers
        self._count = metrics.count_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        try:
            check_headers(scope["headers"])
        except MalformedError as error:
            await self._refuse(path, error, send)
            return
        handler = self._handlers.get(path) if scope["method"] == POST else None
        if handler is None:
            await self._app(scope, receive, self._counting(path, send))
            return
        try:
            response = await handler(HotRequest(scope, receive))
        except Exception:
            log.exception("a request failed by a fault of ours", path=path)
            response = Response(status_code=500)
        await self._answer(path, response, send)

    async def _refuse(self, path: str, error: MalformedError, send: Send) -> None:
        answer = native_refusal(error)
        # Who sends such a head may mean its body's end elsewhere than the server saw it.
        headers = {**answer.headers, "connection": "close"}
        response = Response(answer.body, answer.status, headers, answer.content_type)
        await self._answer(path, response, send)

    async def _answer(self, path: str, response: Response, send: Send) -> None:
        self._count(path, response.status_code)
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": response.body})

    def _counting(self, path: str, send: Send) -> Send:
        async def counting_send(message: Mapping[str, object]) -> None:
            if message["type"] == "http.response.start":
                self._count(path, int(str(message["status"])))
            await send(message)  # type: ignore[arg-type]

        return counting_send

"""Spans around requests and around what they hand to Kafka; used only where traces are on.

No key, tenant, id or payload is in any of them. A request's span goes on where its `traceparent`
leaves off. Nothing of it goes into the messages: a worker reads millions of them at once, as bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.batches import Batch
from services.ingest.metrics import PATHS, IngestMetrics
from services.ingest.records import Record
from services.platform.tracing import Attributes, Traces

#: Asked every few seconds by those who watch the process, and no work of its.
UNTRACED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_OTHER: Final = "_OTHER"
#: A path that is none of ours is whatever a client sends.
_PATH_CHARACTERS_MAX: Final = 200
_CONTEXT: Final = (b"traceparent", b"tracestate")


class TracedApp:
    """An ASGI application with a span around each request that is no probe."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        traces = self._traces

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = int(message["status"])
                traces.note(lambda: {"http.response.status_code": status})
                if status >= 500:
                    traces.fail(str(status))
            await send(message)

        about = partial(_about, scope)
        with traces.span(_named(scope), about, kind="server", parent=parent_of(scope)):
            await self._app(scope, receive, noting)


def _named(scope: Scope) -> str:
    """Method and path, of which there are only so many."""
    method = scope["method"] if scope["method"] in _METHODS else "HTTP"
    return f"{method} {scope['path']}" if scope["path"] in PATHS else method


def _about(scope: Scope) -> Attributes:
    """What OpenTelemetry's conventions for HTTP servers ask for."""
    method, path = scope["method"], scope["path"]
    found: dict[str, str | int] = {
        "http.request.method": method if method in _METHODS else _OTHER,
        "url.path": path[:_PATH_CHARACTERS_MAX],
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if path in PATHS:
        found["http.route"] = path
    return found


def parent_of(scope: Scope) -> Mapping[str, str] | None:
    """The trace that a request is part of, as its headers say; None where they do not agree."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in _CONTEXT:
            key, text = name.decode(), value.decode("latin-1")
            if key == "traceparent" and key in found:
                return None
            found[key] = f"{found[key]},{text}" if key in found else text
    return found if "traceparent" in found else None


class Publishing(Protocol):
    """What puts records onto the log."""

    topic: str

    async def publish(self, records: list[Record]) -> None:
        """Return once every record is acknowledged; raises `BusyError` otherwise."""


class TracedLog:
    """The log, with a span from handing it a request's events to their last acknowledgement."""

    def __init__(self, log: Publishing, traces: Traces) -> None:
        self._log = log
        self._traces = traces

    async def publish(self, records: list[Record]) -> None:
        """Return once every record is acknowledged; raises `BusyError` otherwise."""
        if not records:
            return
        topic = self._log.topic
        about = partial(_about_sending, topic, len(records))
        with self._traces.span(f"send {topic}", about, kind="producer"):
            await self._log.publish(records)


def _about_sending(topic: str, messages: int) -> Attributes:
    """What OpenTelemetry's conventions for messaging ask for."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.batch.message_count": messages,
    }


def events_note(traces: Traces) -> Callable[[int, Batch], None]:
    """What tells a request's span how many of its events were taken and how many were not."""

    def note(accepted: int, batch: Batch) -> None:
        traces.note(
            lambda: {
                "wattoken.events.accepted": accepted,
                "wattoken.events.rejected": len(batch.rejections) + len(batch.records) - accepted,
                "wattoken.events.skipped": batch.skipped,
            }
        )

    return note


def show_exemplars(metrics: IngestMetrics, traces: Traces) -> None:
    """Let the histogram of deliveries lead to the traces of requests."""
    histogram = metrics.delivery_seconds
    metrics.observe_delivery = lambda seconds: histogram.observe(seconds, traces.exemplar())

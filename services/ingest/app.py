"""The ingest service: routes, its start and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.endpoints import Endpoints
from services.ingest.keys import KeyRing
from services.ingest.metrics import IngestMetrics
from services.ingest.producer import Publisher
from services.ingest.readiness import Readiness
from services.ingest.server import serve
from services.ingest.settings import IngestSettings
from services.platform.errors import ConfigurationError
from services.platform.log import configure_logging, get_logger
from services.platform.settings import read_settings

log = get_logger(__name__)


def create_app(settings: IngestSettings, keys: KeyRing) -> ASGIApp:
    """Build the ASGI application; its lifespan starts and flushes the producer."""
    metrics = IngestMetrics()
    ProcessCollector(registry=metrics.registry)
    publisher = Publisher(settings, metrics)
    endpoints = Endpoints(settings, keys, publisher, metrics)
    readiness = Readiness(publisher.broker_reachable)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        if await readiness.ready():
            return JSONResponse({"status": "ready"})
        message = f"the broker does not answer, or has no topic {settings.kafka_topic!r}"
        return JSONResponse({"status": "unavailable", "message": message}, status_code=503)

    async def expose(request: Request) -> Response:
        encoder, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encoder(metrics.registry), headers={"content-type": content_type})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        publisher.start()
        yield
        await asyncio.to_thread(publisher.stop, settings.ingest_delivery_timeout_seconds)

    routes = [
        Route("/v1/events", endpoints.native, methods=["POST"]),
        Route("/api/v1/events", endpoints.openmeter, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", expose),
    ]
    return CountRequests(Starlette(routes=routes, lifespan=lifespan), metrics)


class CountRequests:
    """Counts every answered request by path and status, those of unknown paths too."""

    def __init__(self, app: ASGIApp, metrics: IngestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one ASGI connection on, counting its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.count_request(scope["path"], message["status"])
            await send(message)

        await self._app(scope, receive, counting_send)


def load_keys(settings: IngestSettings) -> KeyRing:
    """Load the API keys; raises `ConfigurationError` saying what to set or mend."""
    return KeyRing.load(
        _named("WATTOKEN_INGEST_KEYS_FILE", settings.ingest_keys_file),
        _named("WATTOKEN_INGEST_PEPPER_FILE", settings.ingest_pepper_file),
    )


def _named(variable: str, file: Path | None) -> Path:
    if file is None:
        raise ConfigurationError(
            f"set {variable}: ingest takes events only with API keys, and `wattoken new-key`"
            " makes one"
        )
    return file


def run() -> None:
    """Serve until SIGTERM or SIGINT, then finish what is begun and flush."""
    settings = read_settings(IngestSettings)
    configure_logging("ingest", level=settings.log_level, log_format=settings.log_format)
    app = create_app(settings, load_keys(settings))
    log.info(
        "ingest starts",
        host=settings.ingest_host,
        port=settings.ingest_port,
        topic=settings.kafka_topic,
    )
    serve(
        app,
        settings.ingest_host,
        settings.ingest_port,
        settings.ingest_shutdown_timeout_seconds,
    )
    log.info("ingest stopped")

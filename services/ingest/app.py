"""The ingest service: routes, its start and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.ingest import openapi, providers
from services.ingest.endpoints import Endpoints
from services.ingest.hot_paths import HotPaths
from services.ingest.keys.limits import Allowance
from services.ingest.keys.reload import KeyReload
from services.ingest.keys.ring import KeyRing
from services.ingest.metrics import IngestMetrics
from services.ingest.producer import Publisher
from services.ingest.readiness import Readiness
from services.ingest.rejections.topic import RejectionTopic
from services.ingest.settings import IngestSettings
from services.ingest.successor import SuccessionFollower
from services.ingest.times import LogClock
from services.ingest.tracing import TracedApp, TracedLog, events_note, show_exemplars
from services.ingest.tuning import tune_interpreter
from services.platform.catalogue import read_catalogue
from services.platform.connections import ConnectionLimits
from services.platform.errors import ConfigurationError
from services.platform.log import configure_logging, get_logger
from services.platform.settings import CatalogueSettings, read_settings
from services.platform.trace_start import start_traces
from services.platform.tracing import NO_TRACES, Traces
from services.serving.server import serve
from services.serving.tls.pair import named_files
from services.serving.tls.reload import PairReload

log = get_logger(__name__)

#: The page of /docs needs nothing but its own style.
PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def create_app(
    settings: IngestSettings,
    keys: KeyRing,
    metrics: IngestMetrics | None = None,
    traces: Traces = NO_TRACES,
) -> ASGIApp:
    """Build the ASGI application.

    Its lifespan starts and flushes the producer, and follows the keys file and the successions of
    the log meanwhile.
    """
    metrics = IngestMetrics() if metrics is None else metrics
    ProcessCollector(registry=metrics.registry)
    clock = LogClock()
    publisher = Publisher(settings, metrics, clock=clock)
    rejections = RejectionTopic(settings, metrics, clock)
    traced = traces is not NO_TRACES
    endpoints = Endpoints(
        *(settings, keys, TracedLog(publisher, traces) if traced else publisher, metrics),
        *(rejections, clock),
        note=events_note(traces) if traced else None,
    )
    brokers = settings.kafka_bootstrap_servers
    readiness = Readiness(publisher.broker_reachable)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        if await readiness.ready():
            return JSONResponse({"status": "ready"})
        reason = publisher.connection.told or "the broker does not answer"
        message = f"{reason}; events go to topic {publisher.topic!r} at {brokers}"
        return JSONResponse({"status": "unavailable", "message": message}, status_code=503)

    async def expose(request: Request) -> Response:
        encoder, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encoder(metrics.registry), headers={"content-type": content_type})

    described = openapi.document(version("wattoken"))
    described_page = openapi.page(described)

    async def describe(_request: Request) -> Response:
        return JSONResponse(described)

    async def show_docs(_request: Request) -> Response:
        return HTMLResponse(described_page, headers={"content-security-policy": PAGE_POLICY})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        publisher.start()
        loop = asyncio.get_running_loop()
        follower = SuccessionFollower(
            settings, lambda topic: loop.call_soon_threadsafe(publisher.move_to, topic)
        )
        follower.start()
        # Whoever watches the start is told at once where the broker is looked for, if in vain.
        first_look = asyncio.create_task(asyncio.to_thread(publisher.broker_reachable))
        following = follow_keys(settings, keys, metrics)
        yield
        first_look.cancel()
        if following is not None:
            following.cancel()
        # Until the last: what is in flight may yet be refused and have to go elsewhere.
        await publisher.stop(settings.ingest_delivery_timeout_seconds)
        await asyncio.to_thread(follower.stop)
        await rejections.stop(settings.ingest_delivery_timeout_seconds)

    taking = {
        "/v1/events": endpoints.native,
        "/api/v1/events": endpoints.openmeter,
        "/v1/litellm": endpoints.litellm,
        "/v1/envoy": endpoints.envoy,
        "/v1/portkey": endpoints.portkey,
        "/v1/traces": endpoints.traces,
        "/v1/logs": endpoints.logs,
    }
    routes = [
        *(Route(path, handler, methods=["POST"]) for path, handler in taking.items()),
        Route("/v1/whoami", endpoints.whoami),
        Route("/openapi.json", describe),
        Route("/docs", show_docs),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", expose),
    ]
    app = HotPaths(Starlette(routes=routes, lifespan=lifespan), taking, metrics)
    if not traced:
        return app
    show_exemplars(metrics, traces)
    return TracedApp(app, traces)


def load_keys(settings: IngestSettings) -> KeyRing:
    """Load the API keys; raises `ConfigurationError` saying what to set or fix."""
    return KeyRing.load(
        _named("WATTOKEN_INGEST_KEYS_FILE", settings.ingest_keys_file),
        _named("WATTOKEN_INGEST_PEPPER_FILE", settings.ingest_pepper_file),
        Allowance(
            events_per_second=settings.ingest_key_events_per_second or None,
            bytes_per_second=settings.ingest_key_bytes_per_second or None,
            models_max=settings.ingest_key_models_max,
            regions_max=settings.ingest_key_regions_max,
            providers_max=settings.ingest_key_providers_max,
            series_max=settings.ingest_key_series_max,
        ),
        settings.ingest_series_max,
    )


def follow_keys(
    settings: IngestSettings, keys: KeyRing, metrics: IngestMetrics
) -> asyncio.Task[None] | None:
    """Take over changes of the keys file from now on; None where the keys came from no file."""
    keys_file, pepper_file = settings.ingest_keys_file, settings.ingest_pepper_file
    if keys_file is None or pepper_file is None:
        return None
    reload = KeyReload(keys, keys_file, pepper_file, metrics)
    reload.look()
    return asyncio.create_task(reload.follow(settings.ingest_keys_reload_seconds))


def load_certificate(settings: IngestSettings, metrics: IngestMetrics) -> PairReload | None:
    """Load the certificate and its key; None where none is named.

    Raises `ConfigurationError` saying what to set or fix.
    """
    files = named_files(settings.ingest_tls_certificate_file, settings.ingest_tls_key_file)
    if files is None:
        return None
    return PairReload(files, metrics, settings.ingest_tls_reload_seconds)


def _named(variable: str, file: Path | None) -> Path:
    if file is None:
        raise ConfigurationError(
            f"set {variable}: ingest takes events only with API keys, and `wattoken keys"
            " create` makes one"
        )
    return file


def run() -> None:
    """Serve until SIGTERM or SIGINT, then finish what is begun and flush."""
    settings = read_settings(IngestSettings)
    configure_logging("ingest", level=settings.log_level, log_format=settings.log_format)
    providers.use(
        read_catalogue(read_settings(CatalogueSettings).catalogue_dir, with_price_lists=False)
    )
    metrics = IngestMetrics()
    traces = start_traces(settings, "ingest", metrics.spans)
    app = create_app(settings, load_keys(settings), metrics, traces)
    tls = load_certificate(settings, metrics)
    log.info(
        "ingest starts",
        host=settings.ingest_host,
        port=settings.ingest_port,
        scheme="http" if tls is None else "https",
        topic=settings.kafka_topic,
    )
    tune_interpreter()
    serve(
        app,
        settings.ingest_host,
        settings.ingest_port,
        "WATTOKEN_INGEST",
        settings.ingest_shutdown_timeout_seconds,
        ConnectionLimits(
            settings.ingest_connections_max,
            settings.ingest_connections_per_address_max,
            settings.ingest_idle_seconds,
        ),
        tls,
    )
    traces.stop()
    log.info("ingest stopped")

"""The exporter's HTTP side: /metrics in the text and the OpenMetrics format, and its health.

The page at `/` is the control room's (`services.exporter.control_room`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from prometheus_client.exposition import choose_encoder, gzip_accepted
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.exporter.control_room import web as control_room
from services.exporter.control_room.history import History
from services.exporter.control_room.room import ControlRoom
from services.exporter.exposition import Exposition, Family, gzipped
from services.exporter.metric_definitions import exposed_name
from services.exporter.sampler import own_thread
from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.platform.connections import ConnectionLimits
from services.platform.errors import WattokenError
from services.platform.log import configure_logging, get_logger
from services.platform.schema_state import require_clickhouse
from services.platform.settings import read_settings
from services.serving.server import serve

_log = get_logger(__name__)

#: For scrapes that have begun, when it is told to stop.
_STOP_SECONDS: Final = 10.0


def create_app(scraper: Scraper, pages: Sequence[BaseRoute] = ()) -> Starlette:
    """Make the ASGI application around a scraper; ``pages`` are further routes."""
    # Text of many series takes a while to write: not in the event loop, and one at a time.
    encoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encode")
    exposition = Exposition()

    async def metrics(request: Request) -> Response:
        families = named(await scraper.scrape(), request.query_params.getlist("name[]"))
        return await asyncio.get_running_loop().run_in_executor(
            encoding,
            encode,
            exposition,
            families,
            request.headers.get("accept", ""),
            request.headers.get("accept-encoding", ""),
        )

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        error = await scraper.clickhouse_error()
        if error is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable", "reason": error}, status_code=503)

    return Starlette(
        routes=[
            *pages,
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )


def named(families: Sequence[Family], names: Collection[str]) -> Sequence[Family]:
    """Leave only the families that are asked for as ``name[]=…``; all of them if none is."""
    if not names:
        return families
    return [one for one in families if exposed_name(one.meaning) in names]


def encode(
    exposition: Exposition, families: Sequence[Family], accept: str, accept_encoding: str
) -> Response:
    """Write the families in the format and encoding that the client asks for."""
    content_type = negotiated(accept)
    text = exposition.write(
        families, openmetrics=content_type.startswith("application/openmetrics")
    )
    headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
    if not gzip_accepted(accept_encoding):
        return Response(b"".join(text), headers=headers)
    headers["content-encoding"] = "gzip"
    return Response(gzipped(text), headers=headers)


def negotiated(accept: str) -> str:
    """Give the content type to answer with, as prometheus_client chooses it."""
    try:
        _, content_type = choose_encoder(accept)
    except (ValueError, TypeError):
        # It compares the header's version with numbers, and it may be no number.
        _, content_type = choose_encoder("")
    return content_type


def tell_what_is_away(settings: ExporterSettings) -> None:
    """Look once at ClickHouse, for whoever watches the start: scrapes look only when they come."""
    try:
        require_clickhouse(settings)
    except WattokenError as error:
        _log.warning("clickhouse is not read yet", reason=str(error))


def run(max_series: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; ``max_series`` wins over the environment.

    One process without workers: what was shown before must be in the memory of whoever answers.
    """
    settings = read_settings(ExporterSettings, exporter_max_series=max_series)
    configure_logging("exporter", level=settings.log_level, log_format=settings.log_format)
    pages = control_room.routes(ControlRoom(settings), History(settings))
    app = create_app(Scraper(settings), pages)
    _log.info("exporter starts", host=settings.exporter_host, port=settings.exporter_port)
    own_thread("first look", lambda: tell_what_is_away(settings))
    serve(
        app,
        settings.exporter_host,
        settings.exporter_port,
        "WATTOKEN_EXPORTER",
        _STOP_SECONDS,
        ConnectionLimits(
            settings.exporter_connections_max,
            settings.exporter_connections_per_address_max,
            settings.exporter_idle_seconds,
        ),
    )
    _log.info("exporter stopped")

"""The exporter's HTTP side: /metrics in the text and the OpenMetrics format, and its health."""

from __future__ import annotations

import asyncio
import gzip
import signal
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.log import configure_logging, get_logger
from services.platform.settings import read_settings

_log = get_logger(__name__)

#: A scrape of 10,000 series is megabytes of much alike text: the fastest level suffices.
GZIP_LEVEL: Final = 1

INDEX: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Wattoken exporter</title>
<h1>Wattoken exporter</h1>
<ul>
<li><a href="/metrics">/metrics</a> for Prometheus
<li><a href="/healthz">/healthz</a> the process runs
<li><a href="/readyz">/readyz</a> ClickHouse answers
</ul>
</html>
"""


class Families(Collector):
    """Families that are there already, in the shape that the encoders take."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._families


def create_app(scraper: Scraper) -> Starlette:
    """Make the ASGI application around a scraper."""
    # Text of many series takes a while to write: not in the event loop, and one at a time.
    encoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encode")

    async def metrics(request: Request) -> Response:
        families = await scraper.scrape()
        return await asyncio.get_running_loop().run_in_executor(
            encoding,
            encode,
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

    async def index(request: Request) -> Response:
        return HTMLResponse(INDEX)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )


def encode(families: list[Metric], accept: str, accept_encoding: str) -> Response:
    """Write the families in the format and encoding that the client asks for."""
    try:
        encoder, content_type = choose_encoder(accept)
    except (ValueError, TypeError):
        # The encoder compares the header's version with numbers, and it may be no number.
        encoder, content_type = choose_encoder("")
    body = encoder(Families(families))
    headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
    if gzip_accepted(accept_encoding):
        body = gzip.compress(body, compresslevel=GZIP_LEVEL)
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers)


def run(max_series: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; ``max_series`` wins over the environment.

    One process without workers: what was shown before must be in the memory of whoever answers.
    """
    settings = read_settings(ExporterSettings, exporter_max_series=max_series)
    configure_logging("exporter", level=settings.log_level, log_format=settings.log_format)
    asyncio.run(_serve(settings))


async def _serve(settings: ExporterSettings) -> None:
    _require_free(settings.exporter_host, settings.exporter_port)
    server = Server(
        create_app(Scraper(settings)),
        address=settings.exporter_host,
        port=settings.exporter_port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        log_enabled=False,
        websockets=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    _log.info("listening", host=settings.exporter_host, port=settings.exporter_port)
    await server.serve()
    if server.interrupt_children:
        raise UnavailableError("the HTTP server ended by itself: see the log")
    _log.info("stopped")


def _require_free(host: str, port: int) -> None:
    """Refuse an address that is taken: the server would share it and get half of the scrapes."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror}): set WATTOKEN_EXPORTER_HOST and"
            " WATTOKEN_EXPORTER_PORT to a free address"
        ) from None

"""The control room over HTTP: the page, what it is drawn with, and its figures as JSON."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from prometheus_client.exposition import gzip_accepted
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.exporter.control_room.history import History
from services.exporter.control_room.questions import BadQuestion
from services.exporter.control_room.room import ControlRoom
from services.exporter.control_room.shelf import Busy, Shelved

#: Everything comes from this server and nothing stands in the page itself, so a model that calls
#: itself `<script>` stays a name. Frames of the same site may show it, on a wall for instance.
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
DOCUMENT_PATH: Final = "/control-room/v1.json"
SERIES_PATH: Final = "/control-room/series.json"
NAMES_PATH: Final = "/control-room/names.json"
ASSETS_PATH: Final = "/control-room/assets"
PAGE: Final = "index.html"
MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, plain and packed."""

    media_type: str
    body: bytes
    packed: bytes
    etag: str


def read_assets() -> dict[str, Asset]:
    """Read the page's files; those of other types than `MEDIA_TYPES` are not for visitors."""
    assets = {}
    for file in files("services.exporter.control_room").joinpath("assets").iterdir():
        media_type = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            body = file.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            assets[file.name] = Asset(media_type, body, gzip.compress(body, mtime=0), etag)
    return assets


def routes(room: ControlRoom, history: History) -> list[Route]:
    """Give the routes: `/`, its assets, the document, and what answers about history."""
    assets = read_assets()

    async def page(request: Request) -> Response:
        return answer(request, assets[PAGE])

    async def asset(request: Request) -> Response:
        found = assets.get(request.path_params["name"])
        if found is None:
            return Response("not found\n", 404, SECURITY_HEADERS, "text/plain")
        return answer(request, found)

    async def document(request: Request) -> Response:
        made = await room.answer()
        headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
        packed = _takes_gzip(request)
        return _respond(made.packed if packed else made.body, "application/json", headers, packed)

    async def series(request: Request) -> Response:
        return await _told(request, history.series(request.query_params.multi_items()))

    async def names(request: Request) -> Response:
        return await _told(request, history.names(request.query_params.multi_items()))

    return [
        Route("/", page),
        Route(f"{ASSETS_PATH}/{{name}}", asset),
        Route(DOCUMENT_PATH, document),
        Route(SERIES_PATH, series),
        Route(NAMES_PATH, names),
    ]


async def _told(request: Request, asked: Awaitable[Shelved]) -> Response:
    """Answer a question, or say why not: 400 that it is none, 503 that it cannot be read now."""
    headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
    try:
        made = await asked
    except BadQuestion as error:
        told = {"error": str(error), "parameter": error.parameter}
        return JSONResponse(told, 400, headers)
    except Busy as error:
        again = {"retry-after": str(error.again_seconds)}
        return JSONResponse({"error": str(error)}, 503, {**headers, **again})
    if made.error is not None:
        return JSONResponse({"error": made.error}, 503, {**headers, "retry-after": "2"})
    packed = _takes_gzip(request)
    return _respond(made.packed if packed else made.body, "application/json", headers, packed)


def answer(request: Request, asset: Asset) -> Response:
    """Answer with a file, or that the visitor has it already."""
    headers = {**SECURITY_HEADERS, "cache-control": "no-cache", "etag": asset.etag}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    packed = _takes_gzip(request)
    return _respond(asset.packed if packed else asset.body, asset.media_type, headers, packed)


def _takes_gzip(request: Request) -> bool:
    return gzip_accepted(request.headers.get("accept-encoding", ""))


def _respond(body: bytes, media_type: str, headers: Mapping[str, str], packed: bool) -> Response:
    encoding = {"content-encoding": "gzip"} if packed else {}
    given = {**headers, **encoding, "vary": "accept-encoding", "content-type": media_type}
    return Response(body, headers=given)

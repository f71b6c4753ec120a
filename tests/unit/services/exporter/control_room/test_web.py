"""The page over HTTP: what is served, how it is cached, and what it may never do."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from services.exporter.control_room.history import History
from services.exporter.control_room.room import ControlRoom
from services.exporter.control_room.web import (
    ASSETS_PATH,
    DOCUMENT_PATH,
    NAMES_PATH,
    SECURITY_HEADERS,
    SERIES_PATH,
    read_assets,
    routes,
)
from services.exporter.settings import ExporterSettings

ASSETS = Path(__file__).parents[5] / "services/exporter/control_room/assets"


class Client:
    """Asks the routes without a network."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://exporter"
            ) as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def client() -> Client:
    settings = ExporterSettings(
        clickhouse_port=1, kafka_bootstrap_servers="127.0.0.1:1", exporter_timeout_seconds=0.2
    )
    return Client(Starlette(routes=routes(ControlRoom(settings), History(settings))))


@pytest.mark.parametrize(
    "path",
    [
        *("/", DOCUMENT_PATH, f"{ASSETS_PATH}/main.js", f"{ASSETS_PATH}/none.js"),
        *(SERIES_PATH, f"{SERIES_PATH}?from=no", NAMES_PATH),
    ],
)
def test_every_answer_has_the_security_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    for name, value in SECURITY_HEADERS.items():
        assert headers[name] == value
    assert "unsafe" not in headers["content-security-policy"]


def test_the_page_names_only_assets_that_are_there(client: Client) -> None:
    html = client.get("/").text
    named = re.findall(r'(?:src|href)="(/control-room/[^"]+)"', html)
    assert len(named) >= 6
    for path in named:
        assert client.get(path).status_code == 200, path
    for module in ASSETS.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8")):
            assert client.get(f"{ASSETS_PATH}/{name}").status_code == 200, name


def test_nothing_inline_and_nothing_from_elsewhere(client: Client) -> None:
    html = client.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"\sstyle=|<style|\son\w+=", html)
    for path in [*ASSETS.glob("*.html"), *ASSETS.glob("*.css"), *ASSETS.glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        if path.name.startswith("uPlot"):
            text = text.replace("https://github.com/leeoniya/uPlot", "")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path.name


def test_no_text_becomes_markup() -> None:
    for path in ASSETS.glob("*.js"):
        if not path.name.startswith("uPlot"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


def test_an_asset_is_sent_once(client: Client) -> None:
    first = client.get(f"{ASSETS_PATH}/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(f"{ASSETS_PATH}/main.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_packed_where_accepted(client: Client) -> None:
    plain = client.get("/", headers={"accept-encoding": "identity"})
    packed = client.get("/", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


def test_the_document_is_never_kept(client: Client) -> None:
    answer = client.get(DOCUMENT_PATH)
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.text)["status"]["state"] == "unavailable"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("from=tomorrow", "from"), ("tenant=acme", "tenant"), ("by=tenant", "by")],
)
def test_a_wrong_parameter_is_refused_by_its_name(
    client: Client, query: str, parameter: str
) -> None:
    answer = client.get(f"{SERIES_PATH}?{query}")
    assert answer.status_code == 400
    told = answer.json()
    assert told["parameter"] == parameter
    assert told["error"].startswith(f"{parameter}: ")


def test_history_without_a_database_says_why(client: Client) -> None:
    answer = client.get(f"{SERIES_PATH}?last=3h")
    assert answer.status_code == 503
    assert "ClickHouse" in answer.json()["error"]
    assert int(answer.headers["retry-after"]) >= 1


def test_nothing_but_assets_is_served(client: Client) -> None:
    for name in ("README.md", "../web.py", "%2e%2e%2fweb.py", ".."):
        assert client.get(f"{ASSETS_PATH}/{name}").status_code == 404


def test_the_library_is_as_its_readme_says() -> None:
    readme = (ASSETS / "README.md").read_text(encoding="utf-8")
    sums = dict(re.findall(r"\| `(uPlot\.[\w.]+)` \|.*\| `([0-9a-f]{64})` \|", readme))
    assert set(sums) == {"uPlot.iife.min.js", "uPlot.min.css"}
    for name, expected in sums.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == expected
    assert "1.6.32" in (ASSETS / "uPlot.iife.min.js").read_text(encoding="utf-8")[:100]
    assert "MIT License" in (ASSETS / "uPlot.LICENSE.txt").read_text(encoding="utf-8")
    assert "uPlot.LICENSE.txt" in read_assets()

"""Real HTTP: what each answer of ingest and of the exporter means."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.canary.app import watch_of
from services.canary.books import Metered
from services.canary.clients import FAILURES, Exporter, Http, Ingest
from services.canary.errors import AttemptError
from services.canary.metrics import CanaryMetrics
from services.canary.settings import CanarySettings
from services.platform.errors import ConfigurationError
from services.platform.settings import read_settings

NAME = "wattoken-canary"
TEXT = """\
# HELP wattoken_canary_metered_requests x
wattoken_canary_metered_requests{canary="wattoken-canary"} 16
wattoken_canary_metered_input_tokens{canary="wattoken-canary"} 1424
wattoken_canary_metered_output_tokens{canary="wattoken-canary"} 112
wattoken_scrape_collector_success{collector="registers"} 1
"""


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[Http, list[tuple[str, str, bytes]]]]:
    """A server that gives one answer to all, and what it was asked: path, key, body."""
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name the base class calls
            length = int(self.headers.get("Content-Length", 0))
            key = self.headers.get("Authorization", "")
            asked.append((self.path, key, self.rfile.read(length)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Http("X", f"http://127.0.0.1:{server.server_port}/", None, 5), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_round_is_acknowledged_by_202_alone() -> None:
    with answering(202, b"{}") as (http, asked):
        Ingest(http, "wtk_made-up").send(b'{"id": "1"}')
    assert asked == [("/v1/events", "Bearer wtk_made-up", b'{"id": "1"}')]


@pytest.mark.parametrize(
    ("status", "what"),
    [
        *((207, "ingest_refuses"), (400, "ingest_refuses"), (401, "ingest_refuses")),
        *((429, "ingest_unavailable"), (500, "ingest_unavailable"), (503, "ingest_unavailable")),
        (200, "ingest_refuses"),
    ],
)
def test_all_else_is_no_acknowledgement(status: int, what: str) -> None:
    with (
        answering(status, b'{"error": "why\nnot"}') as (http, _),
        pytest.raises(AttemptError, match=f"ingest answers {status}: .*why not") as raised,
    ):
        Ingest(http, "wtk_made-up").send(b"x")
    assert raised.value.what == what


def test_the_exporter_is_asked_for_the_canary_only() -> None:
    with answering(200, TEXT.encode()) as (http, asked):
        assert Exporter(http, NAME).read() == Metered(16, 1424, 112)
        assert Exporter(http, f"{NAME}-2").read() == Metered(0, 0, 0)
    assert asked[0][0].startswith("/metrics?name[]=wattoken_canary_metered_requests&")


@pytest.mark.parametrize(
    ("status", "text", "what"),
    [
        (503, "no", "exporter_unavailable"),
        (200, "<html>", "exporter_unavailable"),
        (200, TEXT.replace('registers"} 1', 'registers"} 0'), "registers_unread"),
    ],
)
def test_what_it_does_not_say_is_not_taken_for_nothing(status: int, text: str, what: str) -> None:
    with answering(status, text.encode()) as (http, _), pytest.raises(AttemptError) as raised:
        Exporter(http, NAME).read()
    assert raised.value.what == what


def test_nobody_there_is_told_apart() -> None:
    nobody = Http("X", "http://127.0.0.1:1", None, 1)
    with pytest.raises(AttemptError) as sent:
        Ingest(nobody, "wtk_made-up").send(b"x")
    with pytest.raises(AttemptError) as read:
        Exporter(nobody, NAME).read()
    assert {sent.value.what, read.value.what} == {"ingest_unreachable", "exporter_unreachable"}
    assert {sent.value.what, read.value.what} < set(FAILURES)


def test_settings_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="WATTOKEN_CANARY_TENANT: .*'acme'.*be billed"):
        read_settings(CanarySettings, canary_tenant="acme")
    with pytest.raises(ConfigurationError, match="wattoken keys create --tenant wattoken-canary"):
        watch_of(read_settings(CanarySettings), CanaryMetrics())
    key = tmp_path / "key"
    key.write_text("wtk_made-up\n")
    for setting, value, why in (
        ("canary_ingest_url", "ingest:8080", "WATTOKEN_CANARY_INGEST_URL: .* is no"),
        ("canary_exporter_url", "ftp://x", "WATTOKEN_CANARY_EXPORTER_URL: .* is no"),
        ("canary_api_key_file", tmp_path / "no", "cannot read the secret file"),
    ):
        given = {"canary_api_key_file": key, setting: value}
        with pytest.raises(ConfigurationError, match=why):
            watch_of(read_settings(CanarySettings, **given), CanaryMetrics())
    https = {
        "canary_api_key_file": key,
        "canary_ingest_url": "https://x",
        "canary_ca_file": tmp_path / "none.pem",
    }
    with pytest.raises(ConfigurationError, match="WATTOKEN_CANARY_CA_FILE: cannot read"):
        watch_of(read_settings(CanarySettings, **https), CanaryMetrics())
    assert watch_of(read_settings(CanarySettings, canary_api_key_file=key), CanaryMetrics())

"""What services ask each other goes to no proxy, and trusts whom it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.platform.direct_http import direct_opener
from services.platform.errors import ConfigurationError


class Answering(BaseHTTPRequestHandler):
    """Answers all with two letters."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_proxy_that_the_environment_names_is_not_asked(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with direct_opener().open(address, timeout=5) as answer:
        assert answer.read() == b"ok"


def test_certificates_that_cannot_be_read_are_told_with_their_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"WATTOKEN_X_CA_FILE: cannot read .*none\.pem"):
        direct_opener(tmp_path / "none.pem", "WATTOKEN_X_CA_FILE")
    (tmp_path / "rubbish.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"WATTOKEN_X_CA_FILE: cannot read"):
        direct_opener(tmp_path / "rubbish.pem", "WATTOKEN_X_CA_FILE")

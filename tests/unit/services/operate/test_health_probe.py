"""The probe says yes to 200 and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from services.operate.health_probe import probe
from services.platform.errors import ConfigurationError, UnavailableError


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # noqa: N802 - the name the base class calls
        if self.path == "/hang":
            threading.Event().wait(2)
            return
        status = int(self.path[1:])
        self.send_response(status)
        self.send_header("Content-Length", "13" if status != 204 else "0")
        self.end_headers()
        if status != 204:
            self.wfile.write(b"two\nlines now")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_200_is_healthy(url: str) -> None:
    probe(f"{url}/200")


@pytest.mark.parametrize("status", [204, 404, 503])
def test_any_other_answer_is_not(url: str, status: int) -> None:
    with pytest.raises(UnavailableError, match=f"answers {status}"):
        probe(f"{url}/{status}")


def test_the_reason_is_on_one_line(url: str) -> None:
    with pytest.raises(UnavailableError, match="answers 503: two lines now$"):
        probe(f"{url}/503")


def test_silence_is_not_healthy(url: str) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        probe(f"{url}/hang", timeout_seconds=0.1)


def test_nobody_there_is_not_healthy() -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        probe("http://127.0.0.1:1/200")


def test_a_proxy_in_the_environment_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    probe(f"{url}/200")


def test_files_are_no_health() -> None:
    with pytest.raises(ConfigurationError, match="no http"):
        probe("file:///etc/hostname")

"""Over https nothing is sent to whoever is not trusted, and what was not sent has not arrived."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from wattoken.client.answers import Answer, NoAnswer
from wattoken.client.errors import ConfigurationError
from wattoken.client.transport import Transport

from tests.certificates import Authority, write_pair

AUTHORITY = Authority()


class _Taking(BaseHTTPRequestHandler):
    taken: list[bytes]

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that does not trust it is no error here."""


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    files = write_pair(tmp_path, AUTHORITY.pair())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    taken: list[bytes] = []
    with _Server(("127.0.0.1", 0), type("Taking", (_Taking,), {"taken": taken})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"https://127.0.0.1:{server.server_port}", taken
        server.shutdown()
        serving.join()


def test_an_authority_of_ones_own_is_trusted(
    ingest: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    url, taken = ingest
    transport = Transport(url, "wtk_a_b", 10, AUTHORITY.ca_file(tmp_path))
    answer = transport.post([b"{}"])
    transport.close()
    assert isinstance(answer, Answer)
    assert (answer.status, taken) == (202, [b"{}"])


@pytest.mark.parametrize("trusting", ["another", "this machine's"])
def test_whoever_is_not_trusted_gets_nothing(
    ingest: tuple[str, list[bytes]], tmp_path: Path, trusting: str
) -> None:
    url, taken = ingest
    ca_file = Authority().ca_file(tmp_path) if trusting == "another" else None
    answer = Transport(url, "wtk_a_b", 10, ca_file).post([b"{}"])
    assert isinstance(answer, NoAnswer)
    assert not answer.may_have_arrived
    assert "certificate not trusted" in answer.reason
    assert taken == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_an_authority_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(file)):
        Transport("https://127.0.0.1:1", "wtk_a_b", 10, file)

"""A way to ClickHouse that keeps the inserts going by it, byte for byte as a worker sends them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from services.local_stack.ports import LOOPBACK

#: Headers that are of one connection and not of a request.
OF_A_CONNECTION: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
)
ANSWER_SECONDS: Final = 120.0
#: Within so many bytes of a body stands what kind of query it is.
QUERY_BYTES: Final = 40


@dataclass(frozen=True, slots=True)
class Insert:
    """One insert as it was sent: the query's parameters, headers and body."""

    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class InsertRecorder:
    """Listens on ``port`` and hands everything on to ClickHouse's HTTP interface at ``target``.

    While `recording` is set, each insert that ClickHouse took is kept in `inserts`, in the order of
    its answers. A context manager.
    """

    def __init__(self, port: int, target: int) -> None:
        self.recording = False
        self.inserts: list[Insert] = []
        recorder = self

        class Handler(_Handler):
            def keep(self, insert: Insert) -> None:
                if recorder.recording:
                    recorder.inserts.append(insert)

        Handler.target = target
        self._server = _Server((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """Says nothing of connections that broke off: who had them tells."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    """A connection of the worker, and one to ClickHouse for it."""

    protocol_version = "HTTP/1.1"
    target = 0

    def keep(self, insert: Insert) -> None:
        """Take note of an insert that was answered."""
        raise NotImplementedError

    def setup(self) -> None:
        super().setup()
        self._clickhouse = http.client.HTTPConnection(LOOPBACK, self.target, timeout=ANSWER_SECONDS)

    def finish(self) -> None:
        self._clickhouse.close()
        super().finish()

    def do_POST(self) -> None:
        body = self._body()
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in OF_A_CONNECTION
        }
        self._clickhouse.request(self.command, self.path, body, headers)
        answer = self._clickhouse.getresponse()
        said = answer.read()
        insert = Insert(dict(parse_qsl(urlsplit(self.path).query)), headers, body)
        if answer.status == http.client.OK and is_insert(body):
            self.keep(insert)
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in OF_A_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of requests either."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def is_insert(body: bytes) -> bool:
    """Whether a request writes rows: its body begins with the query, as the driver sends it.

    A compressed one too, behind a short head: nothing has come twice there that could be left out.
    """
    return b"INSERT INTO " in body[:QUERY_BYTES]

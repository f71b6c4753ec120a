"""An HTTP proxy before two ClickHouse servers: questions may go to one that has older rows.

It plays what a client of a replicated table sees when it is sent to a replica that is behind:
inserts go to one server always, and what is asked is answered by either.
"""

from __future__ import annotations

import http.client
import sys
import threading
import urllib.parse
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from services.local_stack.ports import LOOPBACK

TIMEOUT_SECONDS: Final = 60.0
#: What belongs to one connection only.
HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}
)
#: So far into a body its statement begins.
BEGINNING_BYTES: Final = 4096


def is_insert(path: str, body: bytes, *, encoded: bool = False) -> bool:
    """Whether a request to ClickHouse inserts: its statement is in the address or the body.

    A body that is ``encoded`` has rows in it: the driver compresses nothing else.
    """
    if encoded:
        return True
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("query", [""])[0]
    said = asked.encode() if asked else body[:BEGINNING_BYTES]
    return said.lstrip().upper().startswith(b"INSERT")


class Listener(ThreadingHTTPServer):
    """One thread a connection; that a client died is no news."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of what is not a connection's end."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class StaleProxy:
    """A context manager. Until `behind` is set, everything goes to the server that has all."""

    def __init__(self, port: int, whole_port: int, older_port: int) -> None:
        #: Whether questions go to the server with older rows.
        self.behind = threading.Event()
        #: How many it has answered.
        self.answered_by_older = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._pass(b"")

            def do_POST(self) -> None:
                self._pass(self._body())

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                pieces = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)

            def _pass(self, body: bytes) -> None:
                older = proxy.behind.is_set() and not is_insert(
                    *(self.path, body), encoded="Content-Encoding" in self.headers
                )
                target = older_port if older else whole_port
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in HOP_BY_HOP
                }
                try:
                    status, told, answer = exchange(target, self.command, self.path, body, headers)
                except (OSError, http.client.HTTPException):
                    self.close_connection = True
                    return
                proxy.answered_by_older += older
                self.send_response(status)
                for name, value in told:
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = Listener((LOOPBACK, port), Handler)
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


def exchange(
    port: int, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Ask a server: status, headers and body of its answer. Raises what `http.client` raises."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()

"""An HTTP server in a thread: /healthz, /readyz and /metrics for services without a web app."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from services.platform.connections import address_of
from services.platform.errors import ConfigurationError

#: A scraper and an orchestrator's probes need a handful.
CONNECTIONS_MAX: Final = 64
PER_ADDRESS_MAX: Final = 16
_READ_SECONDS: Final = 10.0
#: Says why not, or None when all is well.
Check = Callable[[], str | None]


class _Server(ThreadingHTTPServer):
    """Holds few connections, and for a newcomer shuts down the oldest: an answer takes no time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        #: Oldest first.
        self._open: dict[socket.socket, str] = {}
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        address = address_of(client_address[:2])
        with self._lock:
            of_address = [one for one, held_by in self._open.items() if held_by == address]
            if len(of_address) >= PER_ADDRESS_MAX:
                self._close(of_address[0])
            elif len(self._open) >= CONNECTIONS_MAX:
                self._close(next(iter(self._open)))
            self._open[request] = address
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break off are no news."""

    def _close(self, request: socket.socket) -> None:
        del self._open[request]
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)  # Its thread wakes and ends.


class HealthServer:
    """Serves liveness, readiness and metrics until stopped."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, *, live: Check, ready: Check
    ) -> None:
        checks = {"/healthz": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            #: Longest wait for a piece of a request.
            timeout = _READ_SECONDS

            def do_GET(self) -> None:  # noqa: N802 - the name the base class calls
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(HTTPStatus.OK, encoder(registry), content_type)
                elif path in checks:
                    problem = checks[path]()
                    status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
                    self._answer(status, f"{problem or 'ok'}\n".encode(), "text/plain")
                else:
                    self._answer(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain")

            def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Probes every few seconds are no news."""

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another port"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and wait until it is so."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

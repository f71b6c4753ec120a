"""An HTTP server in a thread: /healthz, /readyz and /metrics for services without a web app."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from services.platform.errors import ConfigurationError

#: Says why not, or None when all is well.
Check = Callable[[], str | None]


class HealthServer:
    """Serves liveness, readiness and metrics until stopped."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, *, live: Check, ready: Check
    ) -> None:
        checks = {"/healthz": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
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
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another port"
            ) from None
        self._server.daemon_threads = True
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

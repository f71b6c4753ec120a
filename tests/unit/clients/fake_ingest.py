"""An ingest that misbehaves as told: a real HTTP server on loopback, with a script of answers."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Answer:
    """What is done with one request; ``status`` 0 resets the connection."""

    status: int
    takes: bool = False
    wait_seconds: float = 0.0
    retry_after: str | None = None


OK = Answer(202, takes=True)
RESET = Answer(0)
RESET_AFTER_TAKING = Answer(0, takes=True)
BUSY = Answer(503)
BUSY_AFTER_TAKING = Answer(503, takes=True)
LIMITED = Answer(429)
NO_KEY = Answer(401)
TOO_LARGE = Answer(413)


def in_one_second() -> str:
    return formatdate(time.time() + 1.5, usegmt=True)


@dataclass
class FakeIngest:
    """Answers as scripted, then ``default``; knows what arrived. A context manager."""

    default: Answer = OK
    script: deque[Answer] = field(default_factory=deque)
    #: Ids that are refused as no valid events.
    bad: frozenset[str] = frozenset()
    #: More events than this in a request are 413.
    events_max: int = 1_000_000
    requests: list[list[str]] = field(default_factory=list)
    request_times: list[float] = field(default_factory=list)
    authorization: str | None = None
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(ingest) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                answer, reply = ingest.meet(self.headers.get("Authorization"), body.split(b"\n"))
                time.sleep(answer.wait_seconds)
                if answer.status == 0:
                    self.close_connection = True
                    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    return
                text = json.dumps(reply).encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(text)))
                if answer.retry_after is not None:
                    self.send_header("Retry-After", answer.retry_after)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def meet(self, key: str | None, lines: Iterable[bytes]) -> tuple[Answer, dict[str, Any]]:
        """Take the next answer of the script, and what it takes of a request."""
        events = [json.loads(line) for line in lines]
        with self._lock:
            self.requests.append([event["id"] for event in events])
            self.request_times.append(time.monotonic())
            self.authorization = key
            answer = self.script.popleft() if self.script else self.default
            if len(events) > self.events_max:
                answer = TOO_LARGE
            rejected = [
                {"index": index, "code": "out_of_range", "message": "model is bad"}
                for index, event in enumerate(events)
                if event["id"] in self.bad
            ]
            if answer.takes:
                for event in events:
                    if event["id"] not in self.bad:
                        self.seen[event["id"]] += 1
                        self.events[event["id"]] = event
        if answer.status == 202 and rejected:
            answer = Answer(207 if len(rejected) < len(events) else 400, takes=True)
            return answer, {"accepted": len(events) - len(rejected), "rejected": rejected}
        return answer, {"accepted": len(events)}

"""An index of advisories on loopback, with what a test puts in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Index:
    """Ids by package and version, documents by id, and how it answers."""

    url: str = ""
    ids: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    #: Ids of a page; more take another request.
    page: int = 100
    status: int = 200
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, body: bytes) -> Any:
        self.asked.append(path)
        if self.silent:
            self.stopped.wait(30)
        if path != "/v1/querybatch":
            return self.documents.get(path.rpartition("/")[2])
        return {"results": [self.result(query) for query in json.loads(body)["queries"]]}

    def result(self, query: Any) -> Any:
        package = query["package"]
        ids = self.ids.get((package["ecosystem"], package["name"], query["version"]), [])
        start = int(query.get("page_token", 0))
        result: dict[str, Any] = {"vulns": [{"id": each} for each in ids[start:][: self.page]]}
        if len(ids) > start + self.page:
            result["next_page_token"] = str(start + self.page)
        return result if ids else {}


@pytest.fixture
def index() -> Iterator[Index]:
    served = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name the base class calls
            length = int(self.headers.get("Content-Length") or 0)
            found = served.answer(self.path, self.rfile.read(length))
            content = json.dumps(found).encode()
            self.send_response(served.status if found is not None else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - likewise

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    served.stopped.set()
    server.shutdown()
    server.server_close()

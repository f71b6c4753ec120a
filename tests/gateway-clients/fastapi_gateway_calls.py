"""The FastAPI example in front of a stub of the upstream API.

An answer, a stream, a stream whose client goes away, and an error.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from known_calls import KEYS, URL, Expected

REGION = "fastapi"
USAGE: dict[str, Any] = {"prompt_tokens": 80, "completion_tokens": 24, "total_tokens": 104}
USAGE |= {"prompt_tokens_details": {"cached_tokens": 64}}
USAGE |= {"completion_tokens_details": {"reasoning_tokens": 8}}
TOKENS = {"input_tokens": 80, "cache_read_input_tokens": 64, "output_tokens": 24}
TOKENS |= {"reasoning_output_tokens": 8}


class Upstream(BaseHTTPRequestHandler):
    """Answers as OpenAI does; a request for model `gpt-5-slow` stops after some of its text."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one chat completion."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "gpt-nothing":
            self._whole(404, {"error": {"message": "no such model"}})
        elif asked.get("stream"):
            assert asked["stream_options"] == {"include_usage": True}
            self._stream(asked["model"])
        else:
            self._whole(200, {"id": "1", "model": asked["model"], "choices": [], "usage": USAGE})

    def _whole(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for _ in range(5):
            choice = {"index": 0, "delta": {"content": "12345678"}}
            self._event({"model": model, "choices": [choice], "usage": None})
        if model == "gpt-5-slow":
            time.sleep(3)
            return
        self._event({"model": model, "choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
upstream.daemon_threads = True
threading.Thread(target=upstream.serve_forever, daemon=True).start()
os.environ["UPSTREAM_URL"] = f"http://127.0.0.1:{upstream.server_port}"
os.environ["WATTOKEN_API_KEY"] = KEYS[REGION]
os.environ["WATTOKEN_URL"] = URL
sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "python" / "examples"))
from fastapi_gateway import app  # noqa: E402

listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
running.start()
gateway = httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20)
PATH = "/v1/chat/completions"
expected = Expected()


def ask(model: str, **options: Any) -> dict[str, Any]:
    """Body of a request whose text has 40 characters: an estimate of 10 tokens."""
    return {"model": model, "messages": [{"role": "user", "content": "x" * 40}], **options}


try:
    assert gateway.post(PATH, json=ask("gpt-5")).json()["usage"] == USAGE
    expected.add(REGION, "openai", "gpt-5", **TOKENS)
    with gateway.stream("POST", PATH, json=ask("gpt-5", stream=True)) as answer:
        assert answer.read().endswith(b"data: [DONE]\n\n")
    expected.add(REGION, "openai", "gpt-5", **TOKENS)
    with gateway.stream("POST", PATH, json=ask("gpt-5-slow", stream=True)) as answer:
        seen = b""
        for part in answer.iter_raw():
            seen += part
            if seen.count(b"\n\n") == 5:
                break
    # 5 × 8 characters of answer are 10 tokens too; nobody counted them, and the event says so.
    expected.add(
        *(REGION, "openai", "gpt-5-slow"),
        input_tokens=10, output_tokens=10, estimated_tokens=20,
    )  # fmt: skip
    assert gateway.post(PATH, json=ask("gpt-nothing")).status_code == 404
    time.sleep(0.3)
finally:
    gateway.close()
    server.should_exit = True
    running.join(10)
expected.report()

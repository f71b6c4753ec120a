"""Providers on loopback: OpenAI's chat, Responses and embeddings, and Anthropic's messages.

What an answer used is the same each time, so whoever asks knows it; ids are new each time. For the
user `always-fails` every attempt fails, for `fails-first` each first of two.
"""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Usage = dict[str, Any]

CHAT: Usage = {
    "prompt_tokens": 1020,
    "completion_tokens": 129,
    "total_tokens": 1149,
    "prompt_tokens_details": {"cached_tokens": 640},
    "completion_tokens_details": {"reasoning_tokens": 64},
}
RESPONSES: Usage = {
    "input_tokens": 310,
    "output_tokens": 77,
    "total_tokens": 387,
    "input_tokens_details": {"cached_tokens": 256},
    "output_tokens_details": {"reasoning_tokens": 32},
}
EMBEDDINGS: Usage = {"prompt_tokens": 57, "total_tokens": 57}
#: Anthropic's input is beside its caches.
MESSAGES: Usage = {
    "input_tokens": 50,
    "cache_read_input_tokens": 1800,
    "cache_creation_input_tokens": 248,
    "output_tokens": 503,
}


class Provider(BaseHTTPRequestHandler):
    """One answer, or a stream of events, for each request."""

    protocol_version = "HTTP/1.1"
    attempts: Counter[str] = Counter()
    _lock = threading.Lock()

    def do_POST(self) -> None:
        """Answer as the provider whose path it is."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model, user = asked["model"], asked.get("user", "")
        with self._lock:
            self.attempts[user] += 1
            first = user == "fails-first" and self.attempts[user] % 2 == 1
        fails = first or user == "always-fails"
        kind = self.path.split("?")[0].rsplit("/", 1)[-1]
        if fails:
            self._whole({"error": {"message": "out of order", "type": "server_error"}}, 500)
        elif asked.get("stream"):
            self._stream(STREAMS[kind](model, asked))
        else:
            self._whole(ANSWERS[kind](model))

    def _whole(self, answer: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: Iterator[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        openai_chat = False
        for event in events:
            openai_chat = "type" not in event
            name = b"" if openai_chat else b"event: " + event["type"].encode() + b"\n"
            self.wfile.write(name + b"data: " + json.dumps(event).encode() + b"\n\n")
        if openai_chat:
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def _id(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex}"


def _chat(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Seven."}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    base = {"id": _id("chatcmpl-"), "object": "chat.completion", "created": 1_790_000_000}
    return base | {"model": model, "choices": choices, "usage": CHAT}


def _chat_stream(model: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    base = {"id": _id("chatcmpl-"), "object": "chat.completion.chunk", "created": 1_790_000_000}
    base["model"] = model
    for part in ("Se", "ven", "."):
        delta = {"role": "assistant", "content": part}
        yield base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield base | {"choices": [], "usage": CHAT}


def _response(model: str, response_id: str | None = None) -> dict[str, Any]:
    text = {"type": "output_text", "text": "Seven.", "annotations": []}
    output = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return {
        "id": response_id or _id("resp_"),
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": model,
        "output": [output | {"content": [text]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES,
    }


def _response_stream(model: str, _: dict[str, Any]) -> Iterator[dict[str, Any]]:
    numbers = itertools.count()
    whole = _response(model)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "sequence_number": next(numbers), "response": begun}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    for part in ("Sev", "en."):
        delta = {"type": "response.output_text.delta", "delta": part, "logprobs": []}
        yield delta | place | {"sequence_number": next(numbers)}
    yield {"type": "response.completed", "sequence_number": next(numbers), "response": whole}


def _embeddings(model: str) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
    return {"object": "list", "data": data, "model": model, "usage": EMBEDDINGS}


def _message(model: str) -> dict[str, Any]:
    return {
        "id": _id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "Seven."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES,
    }


def _message_stream(model: str, _: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = _message(model) | {"content": [], "stop_reason": None}
    begun["usage"] = MESSAGES | {"output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for part in ("Sev", "en."):
        delta = {"type": "text_delta", "text": part}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    usage = {"output_tokens": MESSAGES["output_tokens"]}
    yield {"type": "message_delta", "delta": end, "usage": usage}
    yield {"type": "message_stop"}


ANSWERS = {
    "completions": _chat,
    "responses": _response,
    "embeddings": _embeddings,
    "messages": _message,
}
STREAMS = {
    "completions": _chat_stream,
    "responses": _response_stream,
    "messages": _message_stream,
}


def serve() -> str:
    """Serve in the background; return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"

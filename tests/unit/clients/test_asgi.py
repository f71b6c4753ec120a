"""What the middleware hands on: usage, tier and searches, or an estimate of what broke off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from wattoken.client.asgi import App, MeterMiddleware, Receive, Send

USAGE = {"input_tokens": 3, "output_tokens": 1}
SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}


class Records:
    """Stands in for a meter, and keeps what it is given."""

    def __init__(self) -> None:
        self.fields: list[dict[str, Any]] = []

    def record(self, **fields: Any) -> None:
        self.fields.append(fields)


def answering(media: bytes, *parts: bytes) -> App:
    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", media)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def metered(app: App, request: bytes = b"{}") -> dict[str, Any]:
    """Let one request pass, and give what was recorded of it."""
    meter = Records()
    middleware = MeterMiddleware(app, meter, provider="openai")  # type: ignore[arg-type]

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": request}

    async def send(message: MutableMapping[str, Any]) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/v1/responses"}
    asyncio.run(middleware(scope, receive, send))
    (fields,) = meter.fields
    return {name: value for name, value in fields.items() if name != "duration_ms"}


WHOLE = {"model": "gpt-5", "service_tier": "flex", "output": [SEARCH], "usage": USAGE}
TOLD = {
    "model": "gpt-5",
    "provider": "openai",
    "region": None,
    "usage_format": "openai_responses",
    "service_tier": "flex",
    "web_searches": 1,
}


def test_a_whole_answer() -> None:
    app = answering(b"application/json", json.dumps(WHOLE).encode())
    assert metered(app) == TOLD | {"usage": USAGE}


def test_a_stream() -> None:
    app = answering(
        b"text/event-stream",
        event({"response": {"model": "gpt-5", "service_tier": "auto"}}),
        event({"type": "response.completed", "response": WHOLE}),
    )
    assert metered(app) == TOLD | {"usage": [USAGE]}


@pytest.mark.parametrize(("word", "tier"), [("default", "standard"), ("auto", None)])
def test_an_estimate_tells_the_tier_in_the_events_own_word(word: str, tier: str | None) -> None:
    app = answering(
        b"text/event-stream",
        event({"response": {"model": "gpt-5", "service_tier": word}}),
        event({"type": "response.output_item.done", "item": SEARCH}),
        event({"type": "response.output_text.delta", "delta": "12345678"}),
    )
    fields = metered(app, b'{"input": "1234"}')
    assert fields.get("service_tier") == tier
    assert (fields["web_searches"], fields["quality"]) == (1, "estimated")
    assert (fields["input_tokens"], fields["output_tokens"]) == (1, 2)

"""Portkey's log hook: what identifies a log without an id, and what is kept of its secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas import wire
from schemas.wire import WireEvent
from services.ingest.adapters.portkey import adapt
from services.ingest.errors import EventRejectedError
from services.ingest.keys.entry import KeyEntry

KEY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu")
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
SECRET = "sk-made-up"


def log(status: int | None = 200, answer: Any = None, **fields: Any) -> bytes:
    headers = {"authorization": SECRET, "x-portkey-config": json.dumps({"api_key": SECRET})}
    context = {
        "request": {"json": {"model": "gpt-5"}, "text": SECRET, "headers": headers},
        "response": {"json": answer, "text": SECRET, "statusCode": status},
        "provider": "openai",
        "requestType": "chatComplete",
        "metadata": {"secret": SECRET},
        **fields,
    }
    return json.dumps(context).encode()


def event(raw: bytes, received: datetime = NOW) -> WireEvent:
    found = adapt(raw, KEY, received)
    assert found is not None
    return found


def test_a_failed_request_without_usage_is_one() -> None:
    found = event(log(429, {"error": {"message": SECRET}}))
    assert (found.status, found.input_tokens, found.output_tokens) == ("error", 0, 0)
    assert (found.provider, found.model, found.time) == ("openai", "gpt-5", NOW)


def test_logs_without_an_id_are_each_one_of_their_own() -> None:
    first, other = log(429), log(500)
    assert event(first).id == event(first).id
    assert event(first).id != event(other).id
    assert event(first).id != event(first, NOW + timedelta(microseconds=1)).id


def test_embeddings_have_no_output_and_no_id() -> None:
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    found = event(log(200, {"model": "text-embedding-3-small", "usage": usage}))
    assert (found.input_tokens, found.output_tokens, found.model) == (
        8,
        0,
        "text-embedding-3-small",
    )


def test_the_messages_route_has_anthropics_usage() -> None:
    usage = {"input_tokens": 50, "cache_read_input_tokens": 1800, "output_tokens": 503}
    answer = {"id": "msg_01AbCdEfGhIjKlMnOp", "model": "claude-opus-5.5", "usage": usage}
    found = event(log(200, answer, requestType="messages", provider="anthropic"))
    assert (found.id, found.input_tokens) == ("msg_01AbCdEfGhIjKlMnOp", 1850)


@pytest.mark.parametrize(
    "raw",
    [
        log(200, {"model": "gpt-5", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
        log(500, None),
        log(200, {"usage": {"prompt_tokens": -1}}),
        log(200, {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 9}}),
        log(200, {"usage": 5}),
        log("200", {"usage": {}}),  # type: ignore[arg-type]
        log()[:-1],
        b"[" + log() + b"]",
    ],
)
def test_nothing_secret_is_in_the_event_or_the_refusal(raw: bytes) -> None:
    try:
        found = adapt(raw, KEY, NOW)
    except EventRejectedError as error:
        assert SECRET not in error.message
    else:
        assert found is None or SECRET.encode() not in wire.encode(found)

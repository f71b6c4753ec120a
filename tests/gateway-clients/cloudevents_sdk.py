"""The CloudEvents SDK in all three modes, on our own path and on OpenMeter's."""

from __future__ import annotations

import json
from typing import Any

import httpx
from cloudevents.http import CloudEvent, to_binary, to_json, to_structured
from known_calls import KEYS, URL, Expected

REGION = "cloudevents-sdk"
TOKENS = {"input_tokens": 700, "cache_read_input_tokens": 500, "output_tokens": 90}
TOKENS |= {"reasoning_output_tokens": 40}
expected = Expected()
client = httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {KEYS[REGION]}"})


def event(event_id: str) -> CloudEvent:
    """An event with a known number of tokens, expected once."""
    data = {"provider": "openai", "model": "gpt-5", **TOKENS}
    attributes = {"id": f"ce-{event_id}", "type": "llm.tokens", "source": "/gateways/1"}
    expected.add(REGION, "openai", "gpt-5", **TOKENS)
    return CloudEvent({**attributes, "subject": "customer-1"}, data)


def post(path: str, headers: Any, body: bytes) -> None:
    """Send, and hold the answer to what the path promises."""
    answer = client.post(path, headers=dict(headers), content=body)
    wanted = 202 if path == "/v1/events" else 204
    assert answer.status_code == wanted, (path, headers, answer.status_code, answer.text)


for path in ("/v1/events", "/api/v1/events"):
    post(path, *to_structured(event(f"structured{path}")))
    post(path, *to_binary(event(f"binary{path}")))
    batch = [json.loads(to_json(event(f"batch-{number}{path}"))) for number in range(3)]
    headers = {"content-type": "application/cloudevents-batch+json"}
    post(path, headers, json.dumps(batch).encode())
expected.report()

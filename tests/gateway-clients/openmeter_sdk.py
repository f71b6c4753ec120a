"""The OpenMeter Python SDK: one event, a batch, the sample's one-event-per-kind; sync and async."""

from __future__ import annotations

import asyncio
from typing import Any

from azure.core.exceptions import HttpResponseError
from known_calls import KEYS, URL, Expected
from openmeter import Client
from openmeter.aio import Client as AsyncClient

REGION = "openmeter-sdk"
HEADERS = {"Authorization": f"Bearer {KEYS[REGION]}"}


def event(event_id: str, **data: Any) -> dict[str, Any]:
    """An event as the SDK's readme has it."""
    envelope = {"id": f"om-{event_id}", "specversion": "1.0", "type": "tokens"}
    return envelope | {"source": "my-app", "subject": "customer-1", "data": data}


expected = Expected()
whole = {"provider": "openai", "model": "gpt-4o", "prompt_tokens": 120, "completion_tokens": 30}
with Client(endpoint=URL, headers=HEADERS) as client:
    client.ingest_events(event("1", **whole))
    client.ingest_events(event("1", **whole))  # the same id again counts once
    expected.add(REGION, "openai", "gpt-4o", input_tokens=120, output_tokens=30)
    sample = {"provider": "openai", "model": "gpt-4-turbo", "tokens": "123456"}
    batch = [event("2", **sample, type="input"), event("3", **sample, type="output")]
    client.ingest_events(batch, content_type="application/cloudevents-batch+json")
    expected.add(REGION, "openai", "gpt-4-turbo", input_tokens=123_456)
    expected.add(REGION, "openai", "gpt-4-turbo", output_tokens=123_456)
    try:
        client.ingest_events(event("4", model="gpt-4o"))
    except HttpResponseError as error:
        assert error.status_code == 400, error
    else:
        raise AssertionError("an event without token counts was taken")


async def asynchronously() -> None:
    """Send with the async client."""
    async with AsyncClient(endpoint=URL, headers=HEADERS) as client:
        await client.ingest_events(event("5", **whole))
        expected.add(REGION, "openai", "gpt-4o", input_tokens=120, output_tokens=30)


asyncio.run(asynchronously())
expected.report()

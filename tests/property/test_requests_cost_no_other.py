"""Requests that are changed at random, over all paths and encodings: never a 5xx, nothing unclear.

Each is a golden case with values replaced, fields dropped or added, bytes flipped. Whatever comes
of it, ingest answers, what it says it accepted lies on the log, and all of that is an event.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from schemas import wire
from services.ingest.endpoints import Endpoints
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings
from tests.unit.services.ingest.adapters.golden_cases import Case, body_of, read_cases

PEPPER = b"p" * 32
REQUESTS = 150
ODD: list[Any] = [
    *[None, True, 0, -1, 1.5, 2**70, -0.0, 1e308, float("nan"), [], [1], {}, {"k": "v"}],
    *["", "x", "x" * 300, "9" * 30, "\ud83d", "\x00", "1e5", "2026-03-15T12:00:00.9999999Z"],
]
NAMES = ["usage", "usage_format", "time", "zzz", "\ud83d", "id", "tokens", "attributes", "status"]
CASES = [case for case in read_cases() if "text" not in case.document["request"]]


class ListLog:
    """A log that is a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def publish(self, records: list[Record]) -> None:
        self.records += records

    async def put(self, records: list[Record]) -> None:
        """Rejections are looked at in tests/fuzz."""


def changed(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.06:
        return copy.deepcopy(chance.choice(ODD))
    if isinstance(value, dict):
        fields = {
            name: changed(inner, chance) for name, inner in value.items() if chance.random() > 0.03
        }
        if chance.random() < 0.05:
            fields[chance.choice(NAMES)] = chance.choice(ODD)
        return fields
    if isinstance(value, list):
        return [changed(inner, chance) for inner in value]
    return value


def changed_bytes(body: bytes, chance: random.Random) -> bytes:
    flipped = bytearray(body)
    for _ in range(chance.randrange(4)):
        if flipped:
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
    return bytes(flipped)


def request_of(case: Case, chance: random.Random) -> tuple[bytes, str]:
    """Make the body and its type."""
    if case.encoding == "protobuf":
        return changed_bytes(body_of(case), chance), "application/x-protobuf"
    request = case.document["request"]
    body = json.dumps(changed(request["body"], chance)).encode()
    if chance.random() < 0.1:
        body = changed_bytes(body, chance)
    return body, request["content_type"] or "application/json"


@pytest.mark.parametrize("seed", range(4))
def test_every_request_is_answered_and_costs_no_other(seed: int) -> None:
    text, entry = new_key("acme", "eu", PEPPER, "openai")
    log = ListLog()
    # The cases have the times of when they were written.
    settings = IngestSettings(ingest_event_age_max_days=36_500)
    endpoints = Endpoints(settings, KeyRing([entry], PEPPER), log, IngestMetrics(), log)
    handlers: dict[str, Any] = {
        "/v1/events": endpoints.native,
        "/api/v1/events": endpoints.openmeter,
        "/v1/litellm": endpoints.litellm,
        "/v1/envoy": endpoints.envoy,
        "/v1/portkey": endpoints.portkey,
        "/v1/traces": endpoints.traces,
        "/v1/logs": endpoints.logs,
    }
    app = Starlette(routes=[Route(path, one, methods=["POST"]) for path, one in handlers.items()])
    chance = random.Random(seed)

    async def send_all() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            for _ in range(REQUESTS):
                case = chance.choice(CASES)
                body, media = request_of(case, chance)
                headers = {"authorization": f"Bearer {text}", "content-type": media}
                headers |= case.document["request"].get("headers", {})
                before = len(log.records)
                answer = await client.post(case.path, content=body, headers=headers)
                assert answer.status_code < 500, (case.name, body)
                if answer.status_code in (202, 207):
                    assert answer.json()["accepted"] == len(log.records) - before

    asyncio.run(send_all())
    assert log.records
    for record in log.records:
        assert wire.decode(record["value"]).tenant == "acme"

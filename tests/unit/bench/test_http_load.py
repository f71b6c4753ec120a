"""The load's client, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import json

import pytest

from bench.http_load import MARK, HttpLoad, HttpResult, make_bodies, run
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import NO_LIMITS, KeyUse
from services.ingest.native_batches import records_of_array

ENTRY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu")


def load(status: int, requests_per_second: float | None = None) -> tuple[HttpResult, list[bytes]]:
    """Load a server for a moment; return the result and the bodies that it got."""
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            bodies.append(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status)

    async def whole() -> HttpResult:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        return await run(HttpLoad(port, "key", "/v1/events", 2, 2, 0.3, requests_per_second))

    return asyncio.run(whole()), bodies


@pytest.mark.parametrize(("status", "refused"), [(202, False), (204, False), (503, True)])
def test_what_is_not_2xx_is_refused(status: int, refused: bool) -> None:
    result, bodies = load(status)
    assert result.requests == len(bodies) > 0
    assert result.refused == (result.requests if refused else 0)
    assert result.p50_ms <= result.p99_ms


def test_a_paced_load_keeps_to_its_rate() -> None:
    result, _ = load(202, requests_per_second=40)
    assert 4 <= result.requests <= 16


def test_no_two_requests_carry_the_same_ids() -> None:
    _, bodies = load(202)
    ids = [event["id"] for body in bodies for event in json.loads(body)]
    assert len(ids) == len(set(ids))


def test_bodies_are_native_events() -> None:
    key = Key(ENTRY, KeyUse(NO_LIMITS, 0))
    for body in make_bodies(3):
        assert body.count(MARK) == 3
        records = records_of_array(body, key)
        assert records is not None
        assert len(records) == 3
    assert isinstance(json.loads(make_bodies(1)[0]), dict)

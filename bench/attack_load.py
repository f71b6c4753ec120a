"""A process that attacks an ingest on loopback until its time is up; `bench.attacks` runs it.

It sends little and waits for answers, so that what slows others down is the server's work and not
the attacker's.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.hostile_bodies import SHAPES

HALF_OPEN = "half-open connections"
KEPT_ALIVE = "connections kept alive"
SLOW_BODIES = "slow bodies"
SOCKETS = (HALF_OPEN, KEPT_ALIVE, SLOW_BODIES)
SENDERS = 4
IDLE = 1_100
SLOW = 32
_SLOW_BODY_BYTES = 8 * 1024 * 1024 - 1
_REOPENED_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class AttackLoad:
    """Which attack on which port, with a valid key, and for how long."""

    attack: str
    port: int
    key: str
    body_bytes: int
    seconds: float


async def post_bodies(load: AttackLoad) -> int:
    """Post the attack's body over and over, compressed; return how many were answered."""
    shape = SHAPES[load.attack]
    path, media = (
        ("/v1/traces", "application/x-protobuf")
        if shape.protobuf
        else ("/v1/events", "application/json")
    )
    body = gzip.compress(shape.made(load.body_bytes), 6)
    request = _head(load, path, media, len(body), "Content-Encoding: gzip\r\n") + body
    ends = time.monotonic() + load.seconds

    async def sender() -> int:
        answered = 0
        while time.monotonic() < ends:
            reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
            try:
                while time.monotonic() < ends:
                    writer.write(request)
                    await _answer(reader)
                    answered += 1
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)
            finally:
                writer.close()
        return answered

    return sum(await asyncio.gather(*(sender() for _ in range(SENDERS))))


async def hold_connections(load: AttackLoad) -> int:
    """Keep so many connections open that do nothing, and open again what is closed."""
    sent = b"POST /v1/events HTTP/1.1\r\nHo"
    if load.attack == KEPT_ALIVE:
        sent = b"GET /healthz HTTP/1.1\r\nHost: ingest\r\n\r\n"
    return await _hold(load, IDLE, sent)


async def hold_bodies(load: AttackLoad) -> int:
    """Keep requests open whose bodies lack their last byte."""
    head = _head(load, "/v1/events", "application/json", _SLOW_BODY_BYTES + 1, "")
    return await _hold(load, SLOW, head + b" " * _SLOW_BODY_BYTES)


async def _hold(load: AttackLoad, count: int, sent: bytes) -> int:
    held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    opened = 0
    ends = time.monotonic() + load.seconds
    while time.monotonic() < ends:
        # Its answer is read with what else came, and one that has ended is opened again.
        held = [one for one in held if not one[0].at_eof() and not one[1].is_closing()]
        while len(held) < count and time.monotonic() < ends:
            with contextlib.suppress(OSError):
                one = await asyncio.open_connection("127.0.0.1", load.port)
                one[1].write(sent)
                held.append(one)
                opened += 1
        for reader, _ in held:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(0):
                    await reader.read(65536)
        await asyncio.sleep(_REOPENED_SECONDS)
    for _, writer in held:
        writer.close()
    return opened


def _head(load: AttackLoad, path: str, media: str, length: int, more: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: ingest\r\nAuthorization: Bearer {load.key}\r\n"
        f"Content-Type: {media}\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.find(b"content-length: ")
    if at >= 0:
        await reader.readexactly(int(head[at + 16 : head.index(b"\r", at)]))


ATTACKS: dict[str, Callable[[AttackLoad], Awaitable[int]]] = {
    **dict.fromkeys(SHAPES, post_bodies),
    HALF_OPEN: hold_connections,
    KEPT_ALIVE: hold_connections,
    SLOW_BODIES: hold_bodies,
}


async def _run(load: AttackLoad) -> int:
    return await ATTACKS[load.attack](load)


def main() -> None:
    """Read the attack from stdin, print how often it was made."""
    load = AttackLoad(**json.loads(sys.stdin.read()))
    print(asyncio.run(_run(load)))


if __name__ == "__main__":
    main()

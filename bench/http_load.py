"""A process that posts prepared bodies over plain sockets; `bench.ingest` runs it.

It must cost far less than what it measures: bodies are made before, an answer is only looked at for
its status and length.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from bench.generator import INPUT_TOKENS_MAX, OUTPUT_TOKENS_MAX, REGIONS
from bench.schedule import percentile

#: Stands in a body where every request puts an id of its own.
MARK = b"00000000"
BODIES = 32
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class HttpLoad:
    """What to post, over how many connections; without a rate, as fast as answers come."""

    port: int
    key: str
    path: str
    events: int
    connections: int
    seconds: float
    requests_per_second: float | None = None


@dataclass(slots=True)
class HttpResult:
    """What came of it; latencies of a paced load count from when a request was due."""

    requests: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float
    client_cpu_seconds: float


@dataclass(slots=True)
class Tally:
    """What all connections together have seen."""

    latencies_ms: list[float] = field(default_factory=list)
    refused: int = 0


def make_bodies(events: int) -> list[bytes]:
    """Bodies of so many native events each; one event is an object, more are an array."""
    rng = random.Random(1)
    bodies = []
    for number in range(BODIES):
        array = [
            {
                "id": f"{MARK.decode()}-{number}-{index}",
                "source": "load",
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "region": rng.choice(REGIONS),
                "provider": "openai",
                "model": f"model-{rng.randrange(20)}",
                "input_tokens": rng.randrange(INPUT_TOKENS_MAX),
                "output_tokens": rng.randrange(OUTPUT_TOKENS_MAX),
                "status": "ok",
            }
            for index in range(events)
        ]
        value = array if events > 1 else array[0]
        bodies.append(json.dumps(value, separators=(",", ":")).encode())
    return bodies


async def post_all(load: HttpLoad, number: int, bodies: list[bytes], tally: Tally) -> None:
    """Post over one connection until the time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: ingest\r\nAuthorization: Bearer {load.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    ids = itertools.count(random.getrandbits(30))
    started = time.monotonic()
    interval = load.connections / load.requests_per_second if load.requests_per_second else 0.0
    due = started + interval * number / load.connections
    while time.monotonic() < started + load.seconds:
        if interval:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        else:
            due = time.monotonic()
        turn = next(ids)
        body = bodies[turn % len(bodies)].replace(MARK, b"%08x" % (turn & 0xFFFFFFFF))
        try:
            writer.write(head + b"%d\r\n\r\n" % len(body) + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = answer.find(_LENGTH)
            if at >= 0:
                length = int(answer[at + len(_LENGTH) : answer.index(b"\r", at)])
                await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The server may close an idle connection at any time; what follows is still due then.
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
            continue
        tally.latencies_ms.append((time.monotonic() - due) * 1000)
        if answer[9:10] != b"2":
            tally.refused += 1
        due += interval
    writer.close()


async def run(load: HttpLoad) -> HttpResult:
    """Post over all connections at once."""
    bodies, tally = make_bodies(load.events), Tally()
    started, cpu_started = time.monotonic(), time.process_time()
    await asyncio.gather(
        *(post_all(load, number, bodies, tally) for number in range(load.connections))
    )
    return HttpResult(
        requests=len(tally.latencies_ms),
        refused=tally.refused,
        seconds=time.monotonic() - started,
        p50_ms=percentile(tally.latencies_ms, 50),
        p99_ms=percentile(tally.latencies_ms, 99),
        client_cpu_seconds=time.process_time() - cpu_started,
    )


def main() -> None:
    """Read the load from stdin, print the result."""
    result = asyncio.run(run(HttpLoad(**json.loads(sys.stdin.read()))))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()

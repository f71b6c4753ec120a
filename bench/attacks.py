"""How long a well-behaved client of ingest waits while others attack it with one valid key.

Ingest is as shipped. The client posts single events at a steady rate with a key of its own, first
alone and then while each attack goes on, from the same address; its latencies count from when a
request was due. One machine carries broker, ingest, client and attacker.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from bench.attack_load import SOCKETS, AttackLoad
from bench.errors import BenchError
from bench.http_load import HttpLoad
from bench.ingest import run_load
from bench.machine import ROOT
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline

QUIET = "none"
#: One of each kind that stopped ingest once; the tests try all of `SHAPES`.
ATTACKS: Sequence[str] = (
    *("field without an end", "brackets", "quotation marks", "broken events", "halves of pairs"),
    *("empty arrays in a usage", "unknown fields of many", "names in a usage", "spaces"),
    *("groups", "fields of a span", "values of an attribute"),
    *SOCKETS,
)
BODY_BYTES = 8_000_000
REQUESTS_PER_SECOND = 50.0
CONNECTIONS = 8
#: What a well-behaved client must not wait longer than, in all but one of a hundred requests.
P99_MS_MAX = 250.0
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Attacked:
    """The well-behaved client's requests during one attack; "none" is the quiet run."""

    attack: str
    p50_ms: float
    p99_ms: float
    requests: int
    refused: int
    #: How many bodies the attacker had answered, or connections it opened.
    attacker_requests: int


def measure(
    infrastructure: Infrastructure, seconds: float, name: str, attacks: Sequence[str] = ATTACKS
) -> Iterator[Attacked]:
    """Yield the quiet run, then one for each attack; raises `BenchError` where ingest is gone."""
    accounts = (("acme", "eu"), ("mallory", "eu"))
    with Pipeline(
        infrastructure, name, partitions=4, services=("ingest",), accounts=accounts
    ) as pipeline:
        port = pipeline.ports["ingest"]
        good, bad = (one.key for one in pipeline.credentials[:2])
        client = HttpLoad(port, good, "/v1/events", 1, CONNECTIONS, seconds, REQUESTS_PER_SECOND)
        for attack in (QUIET, *attacks):
            attacker = None
            if attack != QUIET:
                load = AttackLoad(attack, port, bad, BODY_BYTES, seconds + 2 * _WARM_UP_SECONDS)
                attacker = _attacker(load)
            try:
                run_load(HttpLoad(**asdict(client) | {"seconds": _WARM_UP_SECONDS}))
                found = run_load(client)
                made = 0 if attacker is None else _made(attacker, seconds)
            finally:
                if attacker is not None:
                    attacker.kill()
                    attacker.wait()
            yield Attacked(attack, found.p50_ms, found.p99_ms, found.requests, found.refused, made)


def _attacker(load: AttackLoad) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.attack_load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(load)).encode())
    process.stdin.close()
    return process


def _made(attacker: subprocess.Popen[bytes], seconds: float) -> int:
    assert attacker.stdout is not None
    try:
        attacker.wait(seconds + 30)
    except subprocess.TimeoutExpired:
        return 0  # It waits for an answer still.
    said = attacker.stdout.read()
    if attacker.returncode or not said:
        raise BenchError("the attacker ended by itself")
    return int(said)

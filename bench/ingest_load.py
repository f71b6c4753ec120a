"""A process that sends events to ingest at a steady rate, in batches; `bench.freshness` runs it."""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bench.generator import INPUT_TOKENS_MAX, OUTPUT_TOKENS_MAX, REGIONS
from schemas.metering_rules import MINUTE_MS

ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How much to send to which port; a thread for each key."""

    port: int
    keys: list[str]
    events_per_second: float
    seconds: float
    batch_events: int = 500


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What ingest answered: events accepted and refused, and the seconds from first to last."""

    accepted: int
    refused: int
    seconds: float


def batch(rng: random.Random, prefix: str, count: int) -> bytes:
    """A batch as NDJSON, without tenant: that is the key's."""
    time_text = datetime.now(UTC).isoformat(timespec="milliseconds")
    lines = []
    for number in range(count):
        drawn = rng.random()
        lines.append(
            f'{{"id":"{prefix}-{number}","source":"load","time":"{time_text}",'
            f'"region":"{REGIONS[int(drawn * len(REGIONS))]}","provider":"openai",'
            f'"model":"model-{int(drawn * 1000) % 20}",'
            f'"input_tokens":{int(drawn * INPUT_TOKENS_MAX)},'
            f'"output_tokens":{int(drawn * OUTPUT_TOKENS_MAX)},"status":"ok"}}'
        )
    return "\n".join(lines).encode()


def send_steadily(plan: LoadPlan, sender: int) -> tuple[int, int]:
    """Send this sender's part on time, as far as ingest lets it; return (accepted, refused)."""
    connection = http.client.HTTPConnection("127.0.0.1", plan.port, timeout=MINUTE_MS / 1000)
    headers = {
        "Authorization": f"Bearer {plan.keys[sender]}",
        "Content-Type": "application/x-ndjson",
    }
    interval = plan.batch_events * len(plan.keys) / plan.events_per_second
    rng = random.Random(sender)
    run = f"{time.time_ns()}-{sender}"
    started = time.monotonic()
    due = started + interval * sender / len(plan.keys)
    accepted = refused = number = 0
    while due < started + plan.seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        body = batch(rng, f"{run}-{number}", plan.batch_events)
        connection.request("POST", "/v1/events", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == ACCEPTED:
            accepted += plan.batch_events
        else:
            refused += plan.batch_events
        number += 1
        # One that is late is not made up for by a burst.
        due = max(due + interval, time.monotonic() - interval)
    connection.close()
    return accepted, refused


def main() -> None:
    plan = LoadPlan(**json.loads(sys.stdin.read()))
    started = time.monotonic()
    with ThreadPoolExecutor(len(plan.keys)) as pool:
        results = list(pool.map(lambda sender: send_steadily(plan, sender), range(len(plan.keys))))
    seconds = time.monotonic() - started
    accepted, refused = (sum(column) for column in zip(*results, strict=True))
    print(json.dumps(asdict(LoadResult(accepted, refused, seconds))))


if __name__ == "__main__":
    main()

"""Traffic for the workers: a thread that sends events onto the topic, some twice, some late.

What an event says is a function of its number, but for its time, which the sender keeps.
"""

from __future__ import annotations

import heapq
import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer
from xxhash import xxh3_128_digest

from tests.chaos.events import ACCOUNTS, DAY_MS, HOUR_MS, MINUTE_MS, MODELS, TIERS, timestamp

TICK_SECONDS: Final = 0.1
SOURCE: Final = "upgrades"
RESEND_RATIO: Final = 0.15
#: Resends come at once, after a flush, and after a worker has gone and another has come.
RESEND_SECONDS: Final = (0.0, 3.0, 20.0, 60.0)
DELIVERY_SECONDS_MAX: Final = 60.0


def event_of(number: int, now_ms: int, *, classed: bool) -> dict[str, Any]:
    """Draw an event; with ``classed`` it may say what only newer workers read."""
    draw = random.Random(f"upgrades/{number}")
    tenant, region = draw.choice(ACCOUNTS)
    provider, model = draw.choice(MODELS)
    cached, reasoning = draw.randrange(300), draw.randrange(100)
    event: dict[str, Any] = {
        "id": f"up-{number:08d}",
        "source": SOURCE,
        "tenant": tenant,
        "time_ms": now_ms - age_of(draw),
        "region": region,
        "provider": provider,
        "model": model,
        "input_tokens": cached + draw.randrange(1, 1500),
        "output_tokens": reasoning + draw.randrange(1, 700),
    }
    if draw.random() < 0.5:
        event["cache_read_input_tokens"] = cached // 2
        event["cache_write_input_tokens"] = cached // 3
        event["reasoning_output_tokens"] = reasoning
    if draw.random() < 0.1:
        event["status"] = "error"
    if draw.random() < 0.03:
        event["entry"] = draw.choice(("debit", "credit"))
        event["adjusts"], event["reason"] = "up-before", "counted wrongly"
    if classed and draw.random() < 0.5:
        event["service_tier"] = draw.choice(TIERS)
        event["web_searches"] = draw.randrange(3)
        event["input_tokens"] += draw.choice((0, 40_000, 300_000))
    return event


def age_of(draw: random.Random) -> int:
    """How long ago an event happened: most just now, some minutes, hours and weeks."""
    chance = draw.random()
    if chance < 0.04:
        return draw.randrange(HOUR_MS, 30 * DAY_MS)
    if chance < 0.1:
        return draw.randrange(MINUTE_MS, HOUR_MS)
    return draw.randrange(0, 3000)


def record_of(event: dict[str, Any]) -> bytes:
    """An event as a gateway writes it onto the topic."""
    said = {**event, "time": timestamp(event["time_ms"])}
    del said["time_ms"]
    return json.dumps(said, separators=(",", ":")).encode()


def key_of(event: dict[str, Any]) -> bytes:
    """Its Kafka key, after docs/adr/0003-identity-hash.md."""
    tenant = event["tenant"]
    return xxh3_128_digest(f"{len(tenant)}:{len(SOURCE)}:{tenant}{SOURCE}{event['id']}")


class Sender:
    """Sends at a rate until it is stopped; a context manager."""

    def __init__(self, bootstrap_servers: str, topic: str, rate: float) -> None:
        #: Whether new events say what only workers since 0015 read.
        self.classed = False
        self.events: list[dict[str, Any]] = []
        self.resent = 0
        self._topic = topic
        self._rate = rate
        self._draw = random.Random("upgrades/resends")
        self._again: list[tuple[float, int]] = []
        self._faults: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._config = {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 20,
            "log_level": 0,
        }

    def __enter__(self) -> Sender:
        self._producer = Producer(self._config)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def stop(self) -> None:
        """Send what is to be sent again, and end. Raises `RuntimeError` if anything was lost."""
        self._stopping.set()
        self._thread.join()
        for number in [number for _, number in self._again]:
            self._send(self.events[number])
            self.resent += 1
        waiting = self._producer.flush(DELIVERY_SECONDS_MAX)
        if self._faults or waiting:
            raise RuntimeError(f"{waiting} not acknowledged; {self._faults[:3]}")

    def _run(self) -> None:
        started, due = time.monotonic(), 0
        while not self._stopping.wait(TICK_SECONDS):
            now = time.monotonic()
            before, due = due, int((now - started) * self._rate)
            # What could not be sent while the machine hung is not made up for.
            for _ in range(min(due - before, int(self._rate))):
                self._begin(len(self.events), now)
            for number in self._due(now):
                self._send(self.events[number])
                self.resent += 1
            self._producer.poll(0)

    def _begin(self, number: int, now: float) -> None:
        event = event_of(number, time.time_ns() // 1_000_000, classed=self.classed)
        self.events.append(event)
        self._send(event)
        if self._draw.random() < RESEND_RATIO:
            at = now + self._draw.choice(RESEND_SECONDS)
            heapq.heappush(self._again, (at, number))

    def _due(self, now: float) -> Iterator[int]:
        while self._again and self._again[0][0] <= now:
            yield heapq.heappop(self._again)[1]

    def _send(self, event: dict[str, Any]) -> None:
        self._producer.produce(
            self._topic, record_of(event), key=key_of(event), on_delivery=self._delivered
        )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._faults.append(str(error))

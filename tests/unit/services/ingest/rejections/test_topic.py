"""Rejections are put onto their topic where that can be, and hold up nothing where it cannot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.rejections import topic
from services.ingest.rejections.topic import RejectionTopic
from services.ingest.settings import IngestSettings
from services.ingest.times import LogClock
from tests.unit.services.ingest.fake_producer import FakeMessage

RECORD: Record = {"key": b"key", "value": b"value"}


class Producer:
    """Reports what it holds as told: acknowledged, failed, or not at all."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.held: list[tuple[str, Callable[[Any, Any], None]]] = []
        self.error: KafkaError | None = None
        self.silent = self.full = False

    def produce(self, name: str, *, key: bytes, value: bytes, on_delivery: Any) -> None:
        if self.full:
            raise BufferError
        self.held.append((name, on_delivery))

    def poll(self, _timeout: float) -> int:
        if self.silent:
            return 0
        held, self.held = self.held, []
        for name, report in held:
            report(self.error, FakeMessage(name, {}))
        return len(held)


class World:
    def __init__(self) -> None:
        self.made: list[Producer] = []
        self.metrics = IngestMetrics()
        self.topic = RejectionTopic(
            IngestSettings(), self.metrics, LogClock(), make_producer=self._make
        )

    def _make(self, config: dict[str, Any]) -> Any:
        self.made.append(Producer(config))
        return self.made[-1]

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"wattoken_ingest_rejections_{name}", labels)


def test_no_producer_is_made_before_something_is_refused() -> None:
    world = World()
    asyncio.run(world.topic.put([]))
    assert world.made == []


def test_it_returns_once_they_are_acknowledged() -> None:
    world = World()
    asyncio.run(world.topic.put([RECORD, RECORD]))
    assert world.count("kept_total") == 2
    assert world.made[0].config["allow.auto.create.topics"] is False


def test_what_is_not_taken_is_counted_and_raises_nothing() -> None:
    async def story(world: World) -> None:
        await world.topic.put([RECORD])
        world.made[0].full = True
        await world.topic.put([RECORD, RECORD])
        world.made[0].full = False
        world.made[0].error = KafkaError(KafkaError._UNKNOWN_TOPIC)
        await world.topic.put([RECORD])

    world = World()
    asyncio.run(story(world))
    assert world.count("kept_total") == 1
    assert world.count("unkept_total", why="not_acknowledged") == 3


def test_only_the_first_answer_waits_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic, "WAIT_SECONDS", 0.05)
    waits: list[float | None] = []
    real = asyncio.wait

    async def counted(*given: Any, **named: Any) -> Any:
        waits.append(named.get("timeout"))
        return await real(*given, **named)

    async def story(world: World) -> None:
        await world.topic.put([RECORD])
        world.made[0].silent = True
        monkeypatch.setattr(asyncio, "wait", counted)
        for _ in range(3):
            await world.topic.put([RECORD])
        world.made[0].silent = False
        await world.topic.stop(10)

    world = World()
    asyncio.run(story(world))
    # One answer, and the stop.
    assert waits == [0.05, 10]
    assert world.count("kept_total") == 4


def test_a_report_teaches_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []
    monkeypatch.setattr(
        LogClock, "note", lambda self, append_ms, monotonic: noted.append(append_ms)
    )
    asyncio.run(World().topic.put([RECORD]))
    assert abs(noted[0] - time.time() * 1000) < 60_000

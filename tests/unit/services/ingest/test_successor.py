"""A follower tells where events go, once for each change, through failures of its client."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException

from services.ingest.settings import IngestSettings
from services.ingest.successor import SuccessionFollower
from services.platform.settings import KafkaSettings
from services.platform.succession import Stretch, Succession

SETTINGS = IngestSettings(kafka_topic="a")
WAIT_SECONDS = 10


class FakeReader:
    """Gives what a test puts into it, an error by raising it."""

    def __init__(self, coming: queue.Queue[Succession | KafkaException]) -> None:
        self._coming = coming

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to close."""

    def poll(self, timeout_seconds: float) -> Succession | None:
        try:
            given = self._coming.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
        if isinstance(given, KafkaException):
            raise given
        return given


def step(predecessor: str, successor: str, *, complete: bool = False) -> Succession:
    ends = (Stretch(0, 1),) if complete else None
    return Succession(f"c/{successor}", successor, 1, f"c/{predecessor}", predecessor, ends)


def heard(*given: Succession | KafkaException, tells: int) -> list[str]:
    """What a follower told of these, in order; waits for so many and a while longer."""
    coming: queue.Queue[Succession | KafkaException] = queue.Queue()
    told: queue.Queue[str] = queue.Queue()
    made: list[KafkaSettings] = []

    def make_reader(settings: KafkaSettings) -> Any:
        made.append(settings)
        return FakeReader(coming)

    follower = SuccessionFollower(SETTINGS, told.put, make_reader)
    follower.start()
    for one in given:
        coming.put(one)
    topics = [told.get(timeout=WAIT_SECONDS) for _ in range(tells)]
    follower.stop()
    assert not any(thread.name == "successions" for thread in threading.enumerate())
    return [*topics, *(told.get_nowait() for _ in range(told.qsize()))]


def test_the_end_of_the_chain_is_told() -> None:
    assert heard(step("a", "b"), step("b", "c"), tells=2) == ["b", "c"]


def test_a_chain_may_come_in_any_order() -> None:
    assert heard(step("b", "c"), step("a", "b"), tells=1) == ["c"]


def test_other_topics_and_what_is_known_tell_nothing() -> None:
    given = (step("x", "y"), step("a", "b"), step("a", "b", complete=True), step("x", "z"))
    assert heard(*given, tells=1) == ["b"]


def test_of_two_successors_the_first_holds() -> None:
    assert heard(step("a", "b"), step("a", "other"), step("b", "c"), tells=2) == ["b", "c"]


def test_a_circle_moves_nothing() -> None:
    assert heard(step("a", "b"), step("b", "a"), tells=1) == ["b"]


def test_a_client_that_fails_is_recreated(monkeypatch: Any) -> None:
    monkeypatch.setattr("services.ingest.successor.PAUSE_SECONDS", 0.0)
    failed = KafkaException(KafkaError(KafkaError._TRANSPORT))
    assert heard(failed, step("a", "b"), tells=1) == ["b"]

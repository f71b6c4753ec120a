"""Records are on the topic, each once and in order, when `put` returns; or it says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from services.platform import topic_writer
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.settings import KafkaSettings
from services.platform.succession import Succession, encode
from services.platform.topic_writer import SLICE_MESSAGES, TopicWriter
from tests.unit.services.platform.kafka_in_process import KafkaInProcess

TOPIC = KafkaSettings().kafka_topic


@pytest.fixture
def broker() -> Iterator[KafkaInProcess]:
    with KafkaInProcess() as made:
        yield made


def configured(monkeypatch: pytest.MonkeyPatch, **config: Any) -> None:
    """Let writers' producers have something else in their configuration."""
    other = {name.replace("_", "."): value for name, value in config.items()}
    monkeypatch.setattr(topic_writer, "Producer", lambda given: Producer({**given, **other}))


def records(count: int) -> list[tuple[bytes, bytes]]:
    return [(f"key-{number % 10}".encode(), f"{number}".encode()) for number in range(count)]


def on_topic(broker: KafkaInProcess, topic: str = TOPIC) -> dict[bytes, list[bytes]]:
    """The values of each key, in the order that they lie in."""
    found: dict[bytes, list[bytes]] = {}
    for message in broker.read(topic):
        found.setdefault(message.key(), []).append(message.value())
    return found


def by_key(put: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for key, value in put:
        found.setdefault(key, []).append(value)
    return found


def test_all_that_was_put_is_there_once_and_in_order(broker: KafkaInProcess) -> None:
    writer = TopicWriter(broker.settings)
    first, more = records(SLICE_MESSAGES * 2 + 1), records(3)
    writer.put(iter(first))
    assert on_topic(broker) == by_key(first)
    writer.put(more)
    writer.put([])
    assert on_topic(broker) == by_key([*first, *more])


def test_a_full_queue_is_waited_for_and_nothing_overtakes(
    broker: KafkaInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(monkeypatch, queue_buffering_max_messages=7)
    monkeypatch.setattr(topic_writer, "FULL_WAIT_SECONDS", 0.001)
    put = records(500)
    TopicWriter(broker.settings).put(put)
    assert on_topic(broker) == by_key(put)


def test_it_writes_to_the_newest_topic_that_followed(broker: KafkaInProcess) -> None:
    follows = Succession("c/2", "usage.wider", 8, "c/1", TOPIC, None)
    broker.put(broker.settings.kafka_successions_topic, encode(follows), 0)
    writer = TopicWriter(broker.settings)
    assert writer.topic == "usage.wider"
    writer.put(records(3))
    assert on_topic(broker, "usage.wider") == by_key(records(3))


def test_a_record_that_is_too_large_is_refused(broker: KafkaInProcess) -> None:
    writer = TopicWriter(broker.settings)
    with pytest.raises(ConfigurationError, match="refuses to take events: .* size too large"):
        writer.put([(b"key", b"x" * 2_000_000)])


def test_once_it_is_to_stop_a_broker_that_is_away_is_waited_for_no_longer(
    broker: KafkaInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Event()
    writer = TopicWriter(broker.settings, stop)
    broker.close()
    monkeypatch.setattr(topic_writer, "WAIT_AFTER_STOP_SECONDS", 0)
    stop.set()
    with pytest.raises(UnavailableError, match="does not acknowledge: 3 records unanswered"):
        writer.put(records(3))


class Misbehaving:
    """A producer that does what the broker in the process cannot be brought to."""

    def __init__(self, flush: Callable[[], int], failure: KafkaError | None = None) -> None:
        self._flush = flush
        self._failure = failure
        self._report: Callable[[KafkaError | None, Any], None] | None = None

    def produce_batch(self, topic: str, messages: Any, on_delivery: Any) -> None:
        self._report = on_delivery

    def poll(self, _timeout: float) -> None:
        pass

    def flush(self, _timeout: float) -> int:
        left = self._flush()
        if not left and self._failure is not None and self._report is not None:
            self._report(self._failure, None)
        return left


def misbehaving(
    monkeypatch: pytest.MonkeyPatch, producer: Misbehaving, stop: Event | None = None
) -> TopicWriter:
    monkeypatch.setattr(topic_writer, "topic_of_events", lambda _: TOPIC)
    monkeypatch.setattr(topic_writer, "Producer", lambda _: producer)
    return TopicWriter(KafkaSettings(), stop)


@pytest.mark.parametrize("stop", [None, Event()], ids=["nobody can", "nobody does"])
def test_a_broker_that_is_away_is_waited_for_as_long_as_nobody_says_stop(
    monkeypatch: pytest.MonkeyPatch, stop: Event | None
) -> None:
    monkeypatch.setattr(topic_writer, "WAIT_AFTER_STOP_SECONDS", 3)
    unanswered = iter([2] * 50)
    writer = misbehaving(monkeypatch, Misbehaving(lambda: next(unanswered, 0)), stop)
    writer.put(records(2))
    assert next(unanswered, None) is None


def test_the_wait_for_what_is_unanswered_counts_from_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topic_writer, "WAIT_AFTER_STOP_SECONDS", 3)
    stop, asked = Event(), []

    def flush() -> int:
        asked.append(1)
        if len(asked) == 20:
            stop.set()
        return 2

    with pytest.raises(UnavailableError):
        misbehaving(monkeypatch, Misbehaving(flush), stop).put(records(2))
    assert len(asked) == 23


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, f"{TOPIC} may have been succeeded by another topic"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "Kafka refuses to take events: "),
    ],
)
def test_what_the_broker_did_not_take_is_told(
    monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    writer = misbehaving(monkeypatch, Misbehaving(lambda: 0, KafkaError(code)))
    with pytest.raises(ConfigurationError, match=told) as caught:
        writer.put(records(1))
    assert ("succeeded" in str(caught.value)) == (code == KafkaError.MSG_SIZE_TOO_LARGE)


def test_a_producer_that_lost_track_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> int:
        raise KafkaException(KafkaError(KafkaError._FATAL, "log was deleted", fatal=True))

    with pytest.raises(UnavailableError, match="lost track of what was sent: .*log was deleted"):
        misbehaving(monkeypatch, Misbehaving(lost)).put(records(1))

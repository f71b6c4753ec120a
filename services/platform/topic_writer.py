"""Writes records onto the topic of events and waits until each is acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from threading import Event
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import producer_config
from services.platform.settings import KafkaSettings
from services.platform.succession_topic import topic_of_events

#: Messages handed over before delivery reports are served.
SLICE_MESSAGES: Final = 5_000
#: While the queue is full.
FULL_WAIT_SECONDS: Final = 0.05
WAIT_AFTER_STOP_SECONDS: Final = 10.0


class TopicWriter:
    """An idempotent producer that waits for the acknowledgement of all that it is given.

    It waits for a broker that is away without end, since what was sent must not be left unknown;
    once ``stop`` is set only a while longer. It writes to the newest of the topics that followed
    the configured one; when that is followed by another, it is refused.
    """

    def __init__(self, settings: KafkaSettings, stop: Event | None = None) -> None:
        self._stop = stop
        self.topic = topic_of_events(settings)
        self._failures: list[KafkaError] = []
        self._producer = Producer(
            {
                **producer_config(settings),
                "linger.ms": 5,
                "batch.size": 512 * 1024,
                "queue.buffering.max.messages": 200_000,
                "message.timeout.ms": 0,
                # Only failures are reported one by one: most of a report's cost is the call.
                "delivery.report.only.error": True,
                "log_level": 0,
            }
        )

    def put(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Put (key, value) records onto the topic; returns when each is acknowledged.

        Raises `ConfigurationError` when Kafka refuses for good (no such topic, no right to it)
        and `UnavailableError` when the producer lost track of what it sent, or gave up.
        """
        stream = iter(records)
        while piece := list(islice(stream, SLICE_MESSAGES)):
            self._hand_over([{"key": key, "value": value} for key, value in piece])
        waited_after_stop_seconds = 0.0
        try:
            while left := self._producer.flush(1.0):
                waited_after_stop_seconds += self._stop is not None and self._stop.is_set()
                if waited_after_stop_seconds > WAIT_AFTER_STOP_SECONDS:
                    raise UnavailableError(f"Kafka does not acknowledge: {left} records unanswered")
        except KafkaException as error:
            # Such as an idempotent producer whose log was deleted under it.
            raise UnavailableError(f"Kafka lost track of what was sent: {error}") from None
        if self._failures:
            refusal = self._failures[0]
            hint = ""
            if refusal.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                hint = f"; {self.topic} may have been succeeded by another topic: start again"
            raise ConfigurationError(f"Kafka refuses to take events: {refusal.str()}{hint}")

    def _hand_over(self, messages: list[dict[str, Any]]) -> None:
        """Give messages to the producer, waiting while its queue is full."""
        while messages:
            # What is not taken is marked in place, with the reason.
            self._producer.produce_batch(self.topic, messages, on_delivery=self._report)
            self._producer.poll(0)
            left = []
            for message in messages:
                error = message.pop("_error", None)
                if error is not None and error.code() != KafkaError._QUEUE_FULL:
                    raise ConfigurationError(f"Kafka refuses to take events: {error.str()}")
                if error is not None:
                    left.append(message)
            messages = left
            if messages:
                self._producer.poll(FULL_WAIT_SECONDS)

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(error)

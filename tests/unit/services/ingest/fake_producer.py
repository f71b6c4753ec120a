"""A producer that acknowledges when it is told to, and misbehaves as librdkafka's can."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException

Report = Callable[[KafkaError | None, "FakeMessage"], None]


class FakeMessage:
    """What a delivery report bears."""

    def __init__(self, topic: str, record: dict[str, Any]) -> None:
        self._topic = topic
        self._record = record

    def topic(self) -> str:
        return self._topic

    def key(self) -> bytes:
        key: bytes = self._record["key"]
        return key

    def value(self) -> bytes:
        value: bytes = self._record["value"]
        return value

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_LOG_APPEND_TIME, time.time_ns() // 1_000_000


class FakeProducer:
    """Holds records until `acknowledge` or `fail`; `poll` then reports them, as the real one."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.waiting: list[tuple[FakeMessage, Report]] = []
        self.settled: list[tuple[FakeMessage, Report, KafkaError | None]] = []
        self.raised: Exception | None = None
        self.not_taken = 0
        self.purged = False
        self.fatal: KafkaError | None = None

    def produce_batch(self, topic: str, records: list[dict[str, Any]], on_delivery: Report) -> int:
        if self.raised is not None:
            raise self.raised
        taken = records[: len(records) - self.not_taken]
        for record in records[len(taken) :]:
            record["_error"] = KafkaError(KafkaError._QUEUE_FULL)
        self.waiting += [(FakeMessage(topic, record), on_delivery) for record in taken]
        return len(taken)

    def acknowledge(self, count: int | None = None) -> None:
        self._settle(count, None)

    def fail(self, count: int | None = None, code: int = KafkaError._MSG_TIMED_OUT) -> None:
        self._settle(count, KafkaError(code))

    def _settle(self, count: int | None, error: KafkaError | None) -> None:
        count = len(self.waiting) if count is None else count
        self.settled += [(message, report, error) for message, report in self.waiting[:count]]
        del self.waiting[:count]

    def poll(self, _timeout: float) -> int:
        if self.fatal is not None:
            error, self.fatal = self.fatal, None
            if error.fatal():
                # As the real one, which then does not call back.
                raise KafkaException(error)
            self.config["error_cb"](error)
        settled, self.settled = self.settled, []
        for message, report, error in settled:
            report(error, message)
        return len(settled)

    def __len__(self) -> int:
        return len(self.waiting) + len(self.settled)

    def purge(self) -> None:
        self.purged = True
        self.fail(code=KafkaError._PURGE_QUEUE)

    def list_topics(self, _topic: str, timeout: float) -> Any:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

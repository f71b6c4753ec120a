"""The Kafka edge of rejections: a producer of its own, which never holds up the meter.

A producer of its own, because what is refused must not take the room of what is accepted, and
because a topic that is missing must not fail a request. Whatever cannot be kept is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    KafkaError,
    KafkaException,
    Message,
    Producer,
)

from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings
from services.ingest.times import LogClock
from services.platform.connection_log import client_logger
from services.platform.kafka import producer_config
from services.platform.log import get_logger

log = get_logger(__name__)

#: Longest that an answer waits for its rejections to be acknowledged.
WAIT_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.002
_QUEUE_KBYTES: Final = 16 * 1024
_QUEUE_RECORDS: Final = 10_000


class RejectionTopic:
    """Puts rejections onto their topic. All on the thread of the event loop."""

    def __init__(
        self,
        settings: IngestSettings,
        metrics: IngestMetrics,
        clock: LogClock,
        make_producer: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._make_producer = make_producer
        #: Made when something is refused: most ingests never need it.
        self._producer: Producer | None = None
        self._waiting = 0
        self._polling: asyncio.Task[None] | None = None
        #: Whether the last report was good; while none is, no answer waits.
        self._acknowledges = True

    async def put(self, records: list[Record]) -> None:
        """Return once the records are acknowledged, or after a second; raises nothing.

        Where the topic is missing or Kafka is away only the first answer waits in vain.
        """
        if not records:
            return
        acknowledges = self._acknowledges
        for record in records:
            self._produce(record)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        if acknowledges:
            await asyncio.wait({self._polling}, timeout=WAIT_SECONDS)
            if self._waiting:
                self._acknowledges = False

    async def stop(self, timeout_seconds: float) -> None:
        """Wait for what is in flight, within a time."""
        if self._polling is not None and not self._polling.done():
            await asyncio.wait({self._polling}, timeout=timeout_seconds)

    def _produce(self, record: Record) -> None:
        if self._producer is None:
            self._producer = self._make_producer(self._config())
        try:
            self._producer.produce(
                self._settings.kafka_rejected_topic,
                key=record["key"],
                value=record["value"],
                on_delivery=self._report,
            )
        except (BufferError, KafkaException):
            self._metrics.rejections_unkept.labels("not_acknowledged").inc()
            return
        self._waiting += 1

    def _report(self, error: KafkaError | None, message: Message) -> None:
        self._waiting -= 1
        if error is None:
            self._metrics.rejections_kept.inc()
            kind, at_ms = message.timestamp()
            self._clock.note(at_ms if kind == TIMESTAMP_LOG_APPEND_TIME else 0, time.monotonic())
        else:
            self._metrics.rejections_unkept.labels("not_acknowledged").inc()
            if self._acknowledges:
                log.warning("rejections are not kept", reason=error.name())
        self._acknowledges = error is None

    async def _poll(self) -> None:
        assert self._producer is not None
        while self._waiting:
            self._producer.poll(0)
            await asyncio.sleep(_POLL_SECONDS)

    def _config(self) -> dict[str, Any]:
        settings = self._settings
        return {
            **producer_config(settings),
            # A rejection that is there twice does no harm; a producer that broke would.
            "enable.idempotence": False,
            "allow.auto.create.topics": False,
            "delivery.timeout.ms": int(settings.ingest_delivery_timeout_seconds * 1000),
            "linger.ms": settings.ingest_linger_ms,
            "compression.type": settings.ingest_compression,
            "queue.buffering.max.messages": _QUEUE_RECORDS,
            "queue.buffering.max.kbytes": _QUEUE_KBYTES,
            "logger": client_logger(),
        }

"""The Kafka edge: hands records to Kafka and tells when all of them are acknowledged.

One thread serves the delivery reports. A request has one counter and one future, not a future per
event: the thread counts its reports and wakes the event loop at the last one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from services.ingest.errors import BusyError
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings
from services.platform.kafka import producer_config
from services.platform.log import get_logger

log = get_logger(__name__)

_POLL_SECONDS: Final = 0.1
#: Slack for the reports of timed out records to come in before the request gives up by itself.
_REPORT_SLACK_SECONDS: Final = 2.0
_METADATA_TIMEOUT_SECONDS: Final = 2.0
RETRY_WHEN_FULL_SECONDS: Final = 1
RETRY_WHEN_UNACKNOWLEDGED_SECONDS: Final = 5


def ingest_producer_config(settings: IngestSettings) -> dict[str, Any]:
    """Configuration of the producer: nothing counts as sent before all replicas have it."""
    return {
        **producer_config(settings),
        "delivery.timeout.ms": int(settings.ingest_delivery_timeout_seconds * 1000),
        "linger.ms": settings.ingest_linger_ms,
        "compression.type": settings.ingest_compression,
        # A topic must come from `wattoken migrate`; one made by chance would lack LogAppendTime.
        "allow.auto.create.topics": False,
        # Our own bounds come first (with 503); twice as much here means these never speak.
        "queue.buffering.max.messages": 2 * settings.ingest_in_flight_events_max
        + settings.ingest_events_max,
        "queue.buffering.max.kbytes": 2
        * (settings.ingest_in_flight_bytes_max + settings.ingest_body_bytes_max)
        // 1024,
    }


class Delivery:
    """The reports still to come for one request's records."""

    def __init__(self, expected: int, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self.error: KafkaError | None = None
        self._loop = loop
        # Each is written by one thread only: `expected` by the loop's, `reported` by the poller's.
        self._expected = expected
        self._reported = 0

    def report(self, error: KafkaError | None, _message: object) -> None:
        """Count one delivery report (poller's thread)."""
        if error is not None:
            self.error = error
        self._reported += 1
        if self._reported >= self._expected:
            self._loop.call_soon_threadsafe(self.settle)

    def expect_fewer(self, count: int, error: KafkaError | None) -> None:
        """Take back records that were never queued (loop's thread)."""
        self.error = error or self.error
        self._expected -= count
        self.settle()

    def settle(self) -> None:
        """Finish if every report is in; may be called more than once (loop's thread)."""
        if self._reported >= self._expected and not self.done.done():
            self.done.set_result(None)


class Publisher:
    """Puts records onto the log, with a bound on what is not acknowledged yet."""

    def __init__(
        self,
        settings: IngestSettings,
        metrics: IngestMetrics,
        make_producer: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._make_producer = make_producer
        self._producer = self._make()
        self._fatal = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve_reports, name="kafka", daemon=True)
        self.in_flight_bytes = 0
        self.in_flight_events = 0

    def start(self) -> None:
        """Begin to serve delivery reports."""
        self._thread.start()

    async def publish(self, records: list[Record]) -> None:
        """Return once Kafka has acknowledged every record.

        Raises `BusyError` when too much is in flight (nothing was sent then), or when any record
        was not acknowledged in time (some may still be on the log: a resend is a duplicate).
        """
        if not records:
            return
        size_bytes = sum(len(record["value"]) + len(record["key"]) for record in records)
        self._admit(len(records), size_bytes)
        started = time.monotonic()
        delivery = Delivery(len(records), asyncio.get_running_loop())
        # Released when the reports are in, even if the request was given up on before.
        delivery.done.add_done_callback(lambda _: self._release(len(records), size_bytes))
        self._queue(records, delivery)
        timeout_seconds = self._settings.ingest_delivery_timeout_seconds + _REPORT_SLACK_SECONDS
        done, _ = await asyncio.wait([delivery.done], timeout=timeout_seconds)
        if not done or delivery.error is not None:
            self._metrics.failed.inc(len(records))
            reason = delivery.error.name() if delivery.error is not None else "no report"
            log.warning("events not acknowledged", events=len(records), reason=reason)
            raise BusyError(
                "Kafka did not acknowledge the events in time: send the request again",
                RETRY_WHEN_UNACKNOWLEDGED_SECONDS,
            )
        self._metrics.delivery_seconds.observe(time.monotonic() - started)

    def broker_reachable(self) -> bool:
        """Ask the broker for the topic; blocks up to two seconds."""
        topic = self._settings.kafka_topic
        try:
            metadata = self._producer.list_topics(topic, timeout=_METADATA_TIMEOUT_SECONDS)
        except KafkaException:
            return False
        described = metadata.topics.get(topic)
        return described is not None and described.error is None

    def stop(self, timeout_seconds: float) -> int:
        """Flush, within a time; blocks. Returns how many records were not acknowledged."""
        deadline = time.monotonic() + timeout_seconds
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        left = int(self._producer.flush(max(0.0, deadline - time.monotonic())))
        if left:
            log.error("stopped with events not acknowledged", events=left)
        return left

    def _admit(self, events: int, size_bytes: int) -> None:
        settings = self._settings
        # A request alone always fits: it is bounded itself, and would else never get through.
        if self.in_flight_events and (
            self.in_flight_bytes + size_bytes > settings.ingest_in_flight_bytes_max
            or self.in_flight_events + events > settings.ingest_in_flight_events_max
        ):
            raise BusyError(
                "too many events wait for Kafka: send the request again", RETRY_WHEN_FULL_SECONDS
            )
        self._account(events, size_bytes)

    def _release(self, events: int, size_bytes: int) -> None:
        self._account(-events, -size_bytes)

    def _account(self, events: int, size_bytes: int) -> None:
        self.in_flight_events += events
        self.in_flight_bytes += size_bytes
        self._metrics.in_flight_events.set(self.in_flight_events)
        self._metrics.in_flight_bytes.set(self.in_flight_bytes)

    def _queue(self, records: list[Record], delivery: Delivery) -> None:
        try:
            self._producer.produce_batch(
                self._settings.kafka_topic, records, on_delivery=delivery.report
            )
        except (KafkaException, BufferError) as error:
            code = error.args[0] if isinstance(error, KafkaException) else None
            delivery.expect_fewer(len(records), code or KafkaError(KafkaError._QUEUE_FULL))
            return
        # The client leaves a note in each record that it did not take.
        errors = [record["_error"] for record in records if "_error" in record]
        if errors:
            delivery.expect_fewer(len(errors), errors[0])

    def _make(self) -> Producer:
        return self._make_producer(
            {
                **ingest_producer_config(self._settings),
                "error_cb": self._on_error,
                "logger": logging.getLogger("librdkafka"),
            }
        )

    def _on_error(self, error: KafkaError) -> None:
        log.warning("kafka client", reason=error.name(), fatal=error.fatal())
        if error.fatal():
            self._fatal.set()

    def _serve_reports(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_SECONDS)
            if self._fatal.is_set():
                self._renew()

    def _renew(self) -> None:
        """Replace a producer whose idempotence broke: it would refuse every record from now on.

        What it still held is reported as failed, so those requests are answered with 503.
        """
        broken = self._producer
        self._producer = self._make()
        self._fatal.clear()
        broken.purge()
        broken.flush(_METADATA_TIMEOUT_SECONDS)
        log.error("kafka producer replaced after a fatal error")

"""The Kafka edge: hands records to Kafka and tells when all of them are acknowledged.

The event loop itself serves the delivery reports, a thousand times a second while any is due: a
thread of its own would fight with the loop for the interpreter and wake it for every request. A
request has one counter and one future, not a future per event.

Where the log is succeeded by another (`Publisher.move_to`), new events go to the successor, and
those that the closed topic refused go there too, within the request that brought them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    KafkaError,
    KafkaException,
    Message,
    Producer,
)

from schemas.identity import IDENTITY_BYTES
from services.ingest.errors import BusyError
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings
from services.ingest.times import LogClock
from services.platform.connection_log import ConnectionLog, client_logger
from services.platform.kafka import producer_config
from services.platform.log import get_logger

log = get_logger(__name__)

#: How often reports are looked for: while some are due, while none came for long, and in idleness.
_POLL_DUE_SECONDS: Final = 0.001
_POLL_STALLED_SECONDS: Final = 0.01
_POLL_IDLE_SECONDS: Final = 0.1
_STALLED_AFTER_POLLS: Final = 200
#: One that may not write fails again at once, whatever it is replaced by.
_RENEWED_EACH_SECONDS: Final = 1.0
#: Slack for the reports of timed out records to come in before the request gives up by itself.
_REPORT_SLACK_SECONDS: Final = 2.0
_METADATA_TIMEOUT_SECONDS: Final = 2.0
#: What a closed topic refuses waits so long for word of its successor.
_HELD_SECONDS: Final = 3.0
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

    __slots__ = (
        *("_finished", "append_ms", "deadline", "done", "error", "events", "held_until", "left"),
        *("refused", "size_bytes", "topic"),
    )

    def __init__(
        self,
        events: int,
        size_bytes: int,
        deadline: float,
        done: asyncio.Future[None],
        finished: Callable[[Delivery], None],
    ) -> None:
        self.events = events
        self.size_bytes = size_bytes
        self.deadline = deadline
        self.done = done
        self.left = events
        self.error: KafkaError | None = None
        #: The topic that the records went to last, and those that it took not because it is closed.
        self.topic = ""
        self.refused: list[Record] = []
        self.held_until = deadline
        #: When the broker appended the last of them, in milliseconds since 1970; 0 if unknown.
        self.append_ms = 0
        self._finished = finished

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Count one delivery report."""
        if error is not None:
            # A closed topic takes no batch that holds an event (`wattoken succeed`). Should this
            # one be on it all the same, by an attempt of which no answer came, then what its
            # successor gets is a resend.
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self.refused.append({"key": message.key(), "value": message.value()})
            else:
                self.error = error
        self.left -= 1
        if not self.left:
            if error is None:
                kind, at_ms = message.timestamp()
                self.append_ms = at_ms if kind == TIMESTAMP_LOG_APPEND_TIME else 0
            self._finished(self)

    def expect_fewer(self, count: int, error: KafkaError) -> None:
        """Take back records that were never queued."""
        self.error = error
        self.left -= count
        if not self.left:
            self._finished(self)

    def settle(self) -> None:
        """Let the request go on; it may have gone away, or been let go before."""
        if not self.done.done():
            self.done.set_result(None)


class Publisher:
    """Puts records onto the log, with a bound on what is not acknowledged yet.

    Everything happens on the thread of the event loop that `start` was called in.
    """

    def __init__(
        self,
        settings: IngestSettings,
        metrics: IngestMetrics,
        make_producer: Callable[[dict[str, Any]], Producer] = Producer,
        clock: LogClock | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or LogClock()
        self._metrics = metrics
        self._make_producer = make_producer
        self.connection = ConnectionLog(producer_config(settings))
        self._producer = self._make()
        #: Producers that were replaced and still hold records to report as failed.
        self._retired: list[Producer] = []
        self._fatal = False
        self._renewed_at = -math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._polls_without_report = 0
        #: In the order of their deadlines, since all wait for the same time.
        self._waiting: deque[Delivery] = deque()
        #: Where new events go.
        self.topic = settings.kafka_topic
        #: Refused by a closed topic of which no successor is known yet.
        self._held: list[Delivery] = []
        self.in_flight_bytes = 0
        self.in_flight_events = 0
        metrics.in_flight_events.set_function(lambda: self.in_flight_events)
        metrics.in_flight_bytes.set_function(lambda: self.in_flight_bytes)
        metrics.topic.info({"topic": self.topic})

    def start(self) -> None:
        """Begin to serve delivery reports, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_POLL_IDLE_SECONDS, self._serve_reports)

    async def publish(self, records: list[Record]) -> None:
        """Return once Kafka has acknowledged every record.

        Raises `BusyError` when too much is in flight (nothing was sent then), or when any record
        was not acknowledged in time (some may still be on the log: a resend is a duplicate).
        """
        if not records:
            return
        assert self._loop is not None, "publish before start"
        size_bytes = sum([len(record["value"]) for record in records])
        size_bytes += IDENTITY_BYTES * len(records)
        self._admit(len(records), size_bytes)
        started = time.monotonic()
        timeout_seconds = self._settings.ingest_delivery_timeout_seconds + _REPORT_SLACK_SECONDS
        delivery = Delivery(
            *(len(records), size_bytes, started + timeout_seconds),
            *(self._loop.create_future(), self._finished),
        )
        self._waiting.append(delivery)
        self._queue(records, delivery)
        self._poll_soon()
        await delivery.done
        if delivery.left or delivery.refused or delivery.error is not None:
            self._metrics.failed.inc(len(records))
            reason = delivery.error.name() if delivery.error is not None else "no report"
            log.warning("events not acknowledged", events=len(records), reason=reason)
            raise BusyError(
                "Kafka did not acknowledge the events in time: send the request again",
                RETRY_WHEN_UNACKNOWLEDGED_SECONDS,
            )
        self._metrics.observe_delivery(time.monotonic() - started)

    def move_to(self, topic: str) -> None:
        """Send new events to this topic, and those that the one before refused."""
        log.info("the log has a successor", topic=self.topic, successor=topic)
        self.topic = topic
        self._metrics.topic.info({"topic": topic})
        held, self._held = self._held, []
        for delivery in held:
            self._finished(delivery)
        if self._loop is not None:
            self._poll_soon()

    def broker_reachable(self) -> bool:
        """Ask the broker for the topic; blocks up to two seconds, so call it in a thread."""
        topic = self.topic
        try:
            metadata = self._producer.list_topics(topic, timeout=_METADATA_TIMEOUT_SECONDS)
        except KafkaException as error:
            self.connection.unanswered(error.args[0])
            return False
        described = metadata.topics.get(topic)
        if described is None:
            return False
        return self.connection.answered(topic, described.error)

    async def stop(self, timeout_seconds: float) -> int:
        """Wait for what is in flight, within a time; return how many records were not reported."""
        deadline = time.monotonic() + timeout_seconds
        while self.in_flight_events and time.monotonic() < deadline:
            self._poll_soon()
            await asyncio.sleep(_POLL_DUE_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        if self.in_flight_events:
            log.error("stopped with events not acknowledged", events=self.in_flight_events)
        return self.in_flight_events

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
        self.in_flight_events += events
        self.in_flight_bytes += size_bytes

    def _finished(self, delivery: Delivery) -> None:
        if delivery.refused and delivery.error is None and not delivery.done.done():
            self._redirect(delivery)
            return
        # Only now is the room free, even if the request was given up on before.
        self.in_flight_events -= delivery.events
        self.in_flight_bytes -= delivery.size_bytes
        self._clock.note(delivery.append_ms, time.monotonic())
        delivery.settle()

    def _redirect(self, delivery: Delivery) -> None:
        """Send what a closed topic refused to its successor, as soon as that is known."""
        if delivery.topic == self.topic:
            delivery.held_until = time.monotonic() + _HELD_SECONDS
            self._held.append(delivery)
            return
        records, delivery.refused = delivery.refused, []
        delivery.left = len(records)
        self._metrics.redirected.inc(len(records))
        self._queue(records, delivery)

    def _give_up_held(self, now: float) -> None:
        """Fail what was refused and of which nobody said that its topic has a successor."""
        held, self._held = self._held, []
        for delivery in held:
            if delivery.held_until > now and not delivery.done.done():
                self._held.append(delivery)
                continue
            delivery.error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
            self._finished(delivery)

    def _queue(self, records: list[Record], delivery: Delivery) -> None:
        delivery.topic = self.topic
        try:
            self._producer.produce_batch(self.topic, records, on_delivery=delivery.report)
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
                "error_cb": self.connection.note,
                "logger": client_logger(),
            }
        )

    def _poll_soon(self) -> None:
        """Look for reports within a millisecond or so, unless that is due anyway."""
        self._polls_without_report = 0
        timer, loop = self._timer, self._loop
        assert loop is not None
        if timer is None or timer.when() > loop.time() + _POLL_DUE_SECONDS:
            if timer is not None:
                timer.cancel()
            self._timer = loop.call_later(_POLL_DUE_SECONDS, self._serve_reports)

    def _serve_reports(self) -> None:
        now = time.monotonic()
        served = self._poll(self._producer)
        if self._fatal and now >= self._renewed_at + _RENEWED_EACH_SECONDS:
            self._renew(now)
        if self._retired:
            self._serve_retired()
        self._give_up_overdue(now)
        if self._held:
            self._give_up_held(now)
        self._polls_without_report = 0 if served else self._polls_without_report + 1
        if not self.in_flight_events:
            again_seconds = _POLL_IDLE_SECONDS
        elif self._polls_without_report > _STALLED_AFTER_POLLS:
            again_seconds = _POLL_STALLED_SECONDS
        else:
            again_seconds = _POLL_DUE_SECONDS
        if self._loop is not None:
            self._timer = self._loop.call_later(again_seconds, self._serve_reports)

    def _poll(self, producer: Producer) -> int:
        """Serve what a producer has to report; it raises what it cannot go on after."""
        try:
            served: int = producer.poll(0)
        except KafkaException as error:
            if producer is self._producer:
                self.connection.note(error.args[0])
                self._fatal = True
            return 1
        return served

    def _give_up_overdue(self, now: float) -> None:
        waiting = self._waiting
        while waiting and (waiting[0].done.done() or waiting[0].deadline <= now):
            waiting.popleft().settle()

    def _serve_retired(self) -> None:
        for producer in self._retired:
            self._poll(producer)
        self._retired = [producer for producer in self._retired if len(producer)]

    def _renew(self, now: float) -> None:
        """Replace a producer whose idempotence broke: it would refuse every record from now on.

        What it still held is reported as failed, so those requests are answered with 503.
        """
        self._fatal = False
        self._renewed_at = now
        self._producer.purge()
        self._retired.append(self._producer)
        self._producer = self._make()
        log.error("kafka producer replaced after a fatal error")

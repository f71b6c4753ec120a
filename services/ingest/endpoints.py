"""The ways in: who sends, what is in it, onto the log, and only then an answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from services.ingest import answers, formats, otlp_answers
from services.ingest.answers import Answer
from services.ingest.batches import Batch, BatchLimits, fault_of_ours
from services.ingest.bodies import Body, BodyLimits, HeldBytes
from services.ingest.desk import Desk
from services.ingest.double_reports import DoubleReports
from services.ingest.errors import (
    BATCH_REFUSED,
    UNREADABLE,
    ClientGoneError,
    MalformedError,
    RateLimitError,
    RequestError,
)
from services.ingest.formats import Reader, ReaderFor
from services.ingest.gateway_batches import Signal
from services.ingest.hot_paths import IncomingRequest
from services.ingest.keys.key import Key
from services.ingest.keys.limits import TokenBucket
from services.ingest.keys.ring import KeyRing
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.rejections.budget import KeptBudget
from services.ingest.rejections.keeping import Keeping, Kept, is_for_its_content
from services.ingest.rejections.record import Format
from services.ingest.scanning import scanning
from services.ingest.settings import IngestSettings
from services.ingest.times import LogClock
from services.platform.log import get_logger

log = get_logger(__name__)


class Log(Protocol):
    """Where records go."""

    async def publish(self, records: list[Record]) -> None:
        """Return once every record is acknowledged; raises `BusyError` otherwise."""


class RejectionLog(Protocol):
    """Where rejections go."""

    async def put(self, records: list[Record]) -> None:
        """Keep them if that can be; raises nothing."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a path is read: its reader by the headers, its limits, and the name of its format."""

    reader_for: ReaderFor
    limits: BodyLimits
    form: Format
    #: All events of a request are taken, or none.
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Understood:
    """What a request held, and what is to be kept of what it was refused for."""

    batch: Batch
    kept: Kept
    form: Format


class Endpoints:
    """The handlers of the paths that take events."""

    def __init__(
        self,
        settings: IngestSettings,
        keys: KeyRing,
        log: Log,
        metrics: IngestMetrics,
        rejections: RejectionLog,
        clock: LogClock | None = None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        note: Callable[[int, Batch], None] | None = None,
    ) -> None:
        """``note`` is told of each request how many events were taken, and what it held."""
        self._settings = settings
        self._keys = keys
        self._log = log
        self._metrics = metrics
        self._rejections = rejections
        self._clock = clock or LogClock()
        self._utc_now = utc_now
        self._note = note
        self._keeping = Keeping(
            KeptBudget(
                settings.ingest_rejected_key_bytes_per_day, settings.ingest_rejected_bytes_per_day
            ),
            settings.ingest_rejected_payload_bytes_max,
        )
        self._reports = DoubleReports()
        self._body_limits = BodyLimits(
            wire_bytes_max=settings.ingest_wire_bytes_max,
            body_bytes_max=settings.ingest_body_bytes_max,
            read_timeout_seconds=settings.ingest_read_timeout_seconds,
            read_bytes_per_second_min=settings.ingest_read_bytes_per_second_min,
        )
        self._gateway_body_limits = replace(
            self._body_limits, wire_bytes_max=settings.ingest_gateway_wire_bytes_max
        )
        self._held = HeldBytes(
            settings.ingest_held_bytes_max,
            metrics.held_bytes.set,
            settings.ingest_key_held_bytes_max,
        )
        self._desk = Desk(settings.ingest_key_requests_max)

    async def native(self, request: IncomingRequest) -> Response:
        """``POST /v1/events``: what is valid is taken, what is not is named."""
        form: Format = "cloudevents" if formats.is_cloud_event(request.headers) else "native"
        return await self._one_by_one(request, Way(formats.native, self._body_limits, form))

    async def _one_by_one(self, request: IncomingRequest, way: Way) -> Response:
        try:
            understood = await self._read(request, way)
            await self._log.publish(understood.batch.records)
        except RequestError as error:
            return _response(answers.native_refusal(error))
        batch = understood.batch
        await self._settle(len(batch.records), understood)
        outcome = answers.native_outcome(len(batch.records), batch.rejections, batch.skipped)
        return _response(outcome)

    async def openmeter(self, request: IncomingRequest) -> Response:
        """``POST /api/v1/events``: as in OpenMeter, all events are taken or none."""
        way = Way(formats.openmeter, self._body_limits, "cloudevents", whole=True)
        try:
            understood = await self._read(request, way)
            batch = understood.batch
            if not batch.rejections:
                await self._log.publish(batch.records)
        except RequestError as error:
            return _response(answers.openmeter_refusal(error))
        events = len(batch.records) + len(batch.rejections)
        await self._settle(0 if batch.rejections else events, understood)
        return _response(answers.openmeter_outcome(batch.rejections, events))

    async def litellm(self, request: IncomingRequest) -> Response:
        """``POST /v1/litellm``: LiteLLM's logs, answered as native events are."""
        way = Way(formats.litellm, self._gateway_body_limits, "litellm")
        return await self._one_by_one(request, way)

    async def envoy(self, request: IncomingRequest) -> Response:
        """``POST /v1/envoy``: usage events of Envoy AI Gateway."""
        way = Way(formats.envoy, self._gateway_body_limits, "envoy")
        return await self._one_by_one(request, way)

    async def portkey(self, request: IncomingRequest) -> Response:
        """``POST /v1/portkey``: what Portkey's log hook posts."""
        way = Way(formats.portkey, self._gateway_body_limits, "portkey")
        return await self._one_by_one(request, way)

    async def traces(self, request: IncomingRequest) -> Response:
        """``POST /v1/traces``: OTLP spans; those that are no calls of a model are passed over."""
        return await self._otlp(request, "traces", "otlp_traces")

    async def logs(self, request: IncomingRequest) -> Response:
        """``POST /v1/logs``: OTLP log records, likewise."""
        return await self._otlp(request, "logs", "otlp_logs")

    async def _otlp(self, request: IncomingRequest, signal: Signal, form: Format) -> Response:
        json = formats.media_type(request.headers) != formats.PROTOBUF
        way = Way(formats.otlp_of(signal), self._gateway_body_limits, form)
        try:
            understood = await self._read(request, way)
            await self._log.publish(understood.batch.records)
        except RequestError as error:
            return _response(otlp_answers.refusal(error, json=json))
        await self._settle(len(understood.batch.records), understood)
        return _response(otlp_answers.outcome(signal, understood.batch, json=json))

    async def whoami(self, request: IncomingRequest) -> Response:
        """``GET /v1/whoami``: what the key stands for, and its limits."""
        try:
            key = self._keys.verify(
                request.headers.get("authorization"), datetime.now(UTC), scope="read"
            )
        except RequestError as error:
            return _response(answers.native_refusal(error))
        return _response(answers.whoami(key))

    async def _read(self, request: IncomingRequest, way: Way) -> Understood:
        """Read the body and what is in it; its bytes are let go before Kafka is waited for.

        The key comes first: whoever has none learns nothing else. A key in debt, or with too many
        requests at a time, is turned away before its body is read. What is refused as a whole for
        what it holds is kept.
        """
        received = self._utc_now()
        key = self._keys.verify(request.headers.get("authorization"), received)
        _charge(key.use.bytes, "bytes per second", 0, key.at)
        _charge(key.use.events, "events per second", 0, key.at)
        self._desk.enter(key.entry.id)
        try:
            return await self._read_for(key, request, way, received)
        finally:
            self._desk.leave(key.entry.id)

    async def _read_for(
        self, key: Key, request: IncomingRequest, way: Way, received: datetime
    ) -> Understood:
        body = Body(way.limits, self._held, key.entry.id)
        text = b""
        try:
            reader = way.reader_for(request.headers, received, self._limits(received))
            text = await body.read(
                request.stream(),
                request.headers.get("content-length"),
                request.headers.get("content-encoding"),
            )

            def read() -> Understood:
                batch = self._understand(reader, text, key, body.wire_bytes, whole=way.whole)
                kept = self._keeping.of_batch(
                    batch, key.entry, way.form, received, key.at, whole=way.whole
                )
                return Understood(batch, kept, way.form)

            return await self._desk.read(key.entry.id, text, read)
        except ClientDisconnect:
            raise ClientGoneError("the client went away before its body was whole") from None
        except RequestError as error:
            # In no variable of this frame, which the error's traceback holds: both, and the body,
            # would stay until the collector looks for cycles, and it rests (`server.py`).
            kept = await self._desk.read(
                key.entry.id,
                text,
                partial(
                    self._keeping.of_request,
                    *(error, text, key.entry, way.form, received, key.at),
                ),
            )
            if is_for_its_content(error):
                self._metrics.requests_rejected.labels(error.code).inc()
            await self._keep(kept)
            raise
        finally:
            body.release()

    def _limits(self, received: datetime) -> BatchLimits:
        settings = self._settings
        return BatchLimits(
            settings.ingest_events_max,
            settings.ingest_event_bytes_max,
            self._clock.limits(
                received,
                time.monotonic(),
                timedelta(days=settings.ingest_event_age_max_days),
                timedelta(seconds=settings.ingest_event_ahead_max_seconds),
            ),
            settings.ingest_parts_max,
        )

    def _understand(
        self, reader: Reader, text: bytes, key: Key, wire_bytes: int, *, whole: bool
    ) -> Batch:
        """Read what is in a body; names of what is not taken are taken back from the key.

        Raises `RequestError` where nothing of it can be taken.
        """
        now = time.monotonic()
        _charge(key.use.bytes, "bytes per second", wire_bytes, now)
        key.use.begin()
        try:
            batch = _read_by(reader, text, key)
            events = len(batch.records) + len(batch.rejections)
            _charge(key.use.events, "events per second", events, now)
        except RequestError:
            key.use.take_back()
            raise
        if whole and batch.rejections:
            key.use.take_back()
        return batch

    async def _settle(self, accepted: int, understood: Understood) -> None:
        """Count what became of a request's events, and keep what was refused."""
        batch, metrics = understood.batch, self._metrics
        metrics.accepted.inc(accepted)
        if self._note is not None:
            self._note(accepted, batch)
        if batch.skipped:
            metrics.skipped.inc(batch.skipped)
        if batch.unread:
            metrics.count_unread(batch.unread)
        if batch.rejections:
            for code, times in Counter(item["code"] for item in batch.rejections).items():
                metrics.rejected.labels(code).inc(times)
                if code == UNREADABLE:
                    told = next(one for one in batch.rejections if one["code"] == code)
                    log.error("events cannot be read", events=times, why=told["message"])
            metrics.rejected.labels(BATCH_REFUSED).inc(len(batch.records) - accepted)
            await self._keep(understood.kept)
        if accepted and batch.counts:
            differences = self._reports.note(understood.form, batch.records, batch.counts)
            if differences.reports:
                metrics.count_differences(differences)

    async def _keep(self, kept: Kept) -> None:
        for why, rejections in kept.unkept.items():
            self._metrics.rejections_unkept.labels(why).inc(rejections)
        await self._rejections.put(kept.records)


def _read_by(reader: Reader, text: bytes, key: Key) -> Batch:
    """Read a body; raises `RequestError` for whatever stands in the way."""
    try:
        with scanning():
            return reader(text, key)
    except RequestError:
        raise
    except Exception as error:
        # The text of the exception may hold parts of the body: only its type and place are told.
        fault = fault_of_ours(error)
        log.error("a body cannot be read", why=fault.message)
        raise MalformedError(fault.message) from None


def _charge(bucket: TokenBucket | None, limit: str, amount: int, now: float) -> None:
    """Take from a key's bucket; raises `RateLimitError` when it is in debt."""
    if bucket is not None and (wait_seconds := bucket.charge(amount, now)):
        raise RateLimitError(limit, wait_seconds)


def _response(answer: Answer) -> Response:
    return Response(
        answer.body,
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type=answer.content_type,
    )

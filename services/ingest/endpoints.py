"""The ways in: who sends, what is in it, onto the log, and only then an answer."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from services.ingest import answers, formats, otlp_answers
from services.ingest.answers import Answer
from services.ingest.batches import Batch, BatchLimits
from services.ingest.bodies import Body, BodyLimits, HeldBytes
from services.ingest.errors import (
    MalformedError,
    RateLimitError,
    RequestError,
)
from services.ingest.formats import ReaderFor
from services.ingest.gateway_batches import Signal
from services.ingest.hot_paths import IncomingRequest
from services.ingest.keys import KeyRing
from services.ingest.keys.limits import TokenBucket
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings


class Log(Protocol):
    """Where records go."""

    async def publish(self, records: list[Record]) -> None:
        """Return once every record is acknowledged; raises `BusyError` otherwise."""


class Endpoints:
    """The handlers of the paths that take events."""

    def __init__(
        self, settings: IngestSettings, keys: KeyRing, log: Log, metrics: IngestMetrics
    ) -> None:
        self._keys = keys
        self._log = log
        self._metrics = metrics
        self._body_limits = BodyLimits(
            wire_bytes_max=settings.ingest_wire_bytes_max,
            body_bytes_max=settings.ingest_body_bytes_max,
            read_timeout_seconds=settings.ingest_read_timeout_seconds,
            read_bytes_per_second_min=settings.ingest_read_bytes_per_second_min,
        )
        self._gateway_body_limits = replace(
            self._body_limits, wire_bytes_max=settings.ingest_gateway_wire_bytes_max
        )
        self._batch_limits = BatchLimits(
            events_max=settings.ingest_events_max,
            event_bytes_max=settings.ingest_event_bytes_max,
        )
        self._held = HeldBytes(settings.ingest_held_bytes_max, metrics.held_bytes.set)

    async def native(self, request: IncomingRequest) -> Response:
        """``POST /v1/events``: what is valid is taken, what is not is named."""
        return await self._one_by_one(request, formats.native, self._body_limits)

    async def _one_by_one(
        self, request: IncomingRequest, reader_for: ReaderFor, limits: BodyLimits
    ) -> Response:
        try:
            batch = await self._read(request, reader_for, limits)
            await self._log.publish(batch.records)
        except RequestError as error:
            return _response(answers.native_refusal(error))
        self._count(len(batch.records), batch)
        outcome = answers.native_outcome(len(batch.records), batch.rejections, batch.skipped)
        return _response(outcome)

    async def openmeter(self, request: IncomingRequest) -> Response:
        """``POST /api/v1/events``: as in OpenMeter, all events are taken or none."""
        try:
            batch = await self._read(request, formats.openmeter, self._body_limits)
            if not batch.rejections:
                await self._log.publish(batch.records)
        except RequestError as error:
            return _response(answers.openmeter_refusal(error))
        events = len(batch.records) + len(batch.rejections)
        self._count(0 if batch.rejections else events, batch)
        return _response(answers.openmeter_outcome(batch.rejections, events))

    async def litellm(self, request: IncomingRequest) -> Response:
        """``POST /v1/litellm``: LiteLLM's logs, answered as native events are."""
        return await self._one_by_one(request, formats.litellm, self._gateway_body_limits)

    async def envoy(self, request: IncomingRequest) -> Response:
        """``POST /v1/envoy``: usage events of Envoy AI Gateway."""
        return await self._one_by_one(request, formats.envoy, self._gateway_body_limits)

    async def portkey(self, request: IncomingRequest) -> Response:
        """``POST /v1/portkey``: what Portkey's log hook posts."""
        return await self._one_by_one(request, formats.portkey, self._gateway_body_limits)

    async def traces(self, request: IncomingRequest) -> Response:
        """``POST /v1/traces``: OTLP spans; those that are no calls of a model are passed over."""
        return await self._otlp(request, "traces")

    async def logs(self, request: IncomingRequest) -> Response:
        """``POST /v1/logs``: OTLP log records, likewise."""
        return await self._otlp(request, "logs")

    async def _otlp(self, request: IncomingRequest, signal: Signal) -> Response:
        json = formats.media_type(request.headers) != formats.PROTOBUF
        try:
            batch = await self._read(request, formats.otlp_of(signal), self._gateway_body_limits)
            await self._log.publish(batch.records)
        except RequestError as error:
            return _response(otlp_answers.refusal(error, json=json))
        self._count(len(batch.records), batch)
        return _response(otlp_answers.outcome(signal, batch, json=json))

    async def whoami(self, request: IncomingRequest) -> Response:
        """``GET /v1/whoami``: what the key stands for, and its limits."""
        try:
            key = self._keys.verify(
                request.headers.get("authorization"), datetime.now(UTC), scope="read"
            )
        except RequestError as error:
            return _response(answers.native_refusal(error))
        return _response(answers.whoami(key))

    async def _read(
        self, request: IncomingRequest, reader_for: ReaderFor, limits: BodyLimits
    ) -> Batch:
        """Read the body and what is in it; its bytes are let go before Kafka is waited for.

        The key comes first: whoever has none learns nothing else. A key in debt is turned away
        before its body is read.
        """
        key = self._keys.verify(request.headers.get("authorization"), datetime.now(UTC))
        _charge(key.use.bytes, "bytes per second", 0, key.at)
        _charge(key.use.events, "events per second", 0, key.at)
        reader = reader_for(request.headers, datetime.now(UTC), self._batch_limits)
        body = Body(limits, self._held)
        try:
            text = await body.read(
                request.stream(),
                request.headers.get("content-length"),
                request.headers.get("content-encoding"),
            )
            now = time.monotonic()
            _charge(key.use.bytes, "bytes per second", body.wire_bytes, now)
            batch = reader(text, key)
            events = len(batch.records) + len(batch.rejections)
            _charge(key.use.events, "events per second", events, now)
            return batch
        except ClientDisconnect:
            raise MalformedError("the client went away before its body was whole") from None
        finally:
            body.release()

    def _count(self, accepted: int, batch: Batch) -> None:
        self._metrics.accepted.inc(accepted)
        if batch.skipped:
            self._metrics.skipped.inc(batch.skipped)
        if batch.unread:
            self._metrics.count_unread(batch.unread)
        for rejection in batch.rejections:
            self._metrics.rejected.labels(rejection["code"]).inc()


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

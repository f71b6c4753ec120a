"""The two ways in: who sends, what is in it, onto the log, and only then an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.ingest import answers
from services.ingest.answers import Answer
from services.ingest.batches import (
    Batch,
    BatchLimits,
    cloud_events,
    native_json,
    native_ndjson,
)
from services.ingest.bodies import Body, BodyLimits, HeldBytes
from services.ingest.errors import MalformedError, RequestError, UnsupportedError
from services.ingest.keys import KeyEntry, KeyRing
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings

NATIVE_TYPES = "application/json or application/x-ndjson"
OPENMETER_TYPES = (
    "application/cloudevents+json, application/cloudevents-batch+json or application/json"
)


#: Turns a whole body into what it holds.
Reader = Callable[[bytes, KeyEntry], Batch]


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
        )
        self._batch_limits = BatchLimits(
            events_max=settings.ingest_events_max,
            event_bytes_max=settings.ingest_event_bytes_max,
        )
        self._held = HeldBytes(settings.ingest_held_bytes_max, metrics.held_bytes.set)

    async def native(self, request: Request) -> Response:
        """``POST /v1/events``: what is valid is taken, what is not is named."""
        try:
            batch = await self._read(request, self._native_reader)
            await self._log.publish(batch.records)
        except RequestError as error:
            return _response(answers.native_refusal(error))
        self._count(len(batch.records), batch)
        return _response(answers.native_outcome(len(batch.records), batch.rejections))

    async def openmeter(self, request: Request) -> Response:
        """``POST /api/v1/events``: as in OpenMeter, all events are taken or none."""
        try:
            batch = await self._read(request, self._openmeter_reader)
            if not batch.rejections:
                await self._log.publish(batch.records)
        except RequestError as error:
            return _response(answers.openmeter_refusal(error))
        events = len(batch.records) + len(batch.rejections)
        self._count(0 if batch.rejections else events, batch)
        return _response(answers.openmeter_outcome(batch.rejections, events))

    async def _read(self, request: Request, reader_for: Callable[[str], Reader]) -> Batch:
        """Read the body and what is in it; its bytes are let go before Kafka is waited for.

        The key comes first: whoever has none learns nothing else.
        """
        key = self._keys.verify(request.headers.get("authorization"), datetime.now(UTC))
        reader = reader_for(media_type(request))
        body = Body(self._body_limits, self._held)
        try:
            text = await body.read(
                request.stream(),
                request.headers.get("content-length"),
                request.headers.get("content-encoding"),
            )
            return reader(text, key)
        except ClientDisconnect:
            raise MalformedError("the client went away before its body was whole") from None
        finally:
            body.release()

    def _native_reader(self, media: str) -> Reader:
        limits = self._batch_limits
        match media:
            case "application/json":
                return lambda body, key: native_json(body, key, limits)
            case "application/x-ndjson" | "application/ndjson":
                return lambda body, key: native_ndjson(body, key, limits)
            case _:
                raise _unsupported(media, NATIVE_TYPES)

    def _openmeter_reader(self, media: str) -> Reader:
        match media:
            case "application/cloudevents+json":
                batch: bool | None = False
            case "application/cloudevents-batch+json":
                batch = True
            case "application/json":
                batch = None
            case _:
                raise _unsupported(media, OPENMETER_TYPES)
        received = datetime.now(UTC)
        return lambda body, key: cloud_events(body, key, received, self._batch_limits, batch=batch)

    def _count(self, accepted: int, batch: Batch) -> None:
        self._metrics.accepted.inc(accepted)
        for rejection in batch.rejections:
            self._metrics.rejected.labels(rejection["code"]).inc()


def media_type(request: Request) -> str:
    """Read the content type without its parameters; empty where there is none."""
    content_type: str = request.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()


def _unsupported(media: str, supported: str) -> UnsupportedError:
    given = f"Content-Type {media[:60]!r} is not supported" if media else "no Content-Type given"
    return UnsupportedError(f"{given}: use {supported}")


def _response(answer: Answer) -> Response:
    return Response(
        answer.body,
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type=answer.content_type,
    )

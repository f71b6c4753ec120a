"""Spans, made by OpenTelemetry's SDK and sent to a collector by OTLP over HTTP.

Where to, how many and with what else is said by OpenTelemetry's own variables (docs/traces.md).
A collector that is away costs spans, never time: they wait in a queue with a bound, a thread sends
them, and what finds the queue full is counted and gone.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter

from services.platform.errors import ConfigurationError
from services.platform.log import get_logger
from services.platform.tracing import Attributes, Kind

log = get_logger(__name__)

PROTOCOL: Final = "http/protobuf"
DEFAULT_ENDPOINT: Final = "http://localhost:4318"
#: As OpenTelemetry has it where nothing is said.
_QUEUE_MAX: Final = 2048
#: Longest that the end of a process waits for a collector.
_STOP_SECONDS: Final = 2.0
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "internal": SpanKind.INTERNAL,
}
_context = TraceContextTextMapPropagator()


class OtlpTraces:
    """The spans of one process. Raises `ConfigurationError` where a variable cannot be used."""

    def __init__(self, service: str, spans: Counter, exporter: SpanExporter | None = None) -> None:
        _require_protocol()
        queue_max = _queue_max()
        try:
            counted = _CountedExporter(exporter or OTLPSpanExporter(), spans)
            batches = BatchSpanProcessor(counted, max_queue_size=queue_max)
            self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        except (ValueError, OSError) as error:
            raise ConfigurationError(
                f"bad settings: a variable OTEL_… of the traces: {error}"
            ) from None
        self._provider.add_span_processor(_BoundedProcessor(batches, counted, spans, queue_max))
        self._tracer = self._provider.get_tracer("wattoken", version("wattoken"))
        log.info("traces are sent", collector=_address(), service=service)

    @contextmanager
    def span(
        self,
        name: str,
        about: Callable[[], Attributes] | None = None,
        *,
        kind: Kind = "internal",
        began_ns: int | None = None,
        parent: Mapping[str, str] | None = None,
    ) -> Iterator[object]:
        """A span; see `services.platform.tracing.Traces`."""
        with self._tracer.start_as_current_span(
            name,
            context=_context.extract(parent) if parent else None,
            kind=_KINDS[kind],
            attributes=_asked(about) if about is not None else None,
            start_time=began_ns,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                raise

    def note(self, about: Callable[[], Attributes]) -> None:
        """Give the span around the caller more attributes."""
        get_current_span().set_attributes(_asked(about))

    def fail(self, error_type: str) -> None:
        """Say that what the span around the caller is about failed."""
        span = get_current_span()
        span.set_attribute("error.type", error_type)
        span.set_status(Status(StatusCode.ERROR))

    def exemplar(self) -> dict[str, str] | None:
        """The ids of the span around the caller, where it is kept."""
        context = get_current_span().get_span_context()
        if not context.trace_flags.sampled:
            return None
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def stop(self) -> None:
        """Send what waits; a collector that does not answer is not waited for."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(_STOP_SECONDS)


class _CountedExporter(SpanExporter):
    """Counts what became of spans, and says once when a collector is away and when it is back."""

    def __init__(self, inner: SpanExporter, spans: Counter) -> None:
        self._inner = inner
        self._sent, self._failed = spans.labels("sent"), spans.labels("failed")
        self._lock = threading.Lock()
        self._waiting = 0
        self._away = False
        self._complaints = _Complaints()

    def enter(self, most: int) -> bool:
        """Let one more span wait; False where as many wait already."""
        with self._lock:
            if self._waiting >= most:
                return False
            self._waiting += 1
            return True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; what fails is not sent again."""
        with self._lock:
            self._waiting -= len(spans)
        try:
            result = self._inner.export(spans)
        except Exception as error:
            self._complaints.last = str(error)
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._sent.inc(len(spans))
            if self._away:
                log.info("traces are taken again")
            self._away = False
        else:
            self._failed.inc(len(spans))
            if not self._away:
                log.warning("traces are not taken", why=self._complaints.last)
            self._away = True
        return result

    def shutdown(self) -> None:
        """End, and leave off what is under way."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


class _BoundedProcessor(SpanProcessor):
    """Hands spans to the queue while there is room: what the SDK drops by itself, it counts not."""

    def __init__(
        self, batches: SpanProcessor, counted: _CountedExporter, spans: Counter, most: int
    ) -> None:
        self._batches = batches
        self._counted = counted
        self._dropped = spans.labels("dropped")
        self._most = most

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ended, or count it as dropped."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._counted.enter(self._most):
            self._batches.on_end(span)
        else:
            self._dropped.inc()

    def shutdown(self) -> None:
        """Send what waits, and end."""
        self._batches.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._batches.force_flush(timeout_millis)


class _Complaints(logging.Handler):
    """Keeps the last of what OpenTelemetry has to complain of, which it says of every batch."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "the collector does not answer"
        logger = logging.getLogger("opentelemetry")
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.last = record.getMessage()


def _asked(about: Callable[[], Attributes]) -> Attributes:
    """The attributes; work goes on, and is not given up, where they cannot be had."""
    try:
        return about()
    except Exception:
        log.exception("attributes of a span cannot be had")
        return {}


def _require_protocol() -> None:
    for name in (OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL):
        asked = os.environ.get(name, "").strip()
        if asked and asked != PROTOCOL:
            raise ConfigurationError(
                f"{name} is {asked!r}: traces are sent by {PROTOCOL}, so unset it and name the"
                " collector's port for that, 4318 as a rule"
            )
        if asked:
            return


def _queue_max() -> int:
    said = os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE, "").strip()
    if not said:
        return _QUEUE_MAX
    if not said.isdecimal() or not int(said):
        raise ConfigurationError(
            f"{OTEL_BSP_MAX_QUEUE_SIZE} is {said!r}: give a whole number of spans above 0"
        )
    return int(said)


def _resource(service: str) -> Resource:
    """Who sends; what OpenTelemetry's variables say wins."""
    own = {
        "service.name": service,
        "service.version": version("wattoken"),
        "service.instance.id": str(uuid.uuid4()),
    }
    return Resource.create(own).merge(OTELResourceDetector().detect())


def _address() -> str:
    """The collector, without what may be secret in its address."""
    named = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) or os.environ.get(
        OTEL_EXPORTER_OTLP_ENDPOINT
    )
    parts = urlsplit(named or DEFAULT_ENDPOINT)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

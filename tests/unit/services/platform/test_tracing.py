"""Traces off: nothing is imported, nothing is made. On: spans, their order, and what is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client import CollectorRegistry, Counter

from services.platform.errors import ConfigurationError
from services.platform.settings import TraceSettings
from services.platform.trace_start import start_traces
from services.platform.tracing import NO_TRACES, OUTCOMES, Traces
from tests.waiting import eventually

OFF = TraceSettings(traces=False)
ON = TraceSettings(traces=True)


def counter() -> Counter:
    spans = Counter("spans", "Spans.", ["outcome"], registry=CollectorRegistry())
    for outcome in OUTCOMES:
        spans.labels(outcome)
    return spans


def counted(spans: Counter) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in spans.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


#: Everything that a service loads, and its app made, without traces.
OFF_PROGRAM = """
import sys
import services.aggregator.worker
import services.ingest.app
from services.ingest.keys.ring import KeyRing
from services.ingest.settings import IngestSettings
from services.platform.trace_start import start_traces
settings = IngestSettings(kafka_bootstrap_servers="127.0.0.1:1")
metrics = services.ingest.app.IngestMetrics()
traces = start_traces(settings, "ingest", metrics.spans)
services.ingest.app.create_app(settings, KeyRing([], b"p" * 32), metrics, traces)
print(*sorted(name for name in sys.modules if name.startswith("opentelemetry.")))
"""


def test_where_traces_are_off_nothing_of_opentelemetry_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF_PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # What ingest reads others' traces with is no part of it.
    loaded = done.stdout.split()
    assert [name for name in loaded if not name.startswith("opentelemetry.proto")] == []


def test_where_traces_are_off_one_object_is_every_span() -> None:
    assert start_traces(OFF, "ingest", counter()) is NO_TRACES

    def never() -> dict[str, int]:
        raise AssertionError("asked for attributes")

    first = NO_TRACES.span("one", never, kind="server", parent={"traceparent": "x"})
    with first as inside:
        assert inside is None
        with NO_TRACES.span("two", never) as second:
            assert second is None
        NO_TRACES.note(never)
        off: Traces = NO_TRACES
        assert off.exemplar() is None
    assert NO_TRACES.span("three") is first


def test_a_missing_extra_is_said_with_the_setting_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    monkeypatch.delitem(sys.modules, "services.platform.trace_export", raising=False)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.sdk.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationError, match=r"WATTOKEN_TRACES .*wattoken\[traces\]"):
        start_traces(ON, "ingest", counter())


class Collector:
    """In a collector's place: takes batches, refuses them, or holds them up."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

        self.taken: list[ReadableSpan] = []
        self.refuses = False
        self.open = threading.Event()
        self.open.set()
        collector = self

        class Exporter(SpanExporter):
            def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
                collector.open.wait(60)
                if collector.refuses:
                    return SpanExportResult.FAILURE
                collector.taken.extend(spans)
                return SpanExportResult.SUCCESS

            def shutdown(self) -> None:
                """Nothing."""

        self.exporter = Exporter()


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk")
    made = Collector()
    yield made
    made.open.set()


def test_spans_lie_within_each_other_and_go_on_with_a_parent(collector: Collector) -> None:
    from services.platform.trace_export import OtlpTraces

    spans = counter()
    traces = OtlpTraces("wattoken-test", spans, collector.exporter)
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    parent = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
    began_ns = time.time_ns() - 5_000_000_000
    with traces.span("outer", lambda: {"a": 1}, kind="server", parent=parent, began_ns=began_ns):
        exemplar = traces.exemplar()
        with traces.span("inner", kind="producer"):
            traces.note(lambda: {"b": [1, 2]})
    with pytest.raises(RuntimeError), traces.span("broken"):
        raise RuntimeError("no such thing")
    traces.stop()
    inner, outer, broken = collector.taken
    assert [outer.name, inner.name, broken.name] == ["outer", "inner", "broken"]
    assert outer.context is not None and inner.parent is not None and outer.parent is not None
    assert f"{outer.context.trace_id:032x}" == trace_id
    assert f"{outer.parent.span_id:016x}" == parent_id
    assert exemplar == {"trace_id": trace_id, "span_id": f"{outer.context.span_id:016x}"}
    assert inner.parent.span_id == outer.context.span_id
    assert outer.start_time == began_ns
    assert outer.attributes == {"a": 1}
    assert inner.attributes == {"b": (1, 2)}
    assert (outer.kind.name, inner.kind.name) == ("SERVER", "PRODUCER")
    assert broken.status.status_code.name == "ERROR"
    assert broken.events[0].attributes is not None
    assert broken.events[0].attributes["exception.message"] == "no such thing"
    assert broken.attributes == {"error.type": "RuntimeError"}
    assert broken.parent is None
    assert outer.resource.attributes["service.name"] == "wattoken-test"
    assert counted(spans) == {"sent": 3, "failed": 0, "dropped": 0}


def test_what_a_trace_of_others_does_not_keep_is_not_kept(collector: Collector) -> None:
    from services.platform.trace_export import OtlpTraces

    spans = counter()
    traces = OtlpTraces("wattoken-test", spans, collector.exporter)
    unsampled = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
    with traces.span("outer", parent=unsampled), traces.span("inner"):
        assert traces.exemplar() is None
    traces.stop()
    assert collector.taken == []
    assert counted(spans) == {"sent": 0, "failed": 0, "dropped": 0}


def test_attributes_that_cannot_be_had_stop_nothing(collector: Collector) -> None:
    from services.platform.trace_export import OtlpTraces

    traces = OtlpTraces("wattoken-test", counter(), collector.exporter)

    def broken() -> dict[str, int]:
        raise KeyError("gone")

    with traces.span("work", broken):
        traces.note(broken)
    traces.stop()
    (span,) = collector.taken
    assert span.attributes == {}


def test_a_collector_that_hangs_costs_spans_and_nothing_else(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.platform.trace_export import OtlpTraces

    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    collector.open.clear()
    spans = counter()
    traces = OtlpTraces("wattoken-test", spans, collector.exporter)
    for _ in range(100):
        with traces.span("work"):
            pass
    # Those that wait, and a batch that is under way.
    assert 70 <= counted(spans)["dropped"] <= 80
    traces.stop()
    assert collector.taken == []
    collector.open.set()
    eventually("all are counted", lambda: sum(counted(spans).values()) == 100)
    assert counted(spans)["sent"] == 100 - counted(spans)["dropped"] == len(collector.taken)


def test_what_a_collector_refuses_is_counted_and_not_sent_again(collector: Collector) -> None:
    from services.platform.trace_export import OtlpTraces

    collector.refuses = True
    spans = counter()
    traces = OtlpTraces("wattoken-test", spans, collector.exporter)
    with traces.span("work"):
        pass
    traces.stop()
    assert counted(spans) == {"sent": 0, "failed": 1, "dropped": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ],
)
def test_what_cannot_be_used_is_said_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        start_traces(ON, "ingest", counter())


def test_a_queue_smaller_than_a_batch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.sdk")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "5")
    with pytest.raises(ConfigurationError, match="OTEL_"):
        start_traces(ON, "ingest", counter())

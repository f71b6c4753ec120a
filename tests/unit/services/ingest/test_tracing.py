"""Spans of requests: what they say, whose trace they go on with, and that none is another's."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.ingest.batches import Batch
from services.ingest.errors import BusyError
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.tracing import (
    TracedApp,
    TracedLog,
    events_note,
    parent_of,
    show_exemplars,
)
from tests.recorded_traces import RecordedTraces

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECORD: Record = {"key": b"k", "value": b"v"}


class Log:
    """A log that takes a turn of the loop, and refuses where it is told to."""

    topic = "usage.events.v1"

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.published = 0

    async def publish(self, records: list[Record]) -> None:
        await asyncio.sleep(0.001)
        if self.refuses:
            raise BusyError("Kafka did not acknowledge the events in time", 1)
        self.published += len(records)


def application(traces: RecordedTraces, log: Log) -> TracedApp:
    """Answers as the path's number says, after it has published as many records."""
    traced = TracedLog(log, traces)
    note = events_note(traces)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        number = int(dict(scope["headers"]).get(b"x-number", b"1"))
        status = 202
        try:
            await traced.publish([RECORD] * number)
            note(number, Batch(records=[RECORD] * number, skipped=2))
        except BusyError:
            status = 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return TracedApp(app, traces)


def requests(app: TracedApp, *asked: tuple[str, str, dict[str, str]]) -> list[int]:
    async def send() -> list[int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            answers = await asyncio.gather(
                *(client.request(method, path, headers=headers) for method, path, headers in asked)
            )
            return [answer.status_code for answer in answers]

    return asyncio.run(send())


def test_a_request_and_what_it_hands_to_kafka() -> None:
    traces = RecordedTraces()
    app = application(traces, Log())
    headers = {"traceparent": PARENT, "authorization": "Bearer wtk_secret", "x-number": "3"}
    assert requests(app, ("POST", "/v1/events", headers)) == [202]
    request, sending = traces.spans
    assert (request.name, request.kind, request.within) == ("POST /v1/events", "server", None)
    assert request.parent == {"traceparent": PARENT}
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/events",
        "url.path": "/v1/events",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.response.status_code": 202,
        "wattoken.events.accepted": 3,
        "wattoken.events.rejected": 0,
        "wattoken.events.skipped": 2,
    }
    assert (sending.name, sending.kind) == ("send usage.events.v1", "producer")
    assert sending.within is request
    assert sending.attributes["messaging.batch.message_count"] == 3
    assert all(span.ended and not span.error for span in traces.spans)
    assert "secret" not in str(traces.spans)


def test_rejected_events_are_counted_with_those_that_went_down_with_them() -> None:
    traces = RecordedTraces()
    rejection: Any = {"index": 0, "code": "c", "message": "m"}
    with traces.span("request"):
        events_note(traces)(0, Batch(records=[RECORD], rejections=[rejection, rejection]))
    assert traces.spans[0].attributes["wattoken.events.rejected"] == 3


def test_many_at_once_have_each_their_own() -> None:
    traces = RecordedTraces()
    log = Log()
    app = application(traces, log)
    asked = [("POST", "/v1/events", {"x-number": str(number)}) for number in range(1, 60)]
    assert requests(app, *asked) == [202] * len(asked)
    for sending in traces.named("send usage.events.v1"):
        count = sending.attributes["messaging.batch.message_count"]
        assert sending.within is not None
        assert sending.within.attributes["wattoken.events.accepted"] == count
    assert len({id(span.within) for span in traces.named("send usage.events.v1")}) == 59


def test_what_kafka_does_not_take_is_an_error_of_both() -> None:
    traces = RecordedTraces()
    assert requests(application(traces, Log(refuses=True)), ("POST", "/v1/events", {})) == [503]
    assert traces.told() == [
        ("POST /v1/events", None, "503"),
        ("send usage.events.v1", "POST /v1/events", "BusyError"),
    ]


def test_probes_are_no_requests() -> None:
    traces = RecordedTraces()
    log = Log()
    app = application(traces, log)
    assert requests(app, ("GET", "/healthz", {}), ("GET", "/metrics", {})) == [202, 202]
    assert traces.named("GET /healthz") == traces.named("GET /metrics") == []


def test_names_are_few_whatever_clients_ask_for() -> None:
    traces = RecordedTraces()
    app = application(traces, Log())
    requests(app, ("BREW", "/tea", {}), ("GET", "/" + "x" * 5000, {}))
    brew, get = (span for span in traces.spans if span.kind == "server")
    assert (brew.name, get.name) == ("HTTP", "GET")
    assert brew.attributes["http.request.method"] == "_OTHER"
    assert "http.route" not in get.attributes
    assert len(get.attributes["url.path"]) == 200


def test_no_records_are_no_span() -> None:
    traces = RecordedTraces()
    asyncio.run(TracedLog(Log(), traces).publish([]))
    assert traces.spans == []


@pytest.mark.parametrize(
    ("headers", "parent"),
    [
        ([], None),
        ([(b"tracestate", b"a=1")], None),
        ([(b"traceparent", b"x")], {"traceparent": "x"}),
        (
            [(b"tracestate", b"a=1"), (b"traceparent", b"x"), (b"tracestate", b"b=2")],
            {"traceparent": "x", "tracestate": "a=1,b=2"},
        ),
        ([(b"traceparent", b"x"), (b"traceparent", b"y")], None),
    ],
)
def test_the_trace_that_a_request_is_part_of(
    headers: list[tuple[bytes, bytes]], parent: dict[str, str] | None
) -> None:
    assert parent_of({"headers": headers}) == parent


def test_the_histogram_of_deliveries_leads_to_the_trace() -> None:
    metrics, traces = IngestMetrics(), RecordedTraces()
    show_exemplars(metrics, traces)
    with traces.span("request"):
        metrics.observe_delivery(0.003)
    (exemplar,) = [
        sample.exemplar
        for metric in metrics.delivery_seconds.collect()
        for sample in metric.samples
        if sample.exemplar
    ]
    assert exemplar.labels == {"trace_id": "of request"}
    assert exemplar.value == 0.003

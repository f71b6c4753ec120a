"""What a worker's traces say of flushes and recoveries, and that they change nothing of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.aggregator import meter as meter_module
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.metrics import FLUSH_SECONDS
from services.platform.errors import UnavailableError
from tests.recorded_traces import RecordedTraces
from tests.unit.services.aggregator.test_meter import Metering

TOPIC = "usage.events.v1"


class Traced(Metering):
    """A meter with partition 0 and traces that are kept."""

    def __init__(self) -> None:
        super().__init__(check_log=self._looked)
        self.traces = RecordedTraces()
        meter: Any = self.meter
        meter._traces = meter._flusher._traces = self.traces
        meter._edges.log = SimpleNamespace(topic=TOPIC)

    async def _looked(self) -> None:
        """The log is as it was."""


def test_a_flush_tells_its_steps_in_their_order() -> None:
    async def run() -> Traced:
        metering = Traced()
        await metering.consume(0, 3)
        await metering.meter.flush()
        return metering

    traces = asyncio.run(run()).traces
    flush, *_ = traces.spans
    assert traces.told() == [
        ("flush", None, ""),
        *(
            (step, "flush", "")
            for step in (
                *("snapshot", "look at the log", "insert rows"),
                *("read checkpoints", "insert checkpoints", "commit"),
            )
        ),
    ]
    assert flush.attributes.pop("wattoken.rows") > 0
    assert flush.attributes == {
        "messaging.destination.name": TOPIC,
        "wattoken.partitions": [0],
        "wattoken.offsets.written": [0],
        "wattoken.offsets.next": [3],
        "wattoken.dead_letters": 0,
    }


def test_a_flush_with_nothing_to_write_is_not_told() -> None:
    async def run() -> Traced:
        metering = Traced()
        await metering.meter.flush()
        return metering

    assert asyncio.run(run()).traces.spans == []


def test_attempts_that_fail_are_told_each_and_the_flush_is_none() -> None:
    async def run() -> Traced:
        metering = Traced()
        refusals: list[Exception] = [UnavailableError("too many parts")]

        def refuse(call: str) -> None:
            if call == "rows" and refusals:
                raise refusals.pop()

        metering.database.before = refuse
        await metering.consume(0, 1)
        await metering.meter.flush()
        return metering

    traces = asyncio.run(run()).traces
    assert [span.error for span in traces.named("insert rows")] == ["UnavailableError", ""]
    assert [span.error for span in traces.named("flush")] == [""]


def test_a_flush_that_stops_says_why_and_drops_what_it_took() -> None:
    async def run() -> Traced:
        metering = Traced()
        await metering.consume(0, 1)
        await metering.meter.flush()
        metering.database.offset = None
        await metering.consume(1, 1)
        with pytest.raises(DatabaseWentBackError):
            await metering.meter.flush()
        return metering

    metering = asyncio.run(run())
    told = metering.traces.told()
    assert ("flush", None, "DatabaseWentBackError") in told
    assert ("read checkpoints", "flush", "DatabaseWentBackError") in told
    assert metering.meter.states == {}


def test_the_histogram_of_flushes_leads_to_the_trace() -> None:
    async def run() -> None:
        metering = Traced()
        await metering.consume(0, 1)
        await metering.meter.flush()

    asyncio.run(run())
    found = [
        sample.exemplar.labels
        for metric in FLUSH_SECONDS.collect()
        for sample in metric.samples
        if sample.exemplar
    ]
    assert {"trace_id": "of flush"} in found


def test_a_recovery_tells_its_attempts_and_where_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = [UnavailableError("away")]

    async def run() -> Traced:
        metering = Traced()
        state = metering.meter.states.pop(0)

        def recovered(*_: Any, **__: Any) -> dict[int, Any]:
            if failures:
                raise failures.pop()
            return {0: state}

        monkeypatch.setattr(meter_module, "recover", recovered)
        await metering.meter.recover([0], lambda: False)
        assert metering.meter.states == {0: state}
        return metering

    traces = asyncio.run(run()).traces
    assert traces.told() == [
        ("recover", None, ""),
        ("attempt", "recover", "UnavailableError"),
        ("attempt", "recover", ""),
    ]
    assert traces.spans[0].attributes == {
        "messaging.destination.name": TOPIC,
        "wattoken.partitions": [0],
        "wattoken.offsets.written": [0],
        "wattoken.offsets.next": [0],
        "wattoken.slices": 0,
    }

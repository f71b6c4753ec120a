"""A worker starts and ends without the second that Faust's own parts pause each time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import faust
import pytest

from services.aggregator.kafka.faust_options import faust_options
from services.aggregator.kafka.without_pauses import EndingWorker, NoTables
from services.aggregator.settings import AggregatorSettings


@pytest.fixture
def app() -> faust.App:
    """An app that is set up and connects to nothing."""
    return faust.App("group", **faust_options(AggregatorSettings()))


def test_partitions_may_be_assigned_at_once(
    app: faust.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = app.tables
    assert isinstance(tables, NoTables)
    paused: list[float] = []
    started: list[str] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    async def start() -> None:
        started.append("recovery")

    # Faust starts what reads before it starts this; nothing is assigned yet.
    app.consumer = SimpleNamespace(assignment=set, pause_partitions=lambda partitions: None)
    monkeypatch.setattr(tables, "sleep", pause)
    monkeypatch.setattr(tables.recovery, "start", start)

    asyncio.run(tables.on_start())
    assert (paused, started) == ([], ["recovery"])
    assert tables._tables_registered.is_set()


@pytest.mark.parametrize(("task_seconds", "ended"), [(0.05, True), (600, False)])
def test_the_last_tasks_end_first_and_not_for_ever(
    app: faust.App, monkeypatch: pytest.MonkeyPatch, task_seconds: float, ended: bool
) -> None:
    monkeypatch.setattr("services.aggregator.kafka.without_pauses.LAST_TASKS_SECONDS", 0.3)
    loop = asyncio.new_event_loop()
    worker = app.Worker(loop=loop)
    assert isinstance(worker, EndingWorker)

    async def end() -> bool:
        task = asyncio.ensure_future(asyncio.sleep(task_seconds))
        await asyncio.sleep(0)
        await worker._sentinel_task()
        return task.done()

    assert loop.run_until_complete(end()) is ended
    loop.run_until_complete(worker._sentinel_task())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_nothing_is_waited_for_where_nothing_runs(app: faust.App) -> None:
    loop = asyncio.new_event_loop()
    worker = app.Worker(loop=loop)

    async def end() -> float:
        began = loop.time()
        await worker._sentinel_task()
        return loop.time() - began

    # A second would be what it was.
    assert loop.run_until_complete(end()) < 0.9
    loop.close()

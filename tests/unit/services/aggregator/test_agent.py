"""The agent when batches or ids are lost: they are read again, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from services.aggregator.agent import meter_batches
from services.aggregator.app import MeterApp
from services.aggregator.kafka.transport import FetchedBatch
from services.aggregator.metrics import ID_STORE_FAULTS
from services.aggregator.storage import store_files
from services.aggregator.storage.seen_store import SeenStores
from tests.unit.services.aggregator.test_meter_ids import LOG, Scene

BATCH = 3


class App:
    """As much of the app as the agent sees, on one partition of a log in memory."""

    #: The way back is the app's own.
    read_ids_again = MeterApp.read_ids_again
    seek_again = MeterApp.seek_again

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(SeenStores(folder, LOG.name))
        self.meter = self.scene.meter
        self.position = 0
        self.seeks: list[int] = []
        self.recoveries = 0
        self.failures: list[Exception] = []
        self.consumer = SimpleNamespace(epoch=0, perform_seek=self.perform_seek)
        self.lineage = SimpleNamespace(ends={})

    async def recover(self) -> None:
        self.recoveries += 1
        await self.scene.recover()

    async def perform_seek(self) -> None:
        self.consumer.epoch += 1
        self.position = self.meter.positions()[0]
        self.seeks.append(self.position)

    async def fail(self, error: Exception) -> None:
        self.failures.append(error)

    async def batches(self) -> AsyncIterator[FetchedBatch]:
        """Read the log from where it was sought to, to its end; as the transport hands it out."""
        while True:
            records = self.scene.world.log.read(self.position, BATCH)
            if not len(records):
                return
            first, self.position = self.position, self.position + len(records)
            place = TP(LOG.topic, 0)
            yield FetchedBatch(
                place, self.consumer.epoch, first, self.position, records, decoded=None
            )

    async def read_all(self) -> None:
        await meter_batches(self)(self.batches())  # type: ignore[arg-type]
        await self.meter.flush()

    def counts(self) -> tuple[int, int]:
        """Events accepted, and duplicates, as the last checkpoint says."""
        checkpoint = self.meter.states[0].checkpoint
        return checkpoint.accepted, checkpoint.duplicate


async def with_ids_on_disk(folder: Path) -> App:
    """An app that has read twelve events, and has most of their ids in the folder only."""
    app = App(folder)
    await app.recover()
    await app.read_all()
    for number in range(3, 12):
        app.scene.more(number)
    await app.read_all()
    assert list(folder.rglob("run_*")), "ids are on disk"
    return app


def lost_reads() -> int:
    return int(ID_STORE_FAULTS.labels("read")._value.get())


def test_ids_lost_on_disk_are_read_again_and_each_event_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> App:
        app = await with_ids_on_disk(tmp_path)
        assert app.counts() == (12, 0)
        read, faults = store_files.OpenFile.read, iter([OSError(5, "Input/output error")])

        def broken_once(self: store_files.OpenFile, at: int, size: int) -> bytes:
            for fault in faults:
                raise fault
            return read(self, at, size)

        monkeypatch.setattr(store_files.OpenFile, "read", broken_once)
        before = lost_reads()
        app.scene.more(*range(12))
        app.scene.more(12, 13)
        await app.read_all()
        assert lost_reads() == before + 1
        return app

    app = asyncio.run(scene())
    assert app.failures == []
    assert app.recoveries == 2
    # Back to where the run began that was lost, below the checkpoint.
    [sought] = app.seeks
    assert sought in (0, 3)
    assert app.counts() == (14, 12)


def test_a_disk_that_cannot_be_read_at_all_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> App:
        app = await with_ids_on_disk(tmp_path)

        def broken(self: store_files.OpenFile, at: int, size: int) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(store_files.OpenFile, "read", broken)
        for _ in range(3):
            app.scene.more(*range(12))
            await app.read_all()
        return app

    app = asyncio.run(scene())
    assert app.failures == []
    assert app.recoveries == 3, "after the second time the disk has a rest"
    assert app.counts() == (12, 36)


def test_another_fault_is_no_reason_to_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> App:
        app = App(tmp_path)
        await app.recover()

        def wrong(*_: Any, **__: Any) -> None:
            raise ValueError("a mistake of ours")

        monkeypatch.setattr(app.meter, "consume", wrong)
        await meter_batches(app)(app.batches())  # type: ignore[arg-type]
        return app

    app = asyncio.run(scene())
    assert [str(failure) for failure in app.failures] == ["a mistake of ours"]
    assert (app.recoveries, app.seeks) == (1, [])


async def read_behind_a_gap(folder: Path, epochs_ago: int) -> App:
    """An app whose first batch got lost, as it shows by the next."""
    app = App(folder)
    await app.recover()
    app.position = 2

    async def batches() -> AsyncIterator[FetchedBatch]:
        first = True
        async for batch in app.batches():
            yield replace(batch, epoch=batch.epoch - epochs_ago) if first else batch
            first = False

    await meter_batches(app)(batches())  # type: ignore[arg-type]
    await app.meter.flush()
    return app


def test_what_is_missing_before_a_batch_is_read_again(tmp_path: Path) -> None:
    app = asyncio.run(read_behind_a_gap(tmp_path, epochs_ago=0))
    assert (app.failures, app.recoveries) == ([], 1)
    assert app.seeks == [0]
    assert app.counts() == (3, 0)


def test_what_was_fetched_before_the_last_seek_is_not_sought_again(tmp_path: Path) -> None:
    """That seek brings it; another for each such batch would go on forever."""
    app = asyncio.run(read_behind_a_gap(tmp_path, epochs_ago=1))
    assert (app.failures, app.seeks) == ([], [])

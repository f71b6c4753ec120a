"""When reading pauses, and when a flush is to come at once: at which number exactly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.aggregator import meter as module
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint
from services.aggregator.core.runs import Settled
from services.aggregator.meter import Meter
from services.aggregator.recovery import Keep
from tests.unit.services.aggregator.test_meter import EVENT, LATER_MS, NOW_MS, Metering


class NoDisk:
    """Runs on a disk that takes none; ids on it may be lost."""

    def __init__(self) -> None:
        self.end: Cut | None = None
        self.lost = False

    def last_seen(self, ids: Any, below: int) -> Any:
        return np.full(len(ids), -1)

    def keep(self, sightings: object) -> bool:
        return False

    def tidy(self, settled: Settled) -> bool:
        return False

    def close(self) -> None:
        """There is nothing."""


def room(meter: Meter) -> tuple[bool, bool]:
    """Whether a flush is to come at once, and whether the next batch may come before it."""
    return meter.full.is_set(), not meter.held


@pytest.mark.parametrize(
    ("rows_max", "expected"), [(5, (False, True)), (4, (True, False)), (3, (True, False))]
)
def test_as_many_rows_as_may_wait_end_the_room(rows_max: int, expected: tuple[bool, bool]) -> None:
    """An event changes its register, its minute and its hour; a new series is a row too."""

    async def run() -> None:
        metering = Metering(rows_max)
        await metering.consume(0)
        assert metering.meter.pending_rows == 4
        assert room(metering.meter) == expected

    asyncio.run(run())


@pytest.mark.parametrize(("more", "expected"), [(1, (False, True)), (0, (True, False))])
def test_as_many_bytes_as_may_wait_end_the_room(
    more: int, expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        poison = Records(np.arange(2), np.full(2, NOW_MS), [b"x" * 6_000] * 2)
        before = Metering()
        await before.meter.consume(0, 0, poison, 2)
        held_bytes = before.state.held_bytes
        assert held_bytes > 12_000
        monkeypatch.setattr(module, "HELD_BYTES_MAX", held_bytes + more)
        metering = Metering()
        await metering.meter.consume(0, 0, poison, 2)
        assert room(metering.meter) == expected

    asyncio.run(run())


def on_a_full_disk(ids_max: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Metering, NoDisk]:
    """A meter whose ids have to stay in memory, where so many may be."""
    monkeypatch.setattr(module, "IDS_MAX_FACTOR", 0)
    monkeypatch.setattr(module, "IDS_MAX_LEAST", ids_max)
    metering, disk = Metering(), NoDisk()
    metering.state.seen = SeenIds(disk)
    return metering, disk


@pytest.mark.parametrize(("ids_max", "expected"), [(4, (False, True)), (3, (True, False))])
def test_as_many_ids_as_may_be_in_memory_end_the_room(
    ids_max: int, expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        metering, disk = on_a_full_disk(ids_max, monkeypatch)
        await metering.consume(0, 3)
        assert room(metering.meter) == expected
        disk.lost = True
        await metering.meter.flush()
        assert room(metering.meter) == (False, True), "a batch has to find out that they are lost"

    asyncio.run(run())


def test_ids_that_are_lost_end_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        metering, disk = on_a_full_disk(3, monkeypatch)
        disk.lost = True
        await metering.consume(0, 3)
        assert room(metering.meter) == (False, True)

    asyncio.run(run())


@pytest.mark.parametrize(("ids", "runs"), [(3, 0), (4, 2)])
def test_so_many_ids_become_runs_while_reading_goes_on(
    ids: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all partitions together, and a run of each."""
    kept: list[object] = []

    def keep(seen: SeenIds, sightings: object) -> bool:
        kept.append(sightings)
        return False

    async def run() -> None:
        metering = Metering()
        monkeypatch.setattr(SeenIds, "keep", keep)
        for seen in (2, ids - 2):
            metering.meter.states[1] = metering.state
            metering.state = metering.take_over(Checkpoint(0, 0))
            metering.state.seen = SeenIds(NoDisk())
            await metering.consume(0, seen)
        await metering.meter.write_ids(many=4)
        assert len(kept) == runs
        assert room(metering.meter) == (False, True)

    asyncio.run(run())


@pytest.mark.parametrize(("ids", "runs"), [(99, 0), (100, 1)])
def test_as_many_ids_as_may_be_in_memory_become_a_run(
    ids: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where few may be, reading would pause for a flush else, five times as many behind."""
    kept: list[object] = []

    def keep(disk: NoDisk, sightings: object) -> bool:
        kept.append(sightings)
        return False

    async def run() -> None:
        metering = Metering()
        metering.state.seen = SeenIds(NoDisk())
        monkeypatch.setattr(NoDisk, "keep", keep)
        await metering.consume(0, ids)
        await metering.meter.write_ids()
        assert len(kept) == runs

    asyncio.run(run())


def test_the_ids_of_a_worker_are_shared_out_among_its_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred are to be in memory, of which each partition has its part, and one id at least."""
    shares: list[int] = []
    monkeypatch.setattr(SeenIds, "make_room", lambda self, share: shares.append(share))

    async def shared_by(partitions: int) -> list[int]:
        metering = Metering()
        for number in range(1, partitions):
            metering.meter.states[number] = metering.state
        shares.clear()
        await metering.meter.flush()
        return list(shares)

    assert asyncio.run(shared_by(1)) == [100]
    assert asyncio.run(shared_by(3)) == [33] * 3
    assert asyncio.run(shared_by(101)) == [1] * 101


def test_there_is_room_again_while_ids_are_being_written() -> None:
    """A slow disk of ids holds up no reading."""

    async def run() -> None:
        metering = Metering(pending_rows_max=1)
        metering.state.seen = SeenIds(NoDisk())
        writing = asyncio.Event()

        async def hold(work: Callable[[], Any]) -> None:
            writing.set()
            await asyncio.Event().wait()

        metering.meter._ids.call = hold  # type: ignore[method-assign, assignment]
        await metering.consume(0)
        assert room(metering.meter) == (True, False)
        flush = asyncio.create_task(metering.meter.flush())
        await writing.wait()
        assert room(metering.meter) == (False, True)
        flush.cancel()

    asyncio.run(run())


def test_ids_that_are_written_open_no_room_that_is_full_again() -> None:
    async def run() -> None:
        metering = Metering(pending_rows_max=1)
        metering.state.seen = SeenIds(NoDisk())

        async def fill(work: Callable[[], Any]) -> Any:
            assert room(metering.meter) == (False, True)
            await metering.consume(1)
            return work()

        metering.meter._ids.call = fill  # type: ignore[method-assign]
        await metering.consume(0)
        await metering.meter.flush()
        assert room(metering.meter) == (True, False)

    asyncio.run(run())


def test_partitions_that_are_taken_away_call_for_no_flush_any_more() -> None:
    async def run() -> None:
        metering = Metering(pending_rows_max=1)
        await metering.consume(0)
        metering.meter.release()
        assert room(metering.meter) == (False, True)

    asyncio.run(run())


@pytest.mark.parametrize("which", ["_reader", "_writer"])
def test_reading_waits_for_either_connection(which: str) -> None:
    """The watch must not end a worker that waits for a database that is away."""
    metering = Metering()
    away: Any = type("Away", (), {"away": True})()
    setattr(metering.meter, which, away)
    assert metering.meter.held


def test_reading_waits_for_a_look_up() -> None:
    async def run() -> None:
        metering = Metering()
        metering.take_over(Checkpoint(0, 0), LATER_MS)
        held: list[bool] = []
        metering.database.before = lambda call: held.append(metering.meter.held)
        await metering.consume(0)
        assert held and all(held)
        assert not metering.meter.held

    asyncio.run(run())


def test_a_flush_is_as_long_as_it_took() -> None:
    """By it the pause before the next one is measured; before the first there was none."""

    async def run() -> None:
        metering = Metering()
        assert metering.meter.last_flush_seconds == 0
        await metering.consume(0)
        began = time.monotonic()
        metering.database.before = lambda call: time.sleep(0.002)
        await metering.meter.flush()
        assert 0.002 <= metering.meter.last_flush_seconds <= time.monotonic() - began

    asyncio.run(run())


def test_slices_of_long_ago_leave_memory_once_they_are_written() -> None:
    """What may still be wanted of them is looked up."""

    async def run() -> None:
        metering = Metering()
        await metering.consume(0, 2)
        values = [(EVENT % (number, 1)).replace(b"03-15T", b"03-25T") for number in (2, 3)]
        records = Records(np.arange(2, 4), np.full(2, LATER_MS), values)
        await metering.meter.consume(0, 2, records, 4)
        minutes = metering.state.slices.families["minute"]
        assert len(minutes) == 2
        await metering.meter.flush()
        assert len(minutes) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("ids", "most"), [(100, 200_000), (40_000, 200_000), (4_000_000, 20_000_000)]
)
def test_so_many_ids_may_be_in_memory_as_documents_say(ids: int, most: int) -> None:
    """Whoever gives a worker memory goes by it: five times the setting, and 200,000 at least."""
    edges: Any = type("Edges", (), {"keep": Keep(3_600_000, 3_600_000, ids)})()
    nobody: Any = None
    meter = Meter(edges, nobody, nobody, 1000, nobody, ids=nobody, tidier=nobody)
    assert meter._ids_max == most

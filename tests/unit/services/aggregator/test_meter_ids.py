"""The meter and its ids on disk: each place is let go, and written to by its owner only."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from services.aggregator.core.dedup import IdsUnreadableError
from services.aggregator.core.runs import Settled
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.meter import Meter
from services.aggregator.recovery import Edges, Keep, Stores
from services.aggregator.storage.retry import AbandonedError
from services.aggregator.storage.seen_store import SPARE_PLACES, WRITE_REST_SECONDS, SeenStores
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log
from tests.property.world import ModelOffsets, ModelSink, World, event

LOG = Log("cluster", "topic-0", "usage.events.v1", 1)


class Calls:
    """`SinkCalls` in a thread of its own, as in life; each call may be held up on its way."""

    def __init__(self, sink: ModelSink) -> None:
        self.away = False
        self._sink = sink
        self._executor = ThreadPoolExecutor(1)
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.ended = threading.Event()

    async def call(self, work: Callable[[Any], Any]) -> Any:
        def held_up() -> Any:
            self.begun.set()
            try:
                result = work(self._sink)
                assert self.go_on.wait(10)
                return result
            finally:
                self.ended.set()

        return await asyncio.get_running_loop().run_in_executor(self._executor, held_up)


class IdCalls:
    """`IdCalls` at once, or held up on their way."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def call(self, work: Callable[[], Any]) -> Any:
        self.begun.set()
        await self.go_on.wait()
        return work()


class Scene:
    """A meter on one partition, with real stores in a folder."""

    def __init__(self, stores: Stores) -> None:
        self.world = World()
        self.world.append(event(number, self.world.now_ms, 1) for number in range(3))
        labels = Labels()
        sink = ModelSink(self.world, LOG.name, labels)
        self.reader, self.writer = Calls(sink), Calls(sink)
        edges = Edges(
            LOG,
            ModelOffsets(self.world.log),  # type: ignore[arg-type]
            stores,
            Keep(minutes_ms=1, hours_ms=1, ids=1),
            Decoder(labels),
        )
        self.ids = IdCalls()
        self.meter = Meter(
            edges,
            self.reader,
            self.writer,
            10_000,
            lambda partition, offset: None,
            ids=self.ids,
            tidier=IdCalls(),
        )

    async def recover(self, abandoned: Callable[[], bool] = lambda: False) -> None:
        await self.meter.recover([0], abandoned)

    async def read_all(self) -> None:
        position = self.meter.positions()[0]
        records = self.world.log.read(position, 1000)
        if len(records):
            await self.meter.consume(0, position, records, position + len(records))

    def more(self, *numbers: int) -> None:
        self.world.now_ms += 10
        self.world.append(event(number, self.world.now_ms, 1) for number in numbers)


@pytest.fixture
def stores(tmp_path: Path) -> SeenStores:
    return SeenStores(tmp_path, LOG.name)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def assert_free(stores: SeenStores, folder: Path) -> None:
    """The first place is nobody's: whoever opens a store now gets it."""
    stores.open(0, Settled(0, 0, 1000), 0).close()
    assert [path.name for path in folder.rglob("partition-*")] == ["partition-0"]


def test_a_recovery_abandoned_at_its_end_lets_its_stores_go(
    stores: SeenStores, tmp_path: Path
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        answers = iter([False, True])
        with pytest.raises(AbandonedError):
            await scene.recover(lambda: next(answers))
        assert scene.meter.states == {}

    run(scene())
    assert_free(stores, tmp_path)


def test_a_recovery_cancelled_while_its_thread_works_lets_its_stores_go(
    stores: SeenStores, tmp_path: Path
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        scene.reader.go_on.clear()
        recovering = asyncio.create_task(scene.recover())
        await asyncio.to_thread(scene.reader.begun.wait, 10)
        recovering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recovering
        scene.reader.go_on.set()
        await asyncio.to_thread(scene.reader.ended.wait, 10)
        assert scene.meter.states == {}

    run(scene())
    assert_free(stores, tmp_path)


def test_cancelled_with_the_states_built_but_not_handed_over(
    stores: SeenStores, tmp_path: Path
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        recovering = asyncio.create_task(scene.recover())
        while not scene.reader.begun.is_set():
            await asyncio.sleep(0)
        # The loop does not see the thread's end before it hears of the cancellation.
        scene.reader.ended.wait(10)
        recovering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recovering

    run(scene())
    assert_free(stores, tmp_path)


def test_more_abandoned_recoveries_than_there_are_places(
    stores: SeenStores, tmp_path: Path
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        for _ in range(SPARE_PLACES + 1):
            answers = iter([False, True])
            with pytest.raises(AbandonedError):
                await scene.recover(lambda answers=answers: next(answers))  # type: ignore[misc]
        await scene.recover()
        scene.meter.drop({0})

    run(scene())
    assert_free(stores, tmp_path)


def test_a_recovery_that_fails_behind_its_stores_lets_them_go(
    stores: SeenStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        at = ModelOffsets.at
        failures = iter([UnavailableError("away"), None])

        def away(self: ModelOffsets, times_ms: Any) -> dict[int, int]:
            failure = next(failures)
            if failure is not None:
                raise failure
            return at(self, times_ms)

        monkeypatch.setattr(ModelOffsets, "at", away)
        monkeypatch.setattr("services.aggregator.storage.retry.DELAY_SECONDS_MIN", 0.0)
        await scene.recover()
        assert list(scene.meter.states) == [0]
        scene.meter.drop({0})

    run(scene())
    assert_free(stores, tmp_path)


def test_what_a_recovery_hands_over_stays_open(stores: SeenStores, tmp_path: Path) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        assert_free_but_for_one(stores, tmp_path)
        scene.meter.drop({0})

    run(scene())


def assert_free_but_for_one(stores: SeenStores, folder: Path) -> None:
    stores.open(0, Settled(0, 0, 1000), 0).close()
    assert sorted(path.name for path in folder.rglob("partition-*")) == [
        "partition-0",
        "partition-0-1",
    ]


def test_ids_are_not_written_once_the_partition_is_given_away(
    stores: SeenStores, tmp_path: Path
) -> None:
    """The write is on its way; meanwhile the partition goes, and its place has a new owner."""

    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        await scene.read_all()
        scene.ids.go_on.clear()
        flushing = asyncio.create_task(scene.meter.flush())
        await asyncio.wait_for(scene.ids.begun.wait(), 10)
        scene.meter.drop({0})
        owner = stores.open(0, Settled(0, 0, 1000), 0)
        before = contents(tmp_path)
        scene.ids.go_on.set()
        await flushing
        assert contents(tmp_path) == before
        owner.close()

    run(scene())


def test_what_comes_while_ids_are_written_is_in_the_next_run(
    stores: SeenStores, tmp_path: Path
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        await scene.read_all()
        scene.ids.go_on.clear()
        flushing = asyncio.create_task(scene.meter.flush())
        await asyncio.wait_for(scene.ids.begun.wait(), 10)
        scene.more(0, 3)
        await scene.read_all()
        scene.ids.go_on.set()
        await flushing
        await scene.meter.flush()
        assert sorted(path.name for path in tmp_path.rglob("run_*")) == ["run_0_3", "run_3_5"]
        assert scene.meter.states[0].checkpoint.duplicate == 1
        scene.meter.drop({0})

    run(scene())


def test_a_flush_that_is_cancelled_while_ids_are_written_drops_what_it_took(
    stores: SeenStores,
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        await scene.read_all()
        scene.ids.go_on.clear()
        flushing = asyncio.create_task(scene.meter.flush())
        await asyncio.wait_for(scene.ids.begun.wait(), 10)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        assert scene.meter.states == {}

    run(scene())


def test_ids_read_again_are_written_while_nothing_is_flushed(
    stores: SeenStores, tmp_path: Path
) -> None:
    """So a worker that is stopped while it rebuilds begins where it was."""

    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        await scene.read_all()
        await scene.meter.flush()
        scene.meter.drop({0})
        shutil.rmtree(tmp_path)
        await scene.recover()
        assert scene.meter.positions() == {0: 0}
        records = scene.world.log.read(0, 2)
        await scene.meter.consume(0, 0, records, 2)
        await scene.meter.flush()
        scene.meter.drop({0})
        await scene.recover()
        assert scene.meter.positions() == {0: 2}
        scene.meter.drop({0})

    run(scene())


def test_runs_are_merged_until_there_is_nothing_to_merge(
    stores: SeenStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.aggregator.core.runs.FAN_IN", 2)

    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        for number in range(4):
            scene.more(number)
            await scene.read_all()
            await scene.meter.flush()
        await scene.meter.tidy()
        assert [path.name for path in tmp_path.rglob("run_*")] == ["run_0_7"]
        scene.meter.drop({0})
        await scene.meter.tidy()

    run(scene())


def test_many_ids_are_written_ahead_of_the_flush_and_dropped_without_it(
    stores: SeenStores, tmp_path: Path
) -> None:
    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        scene.more(1)
        await scene.read_all()
        read = scene.meter.positions()[0]
        await scene.meter.write_ids(many=99)
        assert not list(tmp_path.rglob("run_*")), "not many yet"
        await scene.meter.write_ids(many=1)
        assert [path.name for path in tmp_path.rglob("run_*")] == [f"run_0_{read}"]
        await scene.meter.write_ids(many=1)
        await scene.meter.flush()
        assert [path.name for path in tmp_path.rglob("run_*")] == [f"run_0_{read}"]
        scene.more(2)
        await scene.read_all()
        await scene.meter.write_ids(many=1)
        assert len(list(tmp_path.rglob("run_*"))) == 2
        # A crash: what lies beyond the checkpoint was not counted, and must not be known.
        scene.meter.drop({0})
        await scene.recover()
        assert scene.meter.positions() == {0: read}
        assert [path.name for path in tmp_path.rglob("run_*")] == [f"run_0_{read}"]
        scene.meter.drop({0})

    run(scene())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class RefusingDisk:
    """Stores whose folder cannot be made until `fix`, and whose clock is told the time."""

    def __init__(self, folder: Path) -> None:
        self._in_the_way = folder / "state"
        self._in_the_way.write_bytes(b"a file")
        self._now = 0.0
        self.stores = SeenStores(self._in_the_way, LOG.name, clock=self.clock)

    def clock(self) -> float:
        return self._now

    def fix(self) -> None:
        self._in_the_way.unlink()

    def rest(self) -> None:
        self._now += WRITE_REST_SECONDS


async def paused(scene: Scene) -> asyncio.Task[None]:
    """Have a batch wait for room, and hold that it does."""
    waiting = asyncio.create_task(scene.read_all())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    assert scene.meter.held, "the watch sees that it waits on purpose"
    return waiting


def test_reading_pauses_while_the_disk_takes_no_ids_and_memory_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One id is to be in memory, so five may be.
    monkeypatch.setattr("services.aggregator.meter.IDS_MAX_LEAST", 0)
    disk = RefusingDisk(tmp_path)

    async def scene() -> None:
        scene = Scene(disk.stores)
        await scene.recover()
        await scene.read_all()
        scene.more(3)
        await scene.read_all()
        await scene.meter.flush()
        assert (scene.meter.ids_in_memory, scene.meter.held) == (4, False), (
            "they stay, and it goes on"
        )
        scene.more(4)
        await scene.read_all()
        scene.more(5)
        waiting = await paused(scene)
        await scene.meter.flush()
        disk.rest()
        await scene.meter.flush()
        assert not waiting.done() and scene.meter.ids_in_memory == 5, "the disk still refuses"
        disk.fix()
        await scene.meter.flush()
        assert not waiting.done(), "and has a rest"
        disk.rest()
        await scene.meter.flush()
        await asyncio.wait_for(waiting, 10)
        await scene.meter.flush()
        assert not scene.meter.held
        assert scene.meter.ids_in_memory <= 2
        scene.more(*range(6))
        await scene.read_all()
        await scene.meter.flush()
        checkpoint = scene.meter.states[0].checkpoint
        assert (checkpoint.accepted, checkpoint.duplicate) == (6, 6)
        scene.meter.drop({0})

    run(scene())


def test_a_pause_for_memory_ends_when_the_partitions_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.aggregator.meter.IDS_MAX_LEAST", 0)
    disk = RefusingDisk(tmp_path)

    async def scene() -> None:
        scene = Scene(disk.stores)
        await scene.recover()
        scene.more(3, 4, 5)
        await scene.read_all()
        scene.more(6)
        waiting = await paused(scene)
        scene.meter.release()
        scene.meter.drop({0})
        await asyncio.wait_for(waiting, 10)

    run(scene())


def test_a_pause_for_memory_ends_when_the_folder_is_deleted(
    stores: SeenStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No id can be moved any more until a batch has found that out."""
    monkeypatch.setattr("services.aggregator.meter.IDS_MAX_LEAST", 0)

    async def scene() -> None:
        scene = Scene(stores)
        await scene.recover()
        for number in (3, 4):
            scene.more(number)
        await scene.read_all()
        await scene.meter.flush()
        assert scene.meter.ids_in_memory == 0, "they are on disk"
        for number in (5, 6, 7, 8, 9):
            scene.more(number)
        await scene.read_all()
        scene.more(10)
        waiting = await paused(scene)
        shutil.rmtree(tmp_path)
        await scene.meter.flush()
        with pytest.raises(IdsUnreadableError):
            await asyncio.wait_for(waiting, 10)
        assert not scene.meter.states

    run(scene())

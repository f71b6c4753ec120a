"""Copies of runs between real stores on disk and a database that is a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import Sightings
from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.runs import Settled
from services.aggregator.metrics import ID_COPIES_BEHIND, ID_STORE_FAULTS
from services.aggregator.storage import store_files
from services.aggregator.storage.copy_pieces import DamagedCopyError
from services.aggregator.storage.id_copies import IdCopier, IdCopies
from services.aggregator.storage.retry import AbandonedError
from services.aggregator.storage.seen_store import SeenStore, SeenStores
from services.platform.errors import DatabaseUnavailableError, UnavailableError

LAG_MS = 100
SETTLED = Settled(offset=20, log_ms=2_000, keep_ms=100_000)
IDS = np.random.default_rng(5).integers(0, 2**64, (30, 2), np.uint64)


class Sink:
    """The database's part, and what it was asked."""

    def __init__(self) -> None:
        self.copies: dict[int, list[Copied]] = {}
        self.pieces: dict[int, list[bytes]] = {}
        self.keep_seconds: list[int] = []
        self.away = False
        self.damaged = False

    async def call(self, work: Callable[[Any], Any]) -> Any:
        if self.away:
            raise DatabaseUnavailableError("away")
        return work(self)

    def read_copies(self, partitions: Sequence[int]) -> dict[int, list[Copied]]:
        if self.away:
            raise DatabaseUnavailableError("away")
        return {number: list(self.copies.get(number, [])) for number in partitions}

    def read_pieces(self, partition: int, copied: Copied) -> Iterator[bytes]:
        if self.damaged:
            raise DamagedCopyError("it is")
        yield from self.pieces[copied.token]

    def write_copy(
        self,
        partition: int,
        copied: Copied,
        pieces: Iterable[bytes],
        keep_seconds: int,
        given_up: Callable[[], bool],
    ) -> bool:
        content = list(pieces)
        if given_up():
            return False
        self.copies.setdefault(partition, []).append(copied)
        self.pieces[copied.token] = content
        self.keep_seconds.append(keep_seconds)
        return True

    def ranges(self, partition: int = 0) -> list[tuple[int, int]]:
        stretches = [one.stretch for one in self.copies.get(partition, [])]
        return [(one.begin.offset, one.end.offset) for one in stretches]


class Scene:
    """A worker's store of one partition with three runs, the last beyond the checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sink = Sink()
        self.stores = SeenStores(folder / "one", "cluster/log")
        self.store = self.stores.open(0, Settled(0, 0, SETTLED.keep_ms), 0)
        for begin in (0, 10, 20):
            seen = slice(begin, begin + 10)
            times_ms = np.arange(100 * begin, 100 * begin + 1000, 100)
            cuts = Cut(begin, 100 * begin), Cut(begin + 10, 100 * begin + 1000)
            assert self.store.keep(Sightings(IDS[seen], times_ms, *cuts))
        self.settled = {0: SETTLED}
        self.copier = IdCopier(self.stores, self.sink, lambda: self.settled, LAG_MS)

    def copy(self, now_ms: int) -> list[tuple[int, int]]:
        asyncio.run(self.copier.copy_due(now_ms))
        return self.sink.ranges()

    def elsewhere(self, name: str = "other", start: int = 20) -> SeenStore:
        """Another worker's store, on a disk with nothing on it."""
        copies = IdCopies().of(self.sink, 0, lambda: False)  # type: ignore[arg-type]
        return SeenStores(self.folder / name, "cluster/log").open(0, SETTLED, start, copies)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_is_due_by_log_time_is_copied(scene: Scene) -> None:
    assert scene.copy(now_ms=0) == [(0, 10), (10, 20)], "never what the checkpoint has not reached"
    assert scene.copy(now_ms=1 << 60) == [(0, 10), (10, 20)], "once"


def test_what_came_last_is_copied_when_a_clock_says_so(scene: Scene) -> None:
    scene.settled = {0: Settled(20, 1_050, SETTLED.keep_ms)}
    assert scene.copy(now_ms=0) == [(0, 10)]
    assert scene.copy(now_ms=1_099) == [(0, 10)]
    assert scene.copy(now_ms=1_100) == [(0, 10), (10, 20)]


def test_copies_are_kept_for_as_long_as_they_may_matter(scene: Scene) -> None:
    scene.copy(now_ms=0)
    younger_ms = SETTLED.keep_ms + CLOCK_STEP_MAX_MS
    assert scene.sink.keep_seconds == [(younger_ms - 1000) // 1000, younger_ms // 1000]


def test_whoever_has_nothing_knows_it_all_from_copies(scene: Scene) -> None:
    scene.copy(now_ms=0)
    store = scene.elsewhere()
    assert store.end == Cut(20, 2_000)
    assert store.last_seen(IDS[:20], 1 << 60).tolist() == list(range(0, 2_000, 100))


def test_what_was_fetched_is_on_the_disk_from_then_on(scene: Scene) -> None:
    scene.copy(now_ms=0)
    scene.elsewhere().close()
    scene.sink.copies.clear()
    store = scene.elsewhere()
    assert store.end == Cut(20, 2_000)
    assert store.last_seen(IDS[:20], 1 << 60).tolist() == list(range(0, 2_000, 100))


def test_of_a_partition_that_is_not_ours_nothing_is_copied(scene: Scene) -> None:
    scene.settled = {}
    assert scene.copy(now_ms=0) == []
    scene.settled = {0: SETTLED, 1: SETTLED}
    scene.store.close()
    assert scene.copy(now_ms=0) == []


def test_a_copy_is_given_up_with_the_partition(scene: Scene) -> None:
    pieces = scene.sink.write_copy

    def taken_away(*args: Any) -> bool:
        scene.store.close()
        return pieces(*args)

    scene.sink.write_copy = taken_away  # type: ignore[method-assign, assignment]
    assert scene.copy(now_ms=0) == []


def test_how_many_are_behind_is_told(scene: Scene) -> None:
    scene.sink.away = True
    with pytest.raises(UnavailableError):
        scene.copy(now_ms=0)
    assert ID_COPIES_BEHIND._value.get() == 1
    scene.sink.away = False
    scene.copy(now_ms=0)
    assert ID_COPIES_BEHIND._value.get() == 0


def test_a_run_that_cannot_be_read_is_not_copied(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any) -> bytes:
        raise OSError("Input/output error")

    monkeypatch.setattr(store_files.OpenFile, "read", unreadable)
    assert scene.copy(now_ms=0) == []
    assert scene.store.lost


def test_a_damaged_copy_is_a_gap(scene: Scene) -> None:
    scene.copy(now_ms=0)
    before = ID_STORE_FAULTS.labels("fetch")._value.get()
    scene.sink.damaged = True
    assert scene.elsewhere().end is None
    assert ID_STORE_FAULTS.labels("fetch")._value.get() == before + 2


def test_a_database_that_is_away_is_waited_for(scene: Scene) -> None:
    scene.copy(now_ms=0)
    scene.sink.away = True
    with pytest.raises(UnavailableError):
        scene.elsewhere()
    scene.sink.away = False
    assert scene.elsewhere().end == Cut(20, 2_000), "and the folder is not locked"


def test_fetching_ends_when_the_partition_goes(scene: Scene) -> None:
    scene.copy(now_ms=0)
    copies = IdCopies().of(scene.sink, 0, lambda: True)  # type: ignore[arg-type]
    with pytest.raises(AbandonedError):
        SeenStores(scene.folder / "other", "cluster/log").open(0, SETTLED, 20, copies)
    assert scene.elsewhere().end == Cut(20, 2_000)


def test_how_far_it_is_moves_on(scene: Scene) -> None:
    scene.copy(now_ms=0)
    fetched = IdCopies()
    copies = fetched.of(scene.sink, 0, lambda: False)  # type: ignore[arg-type]
    SeenStores(scene.folder / "other", "cluster/log").open(0, SETTLED, 20, copies)
    assert fetched.progress == 2


def test_without_a_folder_nothing_is_guessed(scene: Scene) -> None:
    scene.copy(now_ms=0)
    (scene.folder / "taken").write_text("no folder")
    with pytest.raises(UnavailableError, match="only in copies"):
        scene.elsewhere("taken", start=20)
    assert scene.elsewhere("taken", start=0).end is None, "the log has it all"

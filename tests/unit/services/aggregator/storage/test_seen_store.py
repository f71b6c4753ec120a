"""The ids on disk as a worker has them, on disks that fail."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import IdsUnreadableError, Sightings
from services.aggregator.core.runs import FAN_IN, Settled
from services.aggregator.metrics import ID_STORE_FAULTS, ID_STORES_REFUSING
from services.aggregator.storage import store_files
from services.aggregator.storage.run_file import RunFault
from services.aggregator.storage.seen_place import Place
from services.aggregator.storage.seen_store import (
    DAY_SECONDS,
    READ_REST_SECONDS_MAX,
    SPARE_PLACES,
    WRITE_REST_SECONDS,
    ClosedStoreError,
    SeenStore,
    SeenStores,
)
from tests.full_disk import small_disk

#: Beyond all checkpoints of these tests, and so early that nothing is past.
NOW = Settled(offset=1000, log_ms=3999, keep_ms=4000)
IDS: Words = np.random.default_rng(3).integers(0, 2**64, (8, 2), np.uint64)
ALL = 1 << 60


@pytest.fixture
def stores(tmp_path: Path) -> SeenStores:
    return SeenStores(tmp_path, "cluster/topic")


def opened(stores: SeenStores) -> SeenStore:
    return stores.open(0, NOW, 0)


def sightings(begin: int, end: int, **seen_ms: int) -> Sightings:
    """What was seen in a range of offsets."""
    ids = IDS[[int(name[2:]) for name in seen_ms]]
    return Sightings(ids, np.array(list(seen_ms.values())), Cut(begin, begin), Cut(end, end))


def first(**seen_ms: int) -> Sightings:
    return sightings(0, 10, **seen_ms)


def second(**seen_ms: int) -> Sightings:
    return sightings(10, 20, **seen_ms)


def known(store: SeenStore, ids: Words = IDS) -> dict[int, int]:
    """When those of some ids that are there were last seen, by index."""
    times_ms = store.last_seen(ids, ALL)
    assert len(times_ms) == len(ids)
    return {index: at for index, at in enumerate(times_ms.tolist()) if at != -1}


def test_finds_what_it_was_given_and_nothing_else(stores: SeenStores) -> None:
    store = opened(stores)
    assert store.end is None
    assert store.keep(first(id0=10, id1=1500))
    assert known(store) == {0: 10, 1: 1500}
    assert known(store, IDS[:0]) == {}
    assert store.end == Cut(10, 10)


def test_survives_a_restart(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(first(id0=10, id1=1500))
    store.close()
    again = opened(stores)
    assert (again.end, known(again)) == (Cut(10, 10), {0: 10, 1: 1500})


def test_another_log_starts_again(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(first(id0=10))
    assert known(opened(SeenStores(tmp_path, "cluster/other"))) == {}


def test_two_processes_never_share_a_place(stores: SeenStores) -> None:
    one, other = opened(stores), opened(stores)
    one.keep(first(id0=10))
    assert known(other) == {}


def test_a_closed_store_takes_and_says_nothing(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(first(id0=10))
    store.close()
    store.close()
    owner = opened(stores)
    owner.keep(second(id1=1500))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not store.keep(second(id2=3000)), "a write may have been on its way"
    assert not store.tidy(Settled(10**6, 10**6, 1))
    with pytest.raises(ClosedStoreError):
        store.last_seen(IDS, ALL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert known(owner) == {0: 10, 1: 1500}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Sick:
    """Stores on a disk that may refuse, with a clock, and what was counted since."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.stores = SeenStores(folder, "cluster/topic", clock=self.clock)
        self._before = {what: count(what) for what in ("open", "read", "write", "tidy")}

    @property
    def faults(self) -> dict[str, int]:
        now = {what: count(what) - before for what, before in self._before.items()}
        return {what: times for what, times in now.items() if times}


def count(what: str) -> int:
    return int(ID_STORE_FAULTS.labels(what)._value.get())


def refusing() -> int:
    return int(ID_STORES_REFUSING._value.get())


@pytest.fixture
def sick(tmp_path: Path) -> Sick:
    return Sick(tmp_path / "state")


def test_with_every_place_taken_ids_stay_in_memory_until_one_is_free(sick: Sick) -> None:
    others = [opened(sick.stores) for _ in range(SPARE_PLACES)]
    assert sick.faults == {}
    store = opened(sick.stores)
    assert (store.end, known(store)) == (None, {})
    assert not store.keep(first(id0=10))
    assert (sick.faults, refusing()) == ({"open": 1}, 1)
    others[3].close()
    assert not store.keep(first(id0=10)), "the folder has a rest"
    sick.clock.now += WRITE_REST_SECONDS
    assert store.keep(first(id0=10))
    assert known(store) == {0: 10}
    assert refusing() == 0


def test_what_lies_in_a_place_taken_later_is_not_used(sick: Sick) -> None:
    """It is of another worker, and of what this one had to read from the log anyway."""
    other = opened(sick.stores)
    other.keep(first(id7=10))
    others = [opened(sick.stores) for _ in range(SPARE_PLACES - 1)]
    store = opened(sick.stores)
    other.close()
    sick.clock.now += WRITE_REST_SECONDS
    assert store.keep(first(id0=10))
    assert known(store) == {0: 10}
    for one in others:
        one.close()


def test_a_folder_that_cannot_be_made(sick: Sick, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file")
    store = opened(sick.stores)
    assert not store.keep(first(id0=10))
    assert (sick.faults, refusing()) == ({"open": 1}, 1)
    assert not store.tidy(NOW)
    store.close()
    assert refusing() == 0, "not ours to count any more"


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        store.keep(first(id0=10))
        store.close()
        remount(disk.path, "ro")
        again = opened(sick.stores)
        assert again.end is None
        assert not again.keep(first(id1=1500))
        sick.clock.now += WRITE_REST_SECONDS
        assert not again.keep(first(id1=1500))
        assert (sick.faults, refusing()) == ({"open": 2}, 1)
        remount(disk.path, "rw")
        sick.clock.now += WRITE_REST_SECONDS
        assert again.keep(first(id1=1500))
        assert known(again) == {1: 1500}, "what else was there had to be read from the log"
        again.close()


def remount(path: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(path)], check=True)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """What was written before is known; what comes then stays in memory until there is room."""
    ids = np.random.default_rng(5).integers(0, 2**64, (60_000, 2), np.uint64)
    times_ms = np.arange(60_000) // 30

    def piece(number: int) -> Sightings:
        here = slice(10_000 * number, 10_000 * number + 10_000)
        return Sightings(ids[here], times_ms[here], Cut(number, 0), Cut(number + 1, 1))

    def known_of(store: SeenStore, pieces: int) -> list[int]:
        found: list[int] = store.last_seen(ids[: 10_000 * pieces], ALL).tolist()
        return found

    with small_disk(tmp_path / "disk", 16) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        assert store.keep(piece(0))
        disk.fill()
        assert not store.keep(piece(1))
        assert (sick.faults, refusing()) == ({"write": 1}, 1)
        assert not store.keep(piece(1)), "the disk has a rest"
        assert sick.faults == {"write": 1}
        assert known_of(store, 1) == times_ms[:10_000].tolist()
        sick.clock.now += WRITE_REST_SECONDS
        assert not store.keep(piece(1)), "still full"
        assert [path.name for path in disk.path.rglob("*.new")] == [], "no half is left"
        disk.free()
        sick.clock.now += WRITE_REST_SECONDS
        for number in range(1, 6):
            assert store.keep(piece(number))
        assert known_of(store, 6) == times_ms.tolist()
        store.close()
        again = opened(sick.stores)
        assert again.end == Cut(6, 1)
        assert known_of(again, 6) == times_ms.tolist()
        again.close()


def test_a_full_disk_stops_no_merge_for_good(tmp_path: Path) -> None:
    ids = np.random.default_rng(5).integers(0, 2**64, (FAN_IN * 20_000, 2), np.uint64)
    with small_disk(tmp_path / "disk", 8) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        for number in range(FAN_IN):
            here = slice(20_000 * number, 20_000 * (number + 1))
            ends = Cut(number, 0), Cut(number + 1, 1)
            assert store.keep(Sightings(ids[here], np.full(20_000, 7), *ends))
        disk.fill()
        assert not store.tidy(NOW)
        assert sick.faults == {"tidy": 1}
        disk.free()
        assert not store.tidy(NOW), "the disk has a rest"
        sick.clock.now += WRITE_REST_SECONDS
        assert store.tidy(NOW)
        assert (store.last_seen(ids, ALL) == 7).all()
        assert len(list(disk.path.rglob("run_*"))) == 1
        store.close()


def test_a_disk_that_is_full_when_the_store_is_opened(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        store.keep(first(id0=10, id1=1500))
        store.close()
        disk.fill()
        again = opened(sick.stores)
        assert known(again) == {0: 10, 1: 1500}
        again.close()


def unreadable(self: object, at: int, size: int) -> bytes:
    raise OSError(5, "Input/output error")


def lose(sick: Sick, store: SeenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a store find out that it cannot be read."""
    with monkeypatch.context() as patched:
        patched.setattr(store_files.OpenFile, "read", unreadable)
        with pytest.raises(IdsUnreadableError, match="Input/output error"):
            store.last_seen(IDS, ALL)


def test_a_run_that_cannot_be_read_is_deleted(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what joins before it is of use, at once."""
    store = opened(sick.stores)
    store.keep(first(id0=10, id1=1500))
    store.keep(second(id2=1600))
    broken = RunFault(store._place.runs[1].path, "a block of ids is damaged")  # type: ignore[union-attr]

    def damaged(*_: object) -> Any:
        raise broken

    with monkeypatch.context() as patched:
        patched.setattr(Place, "last_seen", damaged)
        with pytest.raises(IdsUnreadableError, match="damaged"):
            store.last_seen(IDS, ALL)
    assert sick.faults == {"read": 1}
    assert (store.lost, store.end) == (True, None)
    with pytest.raises(IdsUnreadableError):
        store.last_seen(IDS, ALL)
    assert not store.keep(second(id2=1600))
    store.close()
    recovered = opened(sick.stores)
    assert (recovered.end, known(recovered)) == (Cut(10, 10), {0: 10, 1: 1500})
    assert recovered.keep(second(id2=1600))
    assert refusing() == 0
    recovered.close()


def test_a_run_that_cannot_be_read_nor_deleted_is_passed_by(
    sick: Sick, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(sick.stores)
    store.keep(first(id0=10))

    def refused(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(store_files, "delete", refused)
        lose(sick, store, monkeypatch)
    store.close()
    another = opened(sick.stores)
    assert known(another) == {}
    assert another.keep(first(id0=10)), "in a place beside it"
    another.close()


def test_damage_is_found_by_a_merge_too(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(sick.stores)
    for number in range(FAN_IN):
        store.keep(sightings(10 * number, 10 * number + 10, id0=number))
    with monkeypatch.context() as patched:
        patched.setattr(store_files.OpenFile, "read", unreadable)
        assert not store.tidy(NOW)
    assert store.lost and sick.faults == {"read": 1}
    store.close()
    assert opened(sick.stores).end is None


@pytest.mark.parametrize("damage", [b"", b"of another kind"])
def test_a_damaged_run_is_deleted_when_the_store_is_opened(sick: Sick, damage: bytes) -> None:
    store = opened(sick.stores)
    store.keep(first(id0=10))
    store.keep(second(id0=20))
    store.close()
    [path] = sick.stores._folder.rglob("run_10_20")
    path.write_bytes(damage)
    again = opened(sick.stores)
    assert (again.end, known(again)) == (Cut(10, 10), {0: 10})
    assert sick.faults == {"open": 1}
    assert again.keep(second(id0=20)), "and written again at once"
    again.close()


def test_a_disk_that_loses_ids_again_and_again_is_left_alone_for_longer(
    sick: Sick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing_after(seconds: float) -> None:
        store = opened(sick.stores)
        assert refusing() == (1 if seconds else 0)
        if seconds:
            assert store.end is None, "it is not asked meanwhile"
            sick.clock.now += seconds - 1
            assert not store.keep(first(id0=10))
            sick.clock.now += 1
        assert store.keep(first(id0=10))
        lose(sick, store, monkeypatch)
        store.close()

    for seconds in (0, 0, 60, 240, 960, READ_REST_SECONDS_MAX, READ_REST_SECONDS_MAX):
        losing_after(seconds)
    sick.clock.now += DAY_SECONDS
    for seconds in (0, 0, 60):
        losing_after(seconds)


def test_a_folder_that_is_gone_is_recreated(sick: Sick, tmp_path: Path) -> None:
    """What was on disk is asked for no more, but read from the log, at once."""
    store = opened(sick.stores)
    store.keep(first(id0=10))
    shutil.rmtree(tmp_path / "state")
    assert known(store) == {0: 10}, "files that are open are there yet"
    assert not store.keep(second(id1=1500))
    assert sick.faults == {"read": 1}
    with pytest.raises(IdsUnreadableError, match="is gone"):
        store.last_seen(IDS, ALL)
    store.close()
    recovered = opened(sick.stores)
    assert recovered.end is None
    assert recovered.keep(first(id0=10, id1=1500))
    assert known(recovered) == {0: 10, 1: 1500}
    assert refusing() == 0
    places = [path.name for path in tmp_path.rglob("partition-*")]
    assert places == ["partition-0"], "what was tried meanwhile was let go"
    recovered.close()


def test_a_folder_that_is_gone_and_cannot_be_made(sick: Sick, tmp_path: Path) -> None:
    store = opened(sick.stores)
    store.keep(first(id0=10))
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").write_bytes(b"a file")
    assert not store.keep(second(id1=1500))
    assert known(store) == {0: 10}, "it goes on with what is open"
    assert (sick.faults, refusing()) == ({"open": 1}, 1)
    (tmp_path / "state").unlink()
    assert not store.keep(second(id1=1500)), "the disk has a rest"
    sick.clock.now += WRITE_REST_SECONDS
    assert not store.keep(second(id1=1500))
    with pytest.raises(IdsUnreadableError):
        store.last_seen(IDS, ALL)
    store.close()


def test_with_no_file_handle_left_ids_stay_in_memory(sick: Sick) -> None:
    store = opened(sick.stores)
    store.keep(first(id0=10))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # No more than are open now: the least that is free is above all others.
    least = os.open("/dev/null", os.O_RDONLY)
    os.close(least)
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
    try:
        assert not store.keep(second(id1=1500))
        assert known(store) == {0: 10}
        other = sick.stores.open(1, NOW, 0)
        assert other.end is None and not other.keep(first(id2=3000))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sick.faults == {"write": 1, "open": 1}
    sick.clock.now += WRITE_REST_SECONDS
    assert store.keep(second(id1=1500))
    assert known(store) == {0: 10, 1: 1500}
    other.close()
    store.close()


def test_a_place_that_cannot_be_had_is_passed_by(sick: Sick, tmp_path: Path) -> None:
    """A file lies where its folder should be, say."""
    folder = tmp_path / "state" / "cluster_topic"
    folder.mkdir(parents=True)
    (folder / "partition-0").write_bytes(b"")
    store = opened(sick.stores)
    assert store.keep(first(id0=10))
    assert known(store) == {0: 10}
    assert (sick.faults, refusing()) == ({}, 0)
    store.close()


def test_a_store_closed_while_it_takes_another_place_lets_it_go(
    sick: Sick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_bytes(b"a file")
    store = opened(sick.stores)
    (tmp_path / "state").unlink()
    sick.clock.now += WRITE_REST_SECONDS
    place = sick.stores.place

    def closed_meanwhile(*args: Any) -> Place | None:
        found = place(*args)
        store.close()
        return found

    monkeypatch.setattr(sick.stores, "place", closed_meanwhile)
    assert not store.keep(first(id0=10))
    monkeypatch.undo()
    opened(sick.stores).close()
    assert [path.name for path in tmp_path.rglob("partition-*")] == ["partition-0"]

"""The ids on disk, on a real RocksDB."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import LONG_AGO, IdsUnreadableError, Settled, Sightings
from services.aggregator.metrics import ID_STORE_FAULTS, ID_STORES_REFUSING
from services.aggregator.storage import seen_place
from services.aggregator.storage.seen_bucket import Bucket
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
from services.aggregator.storage.store_files import StoreFault
from tests.full_disk import small_disk

KEEP_MS = 4000
#: Beyond all checkpoints of these tests, and so early that nothing is past.
NOW = Settled(offset=1000, log_ms=3999, keep_ms=KEEP_MS)
IDS: Words = np.random.default_rng(3).integers(0, 2**64, (8, 2), np.uint64)


@pytest.fixture
def stores(tmp_path: Path) -> SeenStores:
    return SeenStores(tmp_path, "cluster/topic", filter_bytes=64 * 1024, cache_bytes=1 << 20)


def opened(stores: SeenStores, offset: int = NOW.offset) -> SeenStore:
    return stores.open(0, replace(NOW, offset=offset), 1)


def sightings(offset: int = 100, **seen_ms: int) -> Sightings:
    """Sightings below the checkpoint at an offset."""
    times_ms = np.array(list(seen_ms.values()))
    ids = IDS[[int(name[2:]) for name in seen_ms]]
    complete_before_ms = int(times_ms.max()) + 1
    return Sightings(ids, times_ms, complete_before_ms, Cut(), replace(NOW, offset=offset))


def known(store: SeenStore, ids: Words = IDS) -> dict[int, int]:
    """When those of some ids that are there were last seen, by index."""
    times_ms = store.last_seen(ids)
    assert len(times_ms) == len(ids)
    return {index: at for index, at in enumerate(times_ms.tolist()) if at != -1}


def test_finds_what_it_was_given_and_nothing_else(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    assert known(store) == {0: 10, 1: 1500}
    assert known(store, IDS[:0]) == {}


def test_the_newer_sighting_wins_across_buckets(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    store.keep(sightings(id0=3500))
    assert known(store, IDS[:1]) == {0: 3500}


def test_the_newer_sighting_wins_in_whatever_order_buckets_are_opened(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=9500))
    store.keep(sightings(id0=10_500))
    store.close()
    assert known(opened(stores), IDS[:1]) == {0: 10_500}


def test_survives_a_restart(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.close()
    again = opened(stores)
    assert again.complete_before_ms == 1501
    assert known(again) == {0: 10, 1: 1500}


def test_whole_buckets_are_deleted_when_they_are_past(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.forget(past_ms=998)
    assert known(store, IDS[:1]) == {0: 10}
    store.forget(past_ms=999)
    assert known(store) == {1: 1500}
    assert len(list(tmp_path.rglob("bucket-*"))) == 1


def test_a_store_from_beyond_the_checkpoint_is_thrown_away(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.close()
    same = opened(stores, offset=100)
    assert known(same) == {0: 10, 1: 1500}
    same.close()
    again = opened(stores, offset=99)
    assert known(again) == {}
    assert again.complete_before_ms == LONG_AGO


def test_a_store_that_forgot_what_matters_again_is_thrown_away(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.close()
    earlier = stores.open(0, replace(NOW, log_ms=NOW.log_ms - 1), 1)
    assert known(earlier) == {}


def test_a_store_for_another_stretch_of_time_is_thrown_away(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.close()
    longer = stores.open(0, replace(NOW, keep_ms=2 * KEEP_MS), 1)
    assert known(longer) == {}


def test_a_crash_between_ids_and_stamp_misleads_nobody(
    stores: SeenStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(stores)
    put = Bucket.put

    def dies(self: Bucket, ids: Words, times_ms: Ints) -> None:
        put(self, ids, times_ms)
        raise KeyboardInterrupt

    monkeypatch.setattr(Bucket, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        store.keep(sightings(id0=10))
    store.close()
    monkeypatch.undo()
    same = opened(stores, offset=100)
    assert same.complete_before_ms == LONG_AGO, "it does not say that it is complete"
    same.close()
    restored = opened(stores, offset=99)
    assert known(restored) == {}, "and below an older checkpoint it is not used at all"


def test_another_log_starts_again(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    other = SeenStores(tmp_path, "cluster/other", filter_bytes=1024, cache_bytes=1 << 20)
    assert known(opened(other)) == {}


def test_a_store_of_ids_by_another_hash_is_thrown_away(
    stores: SeenStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(seen_place, "HASH", "another")
        store = opened(stores)
        store.keep(sightings(id0=10, id1=1500))
        store.close()
        same = opened(stores)
        assert known(same) == {0: 10, 1: 1500}, "of use to whoever hashes alike"
        same.close()
    again = opened(stores)
    assert known(again) == {}
    assert again.complete_before_ms == LONG_AGO
    assert list(tmp_path.rglob("bucket-*")) == []


def test_many_ids_at_once_keep_their_times(tmp_path: Path) -> None:
    # Filters so small that they say yes to many ids that are not there: the database says no.
    stores = SeenStores(tmp_path, "cluster/topic", filter_bytes=4096, cache_bytes=1 << 20)
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 2**64, (6000, 2), np.uint64)
    times_ms = np.sort(rng.integers(0, KEEP_MS, 3000))
    store = opened(stores)
    store.keep(Sightings(ids[:3000], times_ms, KEEP_MS, Cut(), NOW))
    shuffled = rng.permutation(6000)
    expected = np.append(times_ms, np.full(3000, -1))
    assert store.last_seen(ids[shuffled]).tolist() == expected[shuffled].tolist()
    assert store.last_seen(ids[3000:]).tolist() == [-1] * 3000


def test_two_processes_never_share_a_place(stores: SeenStores) -> None:
    first, second = opened(stores), opened(stores)
    first.keep(sightings(id0=10))
    assert known(second) == {}


def test_a_closed_store_takes_and_says_nothing(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    store.close()
    store.close()
    owner = opened(stores)
    owner.keep(sightings(id1=1500))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ClosedStoreError):
        store.keep(sightings(id2=3000))
    with pytest.raises(ClosedStoreError):
        store.forget(past_ms=10**6)
    with pytest.raises(ClosedStoreError):
        store.last_seen(IDS)
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
        self.stores = SeenStores(
            folder, "cluster/topic", filter_bytes=64 * 1024, cache_bytes=1 << 20, clock=self.clock
        )
        self._before = {what: count(what) for what in ("open", "read", "write", "forget")}

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
    assert (store.empty, store.complete_before_ms) == (True, LONG_AGO)
    assert not store.keep(sightings(id0=10))
    assert (sick.faults, refusing()) == ({"open": 1}, 1)
    others[3].close()
    assert not store.keep(sightings(id0=10)), "the folder has a rest"
    sick.clock.now += WRITE_REST_SECONDS
    assert store.keep(sightings(id0=10))
    assert known(store) == {0: 10}
    assert refusing() == 0


def test_what_lies_in_a_place_taken_later_is_not_used(sick: Sick) -> None:
    """It is of another worker, and of what this one had to read from the log anyway."""
    other = opened(sick.stores)
    other.keep(sightings(id7=10))
    others = [opened(sick.stores) for _ in range(SPARE_PLACES - 1)]
    store = opened(sick.stores)
    other.close()
    sick.clock.now += WRITE_REST_SECONDS
    assert store.keep(sightings(id0=10))
    assert known(store) == {0: 10}
    for one in others:
        one.close()


def test_a_folder_that_cannot_be_made(sick: Sick, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file")
    store = opened(sick.stores)
    assert not store.keep(sightings(id0=10))
    assert (sick.faults, refusing()) == ({"open": 1}, 1)
    store.forget(past_ms=10**9)
    store.close()
    assert refusing() == 0, "not ours to count any more"


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        store.keep(sightings(id0=10))
        store.close()
        remount(disk.path, "ro")
        again = opened(sick.stores)
        assert (again.empty, again.complete_before_ms) == (True, LONG_AGO)
        assert not again.keep(sightings(id1=1500))
        sick.clock.now += WRITE_REST_SECONDS
        assert not again.keep(sightings(id1=1500))
        assert (sick.faults, refusing()) == ({"open": 2}, 1)
        remount(disk.path, "rw")
        sick.clock.now += WRITE_REST_SECONDS
        assert again.keep(sightings(id1=1500))
        assert known(again) == {1: 1500}, "what else was there had to be read from the log"
        again.close()


def remount(path: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(path)], check=True)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """What was moved before is known; what comes then stays in memory until there is room."""
    ids = np.random.default_rng(5).integers(0, 2**64, (6000, 2), np.uint64)
    times_ms = np.arange(6000) // 3

    def piece(number: int) -> Sightings:
        here = slice(1000 * number, 1000 * number + 1000)
        return Sightings(ids[here], times_ms[here], int(times_ms[here][-1]), Cut(), NOW)

    with small_disk(tmp_path / "disk", 16) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        assert store.keep(piece(0))
        disk.fill()
        complete_before_ms = store.complete_before_ms
        taken = 1
        while store.keep(piece(taken)):
            taken += 1
        assert sick.faults == {"write": 1}
        assert refusing() == 1
        assert not store.keep(piece(taken)), "the disk has a rest"
        assert sick.faults == {"write": 1}
        if taken == 1:
            assert store.complete_before_ms == complete_before_ms
        assert store.last_seen(ids[: 1000 * taken]).tolist() == times_ms[: 1000 * taken].tolist()
        sick.clock.now += WRITE_REST_SECONDS
        assert not store.keep(piece(taken)), "still full"
        disk.free()
        sick.clock.now += WRITE_REST_SECONDS
        for number in range(taken, 6):
            assert store.keep(piece(number))
        assert store.last_seen(ids).tolist() == times_ms.tolist()
        store.close()
        again = opened(sick.stores)
        assert again.complete_before_ms == int(times_ms[-1])
        assert again.last_seen(ids).tolist() == times_ms.tolist()
        again.close()


def test_a_disk_that_is_full_when_the_store_is_opened(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        sick = Sick(disk.path / "state")
        store = opened(sick.stores)
        store.keep(sightings(id0=10, id1=1500))
        store.close()
        disk.fill()
        again = opened(sick.stores)
        found = {} if again.empty else known(again)
        said = found, again.complete_before_ms
        assert said in [({0: 10, 1: 1500}, 1501), ({}, LONG_AGO)]
        again.keep(sightings(id2=3000))
        again.close()


def test_ids_that_cannot_be_read_are_thrown_away(
    sick: Sick, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(sick.stores)
    store.keep(sightings(id0=10, id1=1500))

    def broken(self: Bucket, asked: list[bytes]) -> list[bytes | None]:
        raise StoreFault("Corruption: block checksum mismatch")

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "_values", broken)
        with pytest.raises(IdsUnreadableError, match="checksum"):
            store.last_seen(IDS)
    assert (sick.faults, refusing()) == ({"read": 1}, 1)
    with pytest.raises(IdsUnreadableError):
        store.last_seen(IDS)
    assert not store.empty, "it has to be asked, to say so"
    assert not store.keep(sightings(id2=1600))
    store.close()
    recovered = opened(sick.stores)
    assert (recovered.empty, recovered.complete_before_ms) == (True, LONG_AGO)
    assert not recovered.keep(sightings(id0=10)), "this disk has a long rest"
    assert refusing() == 1
    sick.clock.now += READ_REST_SECONDS_MAX
    assert recovered.keep(sightings(id0=10))
    assert known(recovered) == {0: 10}
    recovered.close()


def test_ids_that_cannot_be_read_nor_thrown_away_are_passed_by(
    sick: Sick, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(sick.stores)
    store.keep(sightings(id0=10))

    def broken(self: Bucket, asked: list[bytes]) -> list[bytes | None]:
        raise StoreFault("IO error: While pread: Input/output error")

    def refused(self: Place) -> None:
        self.close()
        raise StoreFault("Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "_values", broken)
        patched.setattr(Place, "discard", refused)
        with pytest.raises(IdsUnreadableError):
            store.last_seen(IDS)
    store.close()
    sick.clock.now += READ_REST_SECONDS_MAX
    assert known(opened(sick.stores)) == {}


@pytest.mark.parametrize("name", ["filter", "stamp", "CURRENT", "000004.log"])
def test_a_damaged_store_is_thrown_away_when_it_is_opened(sick: Sick, name: str) -> None:
    store = opened(sick.stores)
    store.keep(sightings(id0=10))
    store.close()
    for path in Path(str(sick.stores._folder)).rglob("*"):
        if path.name == name or (name.endswith(".log") and path.suffix in (".log", ".sst")):
            path.write_bytes(path.read_bytes()[:-9])
    again = opened(sick.stores)
    assert (again.empty, again.complete_before_ms) == (True, LONG_AGO)
    assert sick.faults == {"open": 1}
    assert again.keep(sightings(id0=10)), "and begun again at once"
    again.close()


def lose(sick: Sick, store: SeenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a store find out that it cannot be read."""

    def broken(self: Bucket, asked: list[bytes]) -> list[bytes | None]:
        raise StoreFault("Corruption: block checksum mismatch")

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "_values", broken)
        with pytest.raises(IdsUnreadableError):
            store.last_seen(IDS)
    store.close()


def test_a_disk_that_loses_ids_again_and_again_is_left_alone_for_longer(
    sick: Sick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing_after(seconds: float) -> None:
        store = opened(sick.stores)
        sick.clock.now += seconds - 1
        assert not store.keep(sightings(id0=10))
        sick.clock.now += 1
        assert store.keep(sightings(id0=10))
        lose(sick, store, monkeypatch)

    first = opened(sick.stores)
    first.keep(sightings(id0=10))
    lose(sick, first, monkeypatch)
    for seconds in (60, 240, 960, READ_REST_SECONDS_MAX, READ_REST_SECONDS_MAX):
        losing_after(seconds)
    sick.clock.now += DAY_SECONDS
    later = opened(sick.stores)
    later.keep(sightings(id0=10))
    lose(sick, later, monkeypatch)
    losing_after(60)


def test_a_folder_that_is_gone_is_recreated(sick: Sick, tmp_path: Path) -> None:
    """What was on disk is asked for no more, but read from the log, at once."""
    store = opened(sick.stores)
    store.keep(sightings(id0=10))
    shutil.rmtree(tmp_path / "state")
    assert known(store) == {0: 10}, "files that are open are there yet"
    assert not store.keep(sightings(id1=1500))
    assert sick.faults == {"read": 1}
    with pytest.raises(IdsUnreadableError, match="is gone"):
        store.last_seen(IDS)
    store.close()
    recovered = opened(sick.stores)
    assert (recovered.empty, recovered.complete_before_ms) == (True, LONG_AGO)
    assert recovered.keep(sightings(id0=10, id1=1500))
    assert known(recovered) == {0: 10, 1: 1500}
    assert refusing() == 0
    recovered.close()


def test_a_folder_that_is_gone_and_cannot_be_made(sick: Sick, tmp_path: Path) -> None:
    store = opened(sick.stores)
    store.keep(sightings(id0=10))
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").write_bytes(b"a file")
    assert not store.keep(sightings(id1=1500))
    assert known(store) == {0: 10}, "it goes on with what is open"
    assert (sick.faults, refusing()) == ({"open": 1}, 1)
    (tmp_path / "state").unlink()
    assert not store.keep(sightings(id1=1500)), "the disk has a rest"
    sick.clock.now += WRITE_REST_SECONDS
    assert not store.keep(sightings(id1=1500))
    with pytest.raises(IdsUnreadableError):
        store.last_seen(IDS)
    store.close()


def test_with_no_file_handle_left_ids_stay_in_memory(sick: Sick) -> None:
    store = opened(sick.stores)
    store.keep(sightings(id0=10))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # No more than are open now: the least that is free is above all others.
    least = os.open("/dev/null", os.O_RDONLY)
    os.close(least)
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
    try:
        assert not store.keep(sightings(id1=1500))
        assert known(store) == {0: 10}
        second = sick.stores.open(1, NOW, 1)
        assert second.empty and not second.keep(sightings(id2=3000))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sick.faults == {"write": 1, "open": 1}
    sick.clock.now += WRITE_REST_SECONDS
    assert store.keep(sightings(id1=1500))
    assert known(store) == {0: 10, 1: 1500}
    second.close()
    store.close()

"""The ids on disk, on a real RocksDB."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.aggregator import seen_store
from services.aggregator.core.byte_spans import Words
from services.aggregator.core.dedup import LONG_AGO, Settled, Sightings
from services.aggregator.core.key_index import Ints
from services.aggregator.seen_store import Bucket, ClosedStoreError, SeenStore, SeenStores

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
    return Sightings(ids, times_ms, int(times_ms.max()) + 1, replace(NOW, offset=offset))


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


def test_another_log_begins_anew(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    other = SeenStores(tmp_path, "cluster/other", filter_bytes=1024, cache_bytes=1 << 20)
    assert known(opened(other)) == {}


def test_a_store_of_ids_by_another_hash_is_thrown_away(
    stores: SeenStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(seen_store, "HASH", "another")
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


def test_a_stamp_without_a_hash_is_as_good_as_none(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    store.close()
    [stamp] = tmp_path.rglob("stamp")
    content = json.loads(stamp.read_bytes())
    del content["hash"]
    stamp.write_text(json.dumps(content))
    assert known(opened(stores)) == {}


def test_many_ids_at_once_keep_their_times(tmp_path: Path) -> None:
    # Filters so small that they say yes to many ids that are not there: the database says no.
    stores = SeenStores(tmp_path, "cluster/topic", filter_bytes=4096, cache_bytes=1 << 20)
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 2**64, (6000, 2), np.uint64)
    times_ms = np.sort(rng.integers(0, KEEP_MS, 3000))
    store = opened(stores)
    store.keep(Sightings(ids[:3000], times_ms, KEEP_MS, NOW))
    shuffled = rng.permutation(6000)
    expected = np.append(times_ms, np.full(3000, -1))
    assert store.last_seen(ids[shuffled]).tolist() == expected[shuffled].tolist()
    assert store.last_seen(ids[3000:]).tolist() == [-1] * 3000


def test_two_processes_never_share_a_place(stores: SeenStores) -> None:
    first, second = opened(stores), opened(stores)
    first.keep(sightings(id0=10))
    assert known(second) == {}


def test_a_broken_stamp_is_as_good_as_none(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    store.close()
    [stamp] = tmp_path.rglob("stamp")
    stamp.write_text("{")
    assert known(opened(stores)) == {}


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

"""The ids on disk, on a real RocksDB."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.aggregator.core.dedup import Sightings
from services.aggregator.seen_store import Bucket, SeenStore, SeenStores

HORIZON_MS = 4000
IDS = [bytes([number]) * 16 for number in range(8)]


@pytest.fixture
def stores(tmp_path: Path) -> SeenStores:
    return SeenStores(tmp_path, "cluster/topic", filter_bytes=64 * 1024, cache_bytes=1 << 20)


def opened(stores: SeenStores, last_append_ms: int = 10**9) -> SeenStore:
    return stores.open(0, last_append_ms, HORIZON_MS, 1)


def sightings(**last_seen_ms: int) -> Sightings:
    seen = {IDS[int(name[2:])]: at for name, at in last_seen_ms.items()}
    return Sightings(seen, complete_before_ms=max(last_seen_ms.values()) + 1)


def test_finds_what_it_was_given_and_nothing_else(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    assert store.last_seen(IDS) == {IDS[0]: 10, IDS[1]: 1500}
    assert store.last_seen([]) == {}


def test_the_newer_sighting_wins_across_buckets(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    store.keep(sightings(id0=3500))
    assert store.last_seen(IDS[:1]) == {IDS[0]: 3500}


def test_survives_a_restart(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.close()
    again = opened(stores)
    assert again.complete_before_ms == 1501
    assert again.last_seen(IDS) == {IDS[0]: 10, IDS[1]: 1500}


def test_whole_buckets_are_deleted_when_they_are_past(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.forget(before_ms=999)
    assert store.last_seen(IDS[:1]) == {IDS[0]: 10}
    store.forget(before_ms=1000)
    assert store.last_seen(IDS) == {IDS[1]: 1500}
    assert len(list(tmp_path.rglob("bucket-*"))) == 1


def test_a_store_from_beyond_the_checkpoint_is_thrown_away(stores: SeenStores) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10, id1=1500))
    store.close()
    again = opened(stores, last_append_ms=1500)
    assert again.last_seen(IDS) == {}
    assert again.complete_before_ms == 0


def test_a_crash_between_ids_and_stamp_misleads_nobody(
    stores: SeenStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(stores)
    put = Bucket.put

    def dies(self: Bucket, ids: dict[bytes, int]) -> None:
        put(self, ids)
        raise KeyboardInterrupt

    monkeypatch.setattr(Bucket, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        store.keep(sightings(id0=10))
    store.close()
    monkeypatch.undo()
    same = opened(stores, last_append_ms=11)
    assert same.complete_before_ms == 0, "it does not say that it is complete"
    same.close()
    restored = opened(stores, last_append_ms=10)
    assert restored.last_seen(IDS) == {}, "and below an older checkpoint it is not used at all"


def test_another_log_begins_anew(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    other = SeenStores(tmp_path, "cluster/other", filter_bytes=1024, cache_bytes=1 << 20)
    assert opened(other).last_seen(IDS) == {}


def test_two_processes_never_share_a_place(stores: SeenStores) -> None:
    first, second = opened(stores), opened(stores)
    first.keep(sightings(id0=10))
    assert second.last_seen(IDS) == {}


def test_a_broken_stamp_is_as_good_as_none(stores: SeenStores, tmp_path: Path) -> None:
    store = opened(stores)
    store.keep(sightings(id0=10))
    store.close()
    [stamp] = tmp_path.rglob("stamp")
    stamp.write_text("{")
    assert opened(stores).last_seen(IDS) == {}

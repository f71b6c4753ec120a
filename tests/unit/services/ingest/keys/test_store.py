"""Keys are created, revoked and rotated, and no change is lost."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.errors import ForbiddenError
from services.ingest.keys.entry import in_utc
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.store import KeyStore, add_key
from services.platform.errors import ConfigurationError

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.yaml", tmp_path / "pepper")


def ring(folder: Path) -> KeyRing:
    return KeyRing.load(folder / "keys.yaml", folder / "pepper")


def test_added_keys_all_work(tmp_path: Path) -> None:
    keys, pepper = tmp_path / "keys.yaml", tmp_path / "pepper"
    texts = [add_key(keys, pepper, tenant, "eu", None) for tenant in ("acme", "globex")]
    known = KeyRing.load(keys, pepper)
    assert [known.verify(f"Bearer {text}", NOW).entry.tenant for text in texts] == [
        "acme",
        "globex",
    ]
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600


def test_a_key_for_no_tenant_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tenant"):
        add_key(tmp_path / "keys.yaml", tmp_path / "pepper", "", "eu", None)
    assert not (tmp_path / "keys.yaml").exists()


def test_a_revoked_key_is_told_so(tmp_path: Path, store: KeyStore) -> None:
    key_id, text = store.create(NOW, "acme", "eu")
    _, other = store.create(NOW, "globex", "us")
    store.revoke(key_id)
    with pytest.raises(ForbiddenError, match="revoked"):
        ring(tmp_path).verify(f"Bearer {text}", NOW)
    assert ring(tmp_path).verify(f"Bearer {other}", NOW).entry.tenant == "globex"


def test_a_rotated_key_works_beside_the_new_one_until_its_grace_is_over(
    tmp_path: Path, store: KeyStore
) -> None:
    key_id, old = store.create(NOW, "acme", "eu", regions=("us",), scopes=("read", "ingest"))
    new_id, new = store.rotate(key_id, NOW, timedelta(hours=2))
    known = ring(tmp_path)
    kept = known.verify(f"Bearer {new}", NOW).entry
    assert new_id == kept.id != key_id
    assert (kept.tenant, kept.regions, kept.scopes) == ("acme", ("us",), ("read", "ingest"))
    before = NOW + timedelta(hours=2, seconds=-1)
    assert known.verify(f"Bearer {old}", before).entry.id == key_id
    with pytest.raises(ForbiddenError, match="expired"):
        known.verify(f"Bearer {old}", NOW + timedelta(hours=2))
    assert known.verify(f"Bearer {new}", NOW + timedelta(days=999)).entry.id == new_id


def test_rotating_never_gives_the_old_key_more_time(store: KeyStore) -> None:
    ends = NOW + timedelta(hours=1)
    key_id, _ = store.create(NOW, "acme", "eu", expires_at=ends)
    store.rotate(key_id, NOW, timedelta(hours=24))
    assert [entry.expires_at and in_utc(entry.expires_at) for entry in store.entries()] == [
        ends,
        None,
    ]


def test_what_no_longer_works_cannot_be_rotated(store: KeyStore) -> None:
    key_id, _ = store.create(NOW, "acme", "eu")
    expired_id, _ = store.create(NOW, "acme", "eu", expires_at=NOW)
    store.revoke(key_id)
    for dead in (key_id, expired_id):
        with pytest.raises(ConfigurationError, match="keys create"):
            store.rotate(dead, NOW, timedelta(hours=1))


def test_an_unknown_id_is_named(store: KeyStore) -> None:
    store.create(NOW, "acme", "eu")
    with pytest.raises(ConfigurationError, match="no key 'zzzz'"):
        store.revoke("zzzz")
    with pytest.raises(ConfigurationError, match="no key 'zzzz'"):
        store.rotate("zzzz", NOW, timedelta(hours=1))


def test_changes_at_one_time_are_all_kept(tmp_path: Path, store: KeyStore) -> None:
    store.create(NOW, "acme", "eu")
    threads = [
        threading.Thread(target=lambda: KeyStore(*files(tmp_path)).create(NOW, "acme", "eu"))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.entries()) == 9


def files(folder: Path) -> tuple[Path, Path]:
    return folder / "keys.yaml", folder / "pepper"

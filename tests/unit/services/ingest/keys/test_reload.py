"""A changed file counts, a broken one changes nothing, and neither needs a restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingest.errors import UnauthorizedError
from services.ingest.keys.reload import KeyReload
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.store import KeyStore
from services.ingest.metrics import IngestMetrics

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


class Watched:
    """A ring and the files it follows."""

    def __init__(self, folder: Path) -> None:
        self.keys_file, self.pepper_file = folder / "keys.yaml", folder / "pepper"
        self.store = KeyStore(self.keys_file, self.pepper_file)
        _, self.first = self.store.create(NOW, "acme", "eu")
        self.ring = KeyRing.load(self.keys_file, self.pepper_file)
        self.metrics = IngestMetrics()
        self.reload = KeyReload(
            *(self.ring, self.keys_file, self.pepper_file, self.metrics), wall_clock=lambda: 42.0
        )
        assert self.reload.look()

    def knows(self, text: str) -> bool:
        try:
            self.ring.verify(f"Bearer {text}", NOW)
        except UnauthorizedError:
            return False
        return True

    def sample(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"wattoken_ingest_{name}")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_new_key_is_known_at_the_next_look(watched: Watched) -> None:
    _, text = watched.store.create(NOW, "globex", "us")
    assert not watched.knows(text)
    assert watched.reload.look()
    assert watched.knows(text)
    assert watched.knows(watched.first)
    assert watched.sample("keys") == 2
    assert watched.sample("keys_loaded_timestamp_seconds") == 42


@pytest.mark.parametrize("broken", ["", "keys: [", "keys: [5]", None])
def test_a_broken_file_keeps_the_keys_and_is_counted_once(
    watched: Watched, broken: str | None
) -> None:
    good = watched.keys_file.read_text()
    if broken is None:
        watched.keys_file.unlink()
    else:
        watched.keys_file.write_text(broken)
    assert not watched.reload.look()
    watched.reload.look()
    assert watched.knows(watched.first)
    assert watched.sample("key_reload_failures_total") == 1
    watched.keys_file.write_text(good)
    assert watched.reload.look()
    assert watched.knows(watched.first)


def test_a_new_pepper_voids_every_key(watched: Watched) -> None:
    watched.pepper_file.write_bytes(b"q" * 40)
    assert watched.reload.look()
    assert not watched.knows(watched.first)


def test_following_takes_a_change_over_by_itself(watched: Watched) -> None:
    async def scenario() -> None:
        following = asyncio.create_task(watched.reload.follow(0.01))
        _, text = watched.store.create(NOW, "globex", "us")
        async with asyncio.timeout(5):
            while not watched.knows(text):
                await asyncio.sleep(0.01)
        following.cancel()

    asyncio.run(scenario())

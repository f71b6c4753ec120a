"""A new pair counts at the next look, what does not fit changes nothing and is said once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from services.ingest.metrics import IngestMetrics
from services.platform.errors import ConfigurationError, UnavailableError
from services.serving.tls import pair as pair_module
from services.serving.tls import reload as reload_module
from services.serving.tls.pair import CheckedPair, Pair, PairFiles, check_pair
from services.serving.tls.reload import PairReload
from tests.certificates import Authority, serial_of, write_pair

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
EXPIRY = "wattoken_ingest_tls_certificate_expiry_timestamp_seconds"
FAILURES = "wattoken_ingest_tls_reload_failures_total"
AUTHORITY = Authority()


@pytest.fixture(autouse=True)
def without_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server itself takes is tested in test_pair.py; its process takes its time."""
    monkeypatch.setattr(pair_module, "_try_it", lambda *_: None)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        # Ours was made before, and keeps what it was made with.
        monkeypatch.setattr(reload_module, "log", structlog.get_logger())
        yield entries


class Watched:
    """Files, and what follows them."""

    def __init__(self, folder: Path, not_after: datetime | None = None) -> None:
        self.folder = folder
        self.files = write_pair(folder, AUTHORITY.pair(not_after=not_after))
        self.metrics = IngestMetrics()
        self.reload = PairReload(self.files, self.metrics, 0.01, wall_clock=NOW.timestamp)

    def sample(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


def test_what_is_served_is_told(tmp_path: Path, logged: list[EventDict]) -> None:
    end = NOW + timedelta(days=90)
    watched = Watched(tmp_path, end)
    assert watched.sample(EXPIRY) == end.timestamp()
    (told,) = logged
    assert (told["log_level"], told["not_after"]) == ("info", "2026-06-13T12:00:00+00:00")
    assert int(told["serial"], 16) == serial_of(watched.reload.current.pair)
    assert "trustme" in told["subject"]


def test_an_expired_one_is_a_warning(tmp_path: Path, logged: list[EventDict]) -> None:
    Watched(tmp_path, NOW - timedelta(days=1))
    assert [entry["log_level"] for entry in logged] == ["info", "warning"]
    assert logged[1]["not_after"] == "2026-03-14T12:00:00+00:00"
    assert "expired" in logged[1]["event"]


def test_without_a_pair_that_fits_there_is_no_start(tmp_path: Path) -> None:
    files = write_pair(tmp_path, AUTHORITY.pair())
    files.key.write_bytes(AUTHORITY.pair().key)
    with pytest.raises(ConfigurationError, match="not the key of the certificate"):
        PairReload(files, IngestMetrics(), 1)


def test_the_same_content_is_nothing_new(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    write_pair(tmp_path, watched.reload.current.pair)
    assert watched.reload.look() is None


def test_a_secret_that_is_mounted_changes_by_a_link(tmp_path: Path) -> None:
    """As Kubernetes does it: files are links into a folder that is itself a link."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        write_pair(tmp_path / version, AUTHORITY.pair())
    data = tmp_path / "..data"
    data.symlink_to("one")
    mount = tmp_path / "mount"
    mount.mkdir()
    for name in ("tls.crt", "tls.key"):
        (mount / name).symlink_to(data / name)
    files = type(write_pair(tmp_path, AUTHORITY.pair()))(mount / "tls.crt", mount / "tls.key")
    reload = PairReload(files, IngestMetrics(), 1)
    assert reload.look() is None
    fresh = tmp_path / "fresh"
    fresh.symlink_to("two")
    fresh.replace(data)
    found = reload.look()
    assert found is not None
    assert found.pair.key == (tmp_path / "two" / "tls.key").read_bytes()


def test_a_pair_that_does_not_fit_is_said_once_and_not_tried_again(
    tmp_path: Path, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(tmp_path)
    logged.clear()
    before, fresh = watched.reload.current, AUTHORITY.pair()
    watched.files.certificate.write_bytes(fresh.certificate)
    # As long as it may be that the key is being written, nothing is said.
    assert watched.reload.look() is None
    assert (logged, watched.sample(FAILURES)) == ([], 0)
    checks = []

    def counted(pair: Pair, files: PairFiles) -> CheckedPair:
        checks.append(pair)
        return check_pair(pair, files)

    monkeypatch.setattr(reload_module, "check_pair", counted)
    for _ in range(5):
        assert watched.reload.look() is None
    assert len(checks) == 1
    assert watched.reload.current is before
    assert watched.sample(FAILURES) == 1
    (warned,) = logged
    assert warned["log_level"] == "warning"
    assert "is not the key" in warned["reason"]
    watched.files.key.write_bytes(fresh.key)
    found = watched.reload.look()
    assert found is not None
    assert found.pair == fresh


def test_files_that_are_gone_are_said_once(tmp_path: Path, logged: list[EventDict]) -> None:
    watched = Watched(tmp_path)
    logged.clear()
    pair = watched.reload.current.pair
    watched.files.key.unlink()
    for _ in range(5):
        assert watched.reload.look() is None
    assert len(logged) == 1
    assert watched.sample(FAILURES) == 1
    write_pair(tmp_path, pair)
    assert watched.reload.look() is None
    watched.files.key.unlink()
    for _ in range(5):
        assert watched.reload.look() is None
    assert watched.sample(FAILURES) == 2


async def until(served: list[Pair], count: int) -> None:
    while len(served) < count:
        await asyncio.sleep(0.01)


def test_it_hands_on_each_new_pair_until_it_is_served(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    watched = Watched(tmp_path)
    fresh, end = [AUTHORITY.pair(), AUTHORITY.pair()], NOW + timedelta(days=3)
    fresh.append(AUTHORITY.pair(not_after=end))
    tried: list[Pair] = []

    async def serve(pair: Pair) -> None:
        tried.append(pair)
        if len(tried) == 1:
            raise UnavailableError("no server")

    async def follow() -> None:
        following = asyncio.create_task(watched.reload.follow(serve))
        for count, pair in enumerate(fresh, 2):
            write_pair(tmp_path, pair)
            await asyncio.wait_for(until(tried, count), 60)
        following.cancel()

    asyncio.run(follow())
    assert tried == [fresh[0], *fresh]
    levels = [entry["log_level"] for entry in logged]
    assert levels == ["info", "error", "info", "info", "info"]
    assert logged[-1]["event"] == "certificate reloaded"
    assert watched.sample(EXPIRY) == end.timestamp()

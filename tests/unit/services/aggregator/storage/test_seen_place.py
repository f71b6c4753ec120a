"""A place of ids whose files are cut off, garbled or gone: it says the truth, or that it cannot."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rocksdict import Cache

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import LONG_AGO, Settled, Sightings, Stamp
from services.aggregator.storage.seen_bucket import Bucket
from services.aggregator.storage.seen_place import Place
from services.aggregator.storage.store_files import (
    PlaceGoneFault,
    PlaceTakenError,
    StoreFault,
    write_sealed,
)
from tests.memory_disk import MEMORY_DISK

BUCKET_MS = 1000
NOW = Settled(offset=1000, log_ms=3999, keep_ms=4000)
MOVES, IDS_PER_MOVE = 6, 500
IDS: Words = np.random.default_rng(3).integers(0, 2**64, (MOVES * IDS_PER_MOVE, 2), np.uint64)
#: Two buckets, the moves one after the other.
TIMES_MS = np.sort(np.random.default_rng(4).integers(0, 2000, len(IDS)))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        yield Path(folder)


def place_at(folder: Path) -> Place:
    return Place(folder, "cluster/topic", BUCKET_MS, Cache(1 << 20), 4096)


def fill(place: Place, moves: range = range(MOVES)) -> None:
    for move in moves:
        here = slice(move * IDS_PER_MOVE, (move + 1) * IDS_PER_MOVE)
        place.keep(Sightings(IDS[here], TIMES_MS[here], int(TIMES_MS[here][-1]), Cut(), NOW))


def image(place: Place, folder: Path) -> Path:
    """What a kill leaves of a place that is open."""
    copy = folder / "image" / place.path.name
    shutil.copytree(place.path, copy)
    return copy


@pytest.fixture(scope="module", params=["killed", "killed later", "closed"])
def whole(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A place with most ids in RocksDB's log, in its tables, or in both."""
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        yield filled(request.param, Path(folder))


def filled(how: str, folder: Path) -> Path:
    place = place_at(folder / "place")
    place.open(None)
    if how == "killed later":
        fill(place, range(MOVES // 2))
        place.close()
        place = place_at(folder / "place")
        place.open(NOW)
        fill(place, range(MOVES // 2, MOVES))
        copy = image(place, folder)
    elif how == "killed":
        fill(place)
        copy = image(place, folder)
    else:
        fill(place)
    place.close()
    return folder / "place" if how == "closed" else copy


def cut_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def cut_off_a_little(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def garble_in_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, min(len(data), len(data) // 2 + 8)):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))


def garble_here_and_there(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 7, len(data), 997):
        data[at] ^= 0x10
    path.write_bytes(bytes(data))


def lose_some_bytes(path: Path) -> None:
    # Of a log or manifest, RocksDB alone would read what is left without end.
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[len(data) // 2 + 9 :])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x5a" * 100)


def remove(path: Path) -> None:
    path.unlink()


def make_a_folder_of_it(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = (
    cut_to_nothing,
    cut_in_half,
    cut_off_a_little,
    garble_in_the_middle,
    garble_here_and_there,
    lose_some_bytes,
    grow,
    remove,
    make_a_folder_of_it,
)


def files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file() and path.name != "lock")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_makes_no_wrong_answer(
    whole: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    kinds, rebuilt = set(), 0
    for path in files(whole):
        copy = tmp_path / "place"
        shutil.copytree(whole, copy)
        damage(copy / path.relative_to(whole))
        kinds.add(path.name.partition("-")[0].lstrip("0123456789"))
        rebuilt += not answers_true(copy)
        shutil.rmtree(copy)
    assert kinds >= {"stamp", "filter", "CURRENT", "MANIFEST"} and kinds & {".log", ".sst"}
    assert rebuilt >= 2, "damage is noticed"


def answers_true(folder: Path) -> bool:
    """Whether a place knows all that it says; False where it says that it does not."""
    place = place_at(folder)
    try:
        place.open(NOW)
        found = place.last_seen(IDS)
    except StoreFault:
        return False
    finally:
        place.close()
    told = place.stamp.complete_before_ms > TIMES_MS
    assert (found[told] == TIMES_MS[told]).all(), "it lacks ids that it says are there"
    assert ((found == TIMES_MS) | (found == -1)).all()
    return bool(told.any())


def test_undamaged_it_knows_all(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "place")
    assert answers_true(tmp_path / "place")


def test_a_bucket_that_is_gone_is_missed(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "place")
    shutil.rmtree(next((tmp_path / "place").glob("bucket-1-*")))
    assert not answers_true(tmp_path / "place")


def test_an_older_bucket_under_a_newer_stamp_is_noticed(tmp_path: Path) -> None:
    """Copied back by hand, or by a file system that lost the newest writes."""
    place = place_at(tmp_path / "place")
    place.open(None)
    fill(place, range(2))
    older = image(place, tmp_path)
    fill(place, range(2, 3))
    place.close()
    for bucket in older.glob("bucket-*"):
        shutil.rmtree(tmp_path / "place" / bucket.name)
        shutil.copytree(bucket, tmp_path / "place" / bucket.name)
    assert not answers_true(tmp_path / "place")


def test_a_filter_of_another_bucket_is_noticed(tmp_path: Path) -> None:
    place = place_at(tmp_path / "place")
    place.open(None)
    fill(place)
    place.close()
    [first, second] = sorted((tmp_path / "place").glob("bucket-*/filter"))
    shutil.copy(second, first)
    assert not answers_true(tmp_path / "place")


def test_a_past_bucket_may_be_gone(tmp_path: Path) -> None:
    """It is deleted without a word in the stamp, so that a full disk cannot keep it."""
    place = place_at(tmp_path / "place")
    place.open(None)
    fill(place)
    place.forget(past_ms=999)
    place.close()
    later = place_at(tmp_path / "place")
    later.open(replace(NOW, log_ms=NOW.keep_ms + 999))
    assert later.stamp.complete_before_ms == int(TIMES_MS[-1])
    assert not later.empty
    later.close()
    earlier = place_at(tmp_path / "place")
    earlier.open(replace(NOW, log_ms=NOW.keep_ms + 998))
    assert earlier.stamp == Stamp(), "but what matters again must be there"
    earlier.close()


def test_a_place_is_one_processs(tmp_path: Path) -> None:
    place = place_at(tmp_path / "place")
    with pytest.raises(PlaceTakenError):
        place_at(tmp_path / "place")
    place.close()
    place_at(tmp_path / "place").close()


def test_a_place_that_does_not_open_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Place, settled: Settled) -> None:
        raise StoreFault("broken")

    with monkeypatch.context() as patched:
        patched.setattr(Place, "_expected", broken)
        with pytest.raises(StoreFault):
            place_at(tmp_path / "place").open(NOW)
    place_at(tmp_path / "place").close()


def test_behind_a_write_that_failed_comes_another_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RocksDB takes no more after that; what it has, it tells."""
    place = place_at(tmp_path / "place")
    place.open(None)
    fill(place, range(1))
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr("services.aggregator.storage.seen_bucket.write_sealed", full)
        with pytest.raises(StoreFault, match="No space left"):
            fill(place, range(1, 2))
    assert place.stamp.complete_before_ms == int(TIMES_MS[IDS_PER_MOVE - 1])
    fill(place, range(1, MOVES))
    assert place.last_seen(IDS).tolist() == TIMES_MS.tolist()
    place.close()
    assert len(list((tmp_path / "place").glob("bucket-0-*"))) == 2
    assert answers_true(tmp_path / "place")


def test_discarded_nobody_uses_it(tmp_path: Path) -> None:
    place = place_at(tmp_path / "place")
    place.open(None)
    fill(place)
    place.discard()
    again = place_at(tmp_path / "place")
    again.open(NOW)
    assert again.empty
    assert again.stamp.complete_before_ms == LONG_AGO
    again.close()


def test_a_bucket_needs_all_its_moves(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path / "bucket-0-0", Cache(1 << 20), 4096)
    for move in range(3):
        bucket.put(IDS[move : move + 1], TIMES_MS[move : move + 1])
    bucket.close()
    Bucket(tmp_path / "bucket-0-0", Cache(1 << 20), 4096, 2).close()
    content = (4).to_bytes(8, "little") + (tmp_path / "bucket-0-0" / "filter").read_bytes()[8:-16]
    write_sealed(tmp_path / "bucket-0-0" / "filter", content)
    with pytest.raises(StoreFault, match="1 of 4 moves are missing"):
        Bucket(tmp_path / "bucket-0-0", Cache(1 << 20), 4096, 4)
    with pytest.raises(StoreFault, match="the filter is of 4 moves, not 5"):
        Bucket(tmp_path / "bucket-0-0", Cache(1 << 20), 4096, 5)


def test_in_a_folder_recreated_nothing_is_touched(tmp_path: Path) -> None:
    """Deleted under us, and another worker has the place by now."""
    ours = place_at(tmp_path / "place")
    ours.open(None)
    fill(ours, range(2))
    shutil.rmtree(tmp_path / "place")
    with pytest.raises(PlaceGoneFault):
        fill(ours, range(2, 3))
    assert not (tmp_path / "place").exists()
    theirs = place_at(tmp_path / "place")
    theirs.open(None)
    fill(theirs)
    before = {path: path.read_bytes() for path in files(tmp_path / "place")}
    with pytest.raises(PlaceGoneFault):
        fill(ours, range(2, 3))
    ours.forget(past_ms=10**6)
    assert ours.empty
    ours.discard()
    assert {path: path.read_bytes() for path in files(tmp_path / "place")} == before
    theirs.close()
    assert answers_true(tmp_path / "place")

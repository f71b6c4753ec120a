"""A place of runs: what is asked, written, merged and past; damage makes a gap at most."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import Sightings
from services.aggregator.core.runs import FAN_IN, Settled
from services.aggregator.metrics import ID_STORE_FAULTS
from services.aggregator.storage import run_merge, seen_place, store_files
from services.aggregator.storage.run_file import RunFault, RunFile, RunWriter
from services.aggregator.storage.seen_place import Place
from services.aggregator.storage.store_files import (
    PlaceGoneFault,
    PlaceTakenError,
    StoreFault,
)
from tests.memory_disk import MEMORY_DISK

LOG = "cluster/topic"
NOW = Settled(offset=1000, log_ms=4000, keep_ms=4000)
IDS: Words = np.random.default_rng(3).integers(0, 2**64, (3000, 2), np.uint64)
ALL = 1 << 60


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        yield Path(folder)


def place_at(folder: Path, settled: Settled | None = NOW, partition: int = 3) -> Place:
    place = Place(folder / "place", LOG, partition)
    place.open(settled, 0)
    return place


def part(number: int, *, size: int = 100, at_ms: int | None = None) -> Sightings:
    """What was seen in a range of ten offsets: a hundred ids, the first half of them again."""
    ids = IDS[size // 2 * number : size // 2 * number + size]
    ends = Cut(10 * number, 100 * number), Cut(10 * number + 10, 100 * number + 100)
    time_ms = 100 * number + 50 if at_ms is None else at_ms
    return Sightings(ids, np.full(len(ids), time_ms), *ends)


def fill(place: Place, count: int) -> None:
    for number in range(count):
        assert place.keep(part(number))


def expected(count: int) -> list[int]:
    """When each of the first ids was last seen, by so many parts."""
    times_ms = [-1] * 3000
    for number in range(count):
        times_ms[50 * number : 50 * number + 100] = [100 * number + 50] * 100
    return times_ms


def names(place: Place) -> list[str]:
    return sorted(path.name for path in place.path.iterdir() if path.name != "lock")


def test_of_what_several_runs_have_the_newest_counts(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 5)
    assert place.last_seen(IDS, ALL).tolist() == expected(5)
    assert place.end == Cut(50, 500)
    assert place.last_seen(IDS[:0], ALL).tolist() == []


def test_only_runs_that_begin_below_an_offset_are_asked(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 5)
    assert place.last_seen(IDS, 30).tolist() == expected(3)
    assert place.last_seen(IDS, 31).tolist() == expected(4)


def test_the_next_process_knows_the_same(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 5)
    place.close()
    place.close()
    again = place_at(tmp_path)
    assert again.last_seen(IDS, ALL).tolist() == expected(5)
    assert again.end == Cut(50, 500)


def test_what_lies_beyond_the_checkpoint_is_deleted(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 5)
    place.close()
    restored = place_at(tmp_path, Settled(offset=39, log_ms=390, keep_ms=4000))
    assert restored.end == Cut(30, 300)
    assert names(restored) == ["run_0_10", "run_10_20", "run_20_30"]


@pytest.mark.parametrize(
    ("log", "partition"), [("cluster/other", 3), (LOG, 4)], ids=["log", "partition"]
)
def test_runs_of_another_log_or_partition_are_none(
    tmp_path: Path, log: str, partition: int
) -> None:
    place = place_at(tmp_path)
    fill(place, 2)
    place.close()
    other = Place(tmp_path / "place", log, partition)
    other.open(NOW, 0)
    assert (other.end, names(other)) == (None, [])


def test_a_run_under_the_name_of_another_is_none(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 2)
    place.close()
    (place.path / "run_10_20").rename(place.path / "run_10_30")
    assert names(place_at(tmp_path)) == ["run_0_10"]


def test_what_other_versions_had_here_is_deleted(tmp_path: Path) -> None:
    bucket = tmp_path / "place" / "bucket-7" / "ids"
    bucket.mkdir(parents=True)
    (bucket / "000004.log").write_bytes(b"ids")
    (tmp_path / "place" / "stamp").write_bytes(b"{}")
    (tmp_path / "place" / "0000000000000001.new").write_bytes(b"half a run")
    assert names(place_at(tmp_path)) == []


def test_merged_runs_say_the_same_and_are_fewer(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, FAN_IN + 1)
    assert place.tidy(NOW)
    assert not place.tidy(NOW)
    assert names(place) == ["run_0_40", "run_40_80", "run_80_90"] or len(names(place)) < FAN_IN
    assert place.last_seen(IDS, ALL).tolist() == expected(FAN_IN + 1)
    place.close()
    again = place_at(tmp_path)
    assert again.last_seen(IDS, ALL).tolist() == expected(FAN_IN + 1)


def test_runs_written_while_others_are_merged_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_at(tmp_path)
    fill(place, FAN_IN)
    merged = run_merge.merged

    def slowly(*args: object) -> object:
        for ids in merged(*args):  # type: ignore[arg-type]
            place.keep(part(FAN_IN))
            yield ids

    monkeypatch.setattr(seen_place, "merged", slowly)
    assert place.tidy(NOW)
    assert place.last_seen(IDS, ALL).tolist() == expected(FAN_IN + 1)


def test_a_place_closed_while_runs_are_merged_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_at(tmp_path)
    fill(place, FAN_IN)
    before = names(place)
    merged = run_merge.merged

    def closed(*args: object) -> object:
        for ids in merged(*args):  # type: ignore[arg-type]
            place.close()
            yield ids

    monkeypatch.setattr(seen_place, "merged", closed)
    assert not place.tidy(NOW)
    assert names(place) == before


def test_whoever_asks_while_the_place_is_closed_is_told_the_truth(tmp_path: Path) -> None:
    """A thread that finds the folder gone closes it under the event loop's look-up."""
    place = place_at(tmp_path)
    fill(place, 5)
    place.close()
    assert place.last_seen(IDS, ALL).tolist() == expected(5)


def test_runs_that_are_past_are_deleted(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 5)
    place.tidy(Settled(1000, 4199, 4000))
    assert names(place)[0] == "run_10_20", "up to 100 it is past, and 199 is not"
    place.tidy(Settled(1000, 9000, 4000))
    assert names(place) == []
    assert place.end == Cut(50, 500), "where the next begins, all the same"
    assert place.last_seen(IDS, ALL).tolist() == expected(0)


def test_a_run_that_was_overtaken_is_not_written(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 2)
    assert not place.keep(part(1))
    assert place.keep(part(7)), "behind a gap it is"
    place.close()
    assert not place.keep(part(8))
    assert names(place) == ["run_0_10", "run_10_20", "run_70_80"]


def test_a_range_in_which_nothing_was_seen_is_a_run_too(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    place.keep(Sightings(IDS[:0], np.zeros(0, np.int64), Cut(0, 5), Cut(9, 90)))
    place.close()
    assert place_at(tmp_path).end == Cut(9, 90)


def cut_to_nothing(content: bytes) -> bytes:
    return b""


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def cut_off_a_little(content: bytes) -> bytes:
    return content[:-7]


def garble_in_the_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    garbled = bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
    return content[:middle] + garbled + content[middle + 8 :]


def garble_here_and_there(content: bytes) -> bytes:
    return bytes(byte ^ 0x10 if at % 97 == 9 else byte for at, byte in enumerate(content))


def lose_some_bytes(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + content[middle + 9 :]


def grow(content: bytes) -> bytes:
    return content + b"\x5a" * 100


DAMAGES = (
    cut_to_nothing,
    cut_in_half,
    cut_off_a_little,
    garble_in_the_middle,
    garble_here_and_there,
    lose_some_bytes,
    grow,
    None,
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("merges", [False, True], ids=["as written", "merged"])
def test_a_damaged_run_is_a_gap_when_the_place_is_opened_or_asked(
    tmp_path: Path, damage: Callable[[bytes], bytes] | None, merges: bool
) -> None:
    place = place_at(tmp_path)
    fill(place, FAN_IN + 2)
    while merges and place.tidy(NOW):
        pass
    place.close()
    faults = ID_STORE_FAULTS.labels("open")._value.get()
    for path in sorted(place.path.glob("run_*")):
        content = path.read_bytes()
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage(content))
        copy = Path(tempfile.mkdtemp(dir=tmp_path))
        shutil.copytree(place.path, copy / "place")
        again = place_at(copy)
        begin = int(path.name.split("_")[1])
        if again.end is not None and again.end.offset > begin:
            with pytest.raises(RunFault):
                again.last_seen(IDS, ALL)
        else:
            assert again.end == (Cut(begin, 10 * begin) if begin else None)
            assert again.last_seen(IDS, ALL).tolist() == expected(begin // 10)
            if damage is not None:
                assert ID_STORE_FAULTS.labels("open")._value.get() > faults
        again.close()
        path.write_bytes(content)


def test_a_file_that_cannot_be_opened_is_not_taken_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many files are open, say: then the place cannot be had, and stays as it is."""
    place = place_at(tmp_path)
    fill(place, 2)
    place.close()

    def refused(self: object, path: Path) -> None:
        self._handle = -1  # type: ignore[attr-defined]
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(store_files.OpenFile, "__init__", refused)
        with pytest.raises(StoreFault, match="Too many"):
            place_at(tmp_path)
    assert place_at(tmp_path).end == Cut(20, 200)


def test_a_place_is_one_processs(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    with pytest.raises(PlaceTakenError):
        place_at(tmp_path)
    place.close()
    place_at(tmp_path).close()


def test_a_place_that_does_not_open_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "of no use").write_bytes(b"")

    def refused(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(store_files, "delete", refused)
        with pytest.raises(StoreFault, match="Read-only"):
            place_at(tmp_path)
    place_at(tmp_path).close()


def test_discarded_a_run_is_read_by_nobody_again(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, 3)
    place.discard(place.path / "run_10_20")
    again = place_at(tmp_path)
    assert again.end == Cut(10, 100)


def test_in_a_folder_recreated_nothing_is_touched(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    fill(place, FAN_IN)
    place.path.rename(tmp_path / "away")
    owner = place_at(tmp_path)
    fill(owner, 1)
    before = names(owner)
    with pytest.raises(PlaceGoneFault):
        place.keep(part(FAN_IN))
    with pytest.raises(PlaceGoneFault):
        place.tidy(NOW)
    place.discard(place.path / "run_0_10")
    assert names(owner) == before
    owner.close()


def test_a_place_closed_while_a_run_is_written_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_at(tmp_path)
    fill(place, 1)
    finish = RunWriter.finish

    def closed_meanwhile(writer: RunWriter) -> RunFile:
        place.close()
        return finish(writer)

    monkeypatch.setattr(RunWriter, "finish", closed_meanwhile)
    assert not place.keep(part(1))
    assert names(place) == ["run_0_10"], "and no half of one is left"


def test_a_merged_run_is_on_disk_before_those_it_was_made_of_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush waits for no disk: what it wrote is on the log, too."""
    place = place_at(tmp_path)
    steps: list[str] = []

    def forced(handle: int) -> None:
        there = {path.stat().st_ino: path.name for path in [place.path, *place.path.iterdir()]}
        steps.append(there[os.fstat(handle).st_ino].rpartition(".")[2])

    delete = store_files.delete

    def deleted(path: Path) -> None:
        steps.append("delete")
        delete(path)

    monkeypatch.setattr(os, "fsync", forced)
    monkeypatch.setattr(store_files, "delete", deleted)
    fill(place, FAN_IN)
    assert steps == []
    assert place.tidy(NOW)
    assert steps == ["new", "place", *["delete"] * (FAN_IN + 1 - len(place.runs))]
    assert len(place.runs) < FAN_IN
    steps.clear()
    place.discard(place.runs[0].path)
    assert steps == ["delete", "place"], "what is damaged does not come back either"

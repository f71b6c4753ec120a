"""Files that are whole or damaged, never half; a folder that one process has; faults by name."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from services.aggregator.storage.run_format import DamagedRunError
from services.aggregator.storage.store_files import (
    NewFile,
    OpenFile,
    PlaceTakenError,
    StoreFault,
    claim,
    delete,
    faults_of,
    is_claimed,
    sync_folder,
)

CONTENT: Final = b"what is to be kept"


@contextmanager
def claimed(folder: Path) -> Iterator[int]:
    handle = claim(folder)
    try:
        yield handle
    finally:
        os.close(handle)


def open_handles() -> list[str]:
    return sorted(os.listdir("/dev/fd"))


def written(path: Path, *parts: bytes) -> NewFile:
    file = NewFile(path)
    file.write(parts)
    file.sync()
    file.close()
    return file


def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    new, path = tmp_path / "new", tmp_path / "run"
    path.write_bytes(b"another")
    file = written(new, CONTENT[:5], b"", CONTENT[5:])
    assert path.read_bytes() == b"another"
    file.name(path)
    assert path.read_bytes() == CONTENT
    assert not new.exists()


def test_what_is_given_up_leaves_no_half_behind(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "new")
    file.write([CONTENT])
    handles = open_handles()
    for _ in range(2):
        file.give_up()
    assert len(open_handles()) == len(handles) - 1
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_written_whole_however_little_goes_in_at_once(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "new")
    whole = file._file

    class Slow:
        def write(self, data: memoryview[int]) -> int:
            return whole.write(data[:3]) or 0

        def close(self) -> None:
            whole.close()

    file._file = Slow()  # type: ignore[assignment]
    file.write([CONTENT])
    file.close()
    assert (tmp_path / "new").read_bytes() == CONTENT


def test_a_file_is_read_in_pieces_also_when_it_was_deleted(tmp_path: Path) -> None:
    written(tmp_path / "run", CONTENT)
    file = OpenFile(tmp_path / "run")
    (tmp_path / "run").unlink()
    assert file.size() == len(CONTENT)
    assert file.read(5, 4) == CONTENT[5:9]
    assert file.read(0, 0) == b""
    with pytest.raises(DamagedRunError, match="ends before"):
        file.read(0, len(CONTENT) + 1)


def test_a_file_is_closed_when_nobody_has_it(tmp_path: Path) -> None:
    written(tmp_path / "run", CONTENT)
    handles = open_handles()
    file = OpenFile(tmp_path / "run")
    assert len(open_handles()) == len(handles) + 1
    del file
    assert open_handles() == handles
    with pytest.raises(FileNotFoundError):
        OpenFile(tmp_path / "none")


def test_whose_folder_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "place"
    with claimed(folder) as handle:
        assert is_claimed(folder, handle)
        folder.rename(tmp_path / "away")
        assert not is_claimed(folder, handle)
        with claimed(folder):
            assert not is_claimed(folder, handle), "another's by now"
    with claimed(tmp_path / "third") as handle:
        (tmp_path / "third" / "lock").unlink()
        (tmp_path / "third").rmdir()
        (tmp_path / "third").write_bytes(b"a file")
        assert not is_claimed(tmp_path / "third", handle)


def test_files_and_folders_are_deleted_and_what_links_lead_to_is_not(tmp_path: Path) -> None:
    folder, kept = tmp_path / "folder", tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(b"")
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"")
    (folder / "link").symlink_to(kept)
    for path in (folder, tmp_path / "none"):
        delete(path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").exists()


def test_a_folder_is_had_by_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "place"
    with claimed(folder):
        handles = open_handles()
        for _ in range(3):
            with pytest.raises(PlaceTakenError, match=str(folder)):
                claim(folder)
        assert open_handles() == handles, "whoever is refused keeps nothing open"
        with claimed(tmp_path / "deep" / "other"):
            pass
    with claimed(folder):
        pass


CLAIM: Final = """
import sys
from pathlib import Path
from services.aggregator.storage.store_files import PlaceTakenError, claim
try:
    claim(Path(sys.argv[1]))
except PlaceTakenError:
    print("taken")
else:
    print("claimed")
"""


def test_another_process_is_kept_out_and_takes_nothing_along_when_it_ends(tmp_path: Path) -> None:
    def claim_elsewhere() -> str:
        command = [sys.executable, "-c", CLAIM, str(tmp_path)]
        root = Path(__file__).parents[5]
        done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    with claimed(tmp_path):
        assert claim_elsewhere() == "taken"
    assert claim_elsewhere() == "claimed"
    # It ended without letting go, as one does that is killed.
    with claimed(tmp_path):
        pass


def test_what_the_file_system_refuses_is_a_fault_that_says_what_was_tried(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreFault, match="^read stamp: .*No such file") as raised,
        faults_of("read stamp"),
    ):
        (tmp_path / "stamp").read_bytes()
    assert isinstance(raised.value.__cause__, FileNotFoundError)


def test_what_is_not_as_it_was_written_is_a_fault_too() -> None:
    with pytest.raises(StoreFault, match="^read run: damaged$"), faults_of("read run"):
        raise DamagedRunError("damaged")


@pytest.mark.parametrize(
    "mistake",
    [ValueError("ours"), AssertionError("ours"), StoreFault("a fault"), KeyboardInterrupt()],
)
def test_our_own_mistakes_are_no_faults_of_the_disk(mistake: BaseException) -> None:
    with pytest.raises(type(mistake)) as raised, faults_of("write ids"):
        raise mistake
    assert raised.value is mistake


def test_a_folder_is_let_go_of_when_its_names_are_on_disk(tmp_path: Path) -> None:
    handles = open_handles()
    sync_folder(tmp_path)
    assert open_handles() == handles
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


def test_a_file_is_read_whole_however_little_comes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "run", CONTENT)
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda handle, size, at: pread(handle, min(size, 3), at))
    file = OpenFile(tmp_path / "run")
    assert file.read(2, 10) == CONTENT[2:12]
    with pytest.raises(DamagedRunError, match="ends before 19 bytes"):
        file.read(2, len(CONTENT) - 1)


def test_what_is_to_outlive_a_loss_of_power_is_forced_onto_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: forced.append(os.fstat(handle).st_ino))
    file = NewFile(tmp_path / "new")
    file.write([CONTENT])
    file.sync()
    file.close()
    sync_folder(tmp_path)
    assert forced == [path.stat().st_ino for path in (tmp_path / "new", tmp_path)]


def test_a_lock_that_cannot_be_had_at_all_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without locks, say: that is no other process."""

    def refused(handle: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refused)
    handles = open_handles()
    with pytest.raises(OSError, match="No locks"):
        claim(tmp_path)
    assert open_handles() == handles


def test_a_finished_file_is_closed(tmp_path: Path) -> None:
    handles = open_handles()
    written(tmp_path / "new", CONTENT)
    assert open_handles() == handles


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_file_that_is_not_there_leaves_nothing_to_be_closed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OpenFile(tmp_path / "none")
    gc.collect()

"""Files that are whole or damaged, never half; a folder that one process has; faults by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from rocksdict import DbClosedError, Rdict

from services.aggregator.storage.store_files import (
    DIGEST_BYTES,
    PlaceTakenError,
    StoreFault,
    claim,
    faults_of,
    read_sealed,
    sync_folder,
    write_sealed,
)

CONTENT: Final = b"what is to be kept"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stamp"


@contextmanager
def claimed(folder: Path) -> Iterator[int]:
    handle = claim(folder)
    try:
        yield handle
    finally:
        os.close(handle)


def open_handles() -> list[str]:
    return sorted(os.listdir("/dev/fd"))


def test_what_was_sealed_is_read(path: Path) -> None:
    write_sealed(path, CONTENT)
    assert read_sealed(path) == CONTENT
    write_sealed(path, CONTENT[:5], memoryview(CONTENT)[5:9], b"", CONTENT[9:])
    assert read_sealed(path) == CONTENT, "also in parts"
    write_sealed(path)
    assert read_sealed(path) == b"", "also nothing at all"


def test_a_file_is_replaced_and_nothing_is_left_beside_it(path: Path) -> None:
    write_sealed(path, CONTENT * 99)
    write_sealed(path, CONTENT)
    assert read_sealed(path) == CONTENT
    assert [one.name for one in path.parent.iterdir()] == ["stamp"]


def test_what_a_write_left_that_was_cut_short_is_in_nobodys_way(path: Path) -> None:
    write_sealed(path, CONTENT)
    path.with_name("stamp.new").write_bytes(b"half of it, and longer than what comes next" * 9)
    assert read_sealed(path) == CONTENT
    write_sealed(path, b"next")
    assert read_sealed(path) == b"next"


def test_each_bit_counts_and_so_does_each_byte_more_or_less(path: Path) -> None:
    write_sealed(path, CONTENT)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0"]
    for at in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[at] ^= 1 << bit
            damaged.append(bytes(changed))
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(StoreFault, match="stamp is damaged"):
            read_sealed(path)


def test_a_file_in_the_place_of_another_is_damaged(tmp_path: Path) -> None:
    """Zeros and copies are what a file system may come back with after a crash."""
    for folder in ("bucket-0", "bucket-1"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "bucket-0" / "filter"
    write_sealed(path, CONTENT)
    for other in (path.with_name("stamp"), tmp_path / "bucket-1" / "filter"):
        other.write_bytes(path.read_bytes())
        with pytest.raises(StoreFault):
            read_sealed(other)
    path.write_bytes(bytes(len(CONTENT) + DIGEST_BYTES))
    with pytest.raises(StoreFault):
        read_sealed(path)


def test_a_place_that_was_moved_whole_is_read_where_it_is(tmp_path: Path) -> None:
    here, there = tmp_path / "here" / "bucket-0", tmp_path / "there" / "bucket-0"
    here.mkdir(parents=True)
    write_sealed(here / "filter", CONTENT)
    here.parent.rename(there.parent)
    assert read_sealed(there / "filter") == CONTENT


def test_a_write_that_fails_leaves_no_half_behind(path: Path) -> None:
    # Nothing can be renamed over a folder.
    path.mkdir()
    handles = open_handles()
    with pytest.raises(IsADirectoryError):
        write_sealed(path, CONTENT)
    assert [one.name for one in path.parent.iterdir()] == ["stamp"]
    assert open_handles() == handles


def test_a_write_that_fails_leaves_what_was_there(path: Path) -> None:
    write_sealed(path, CONTENT)
    # The new file cannot even be begun.
    path.with_name("stamp.new").mkdir()
    with pytest.raises(OSError):
        write_sealed(path, b"next")
    assert read_sealed(path) == CONTENT


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


def test_what_rocksdb_says_is_a_fault_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_text("no manifest\n")
    with (
        pytest.raises(StoreFault, match="^open ids: .*[Cc]orruption") as raised,
        faults_of("open ids"),
    ):
        Rdict(str(tmp_path))
    assert type(raised.value.__cause__) is Exception
    with pytest.raises(StoreFault, match="^write ids: first second third$"), faults_of("write ids"):
        raise Exception("first\n  second\n\tthird\n")


def test_a_database_that_was_closed_is_a_fault_too(tmp_path: Path) -> None:
    database = Rdict(str(tmp_path / "ids"))
    database.close()
    with pytest.raises(StoreFault, match="^write ids: ") as raised, faults_of("write ids"):
        database[b"key"] = b"value"
    assert isinstance(raised.value.__cause__, DbClosedError)


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

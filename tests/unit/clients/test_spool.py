"""The spool: what lies on disk after crashes, who may take it over, and when it is too old."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattoken.client.errors import ConfigurationError, SpoolError
from wattoken.client.segment import HEADER_BYTES
from wattoken.client.spool import IN_DOUBT_MS_MAX, Spool

LINES = [b'{"id":"%d"}' % number for number in range(10)]
NOW_MS = 1_800_000_000_000


def spool(folder: Path, bytes_max: int = 1 << 20, segment_bytes: int = 1 << 16) -> Spool:
    return Spool(folder, bytes_max, segment_bytes)


def peek(of: Spool) -> list[bytes]:
    return of.peek(1_000, 1 << 20)


def crash(of: Spool) -> None:
    """Let go of the files as a process does that ends: nothing is written any more."""
    of.abandon()


def test_lines_come_back_in_order_and_leave_nothing_behind(tmp_path: Path) -> None:
    with_small_segments = spool(tmp_path, segment_bytes=40)
    for line in LINES:
        with_small_segments.append([line])
    assert len(list(tmp_path.iterdir())) > 2
    found: list[bytes] = []
    while lines := with_small_segments.peek(3, 1 << 20):
        found += lines
        with_small_segments.settle(lines)
    assert found == LINES
    with_small_segments.close()
    assert list(tmp_path.iterdir()) == []


def test_it_reads_as_much_as_it_may_and_at_least_one_line(tmp_path: Path) -> None:
    long = spool(tmp_path)
    long.append([b"x" * 5_000, b"y" * 500])
    assert long.peek(10, 100) == [b"x" * 5_000]


@settings(max_examples=40, deadline=None)
@given(torn=st.binary(max_size=80).filter(lambda data: b"\n" not in data))
def test_a_torn_last_line_loses_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, torn: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    first = spool(folder)
    first.append(LINES)
    crash(first)
    (path,) = folder.iterdir()
    with path.open("ab") as file:
        file.write(torn)
    second = spool(folder)
    assert second.adopt_leftovers() == len(LINES)
    assert peek(second) == LINES
    second.append([b"new"])
    second.settle(LINES)
    assert peek(second) == [b"new"]


@settings(max_examples=40, deadline=None)
@given(end=st.integers(0, HEADER_BYTES + 200))
def test_a_file_cut_off_anywhere_loses_only_what_was_cut(
    tmp_path_factory: pytest.TempPathFactory, end: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    first = spool(folder)
    first.append(LINES)
    first.trying(LINES[:4], NOW_MS)
    first.settle(LINES[:4])
    crash(first)
    (path,) = folder.iterdir()
    with path.open("r+b") as file:
        file.truncate(end)
    second = spool(folder)
    lines = second.adopt_leftovers()
    assert peek(second) == LINES[4 : 4 + lines]
    whole_lines = max(0, (end - HEADER_BYTES) // (len(LINES[0]) + 1))
    assert lines == min(6, max(0, whole_lines - 4))


def test_what_is_settled_before_a_crash_does_not_come_back(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(LINES)
    first.settle(LINES[:3])
    crash(first)
    second = spool(tmp_path)
    assert second.adopt_leftovers() == 7
    assert peek(second) == LINES[3:]


def test_files_of_the_living_are_theirs(tmp_path: Path) -> None:
    first, second = spool(tmp_path), spool(tmp_path)
    first.append(LINES)
    assert second.adopt_leftovers() == 0
    first.close()
    assert second.adopt_leftovers() == len(LINES)


def test_a_full_spool_takes_nothing_and_keeps_what_it_has(tmp_path: Path) -> None:
    small = spool(tmp_path, bytes_max=200)
    small.append(LINES[:5])
    with pytest.raises(SpoolError):
        small.append([b"x" * 200])
    assert peek(small) == LINES[:5]
    small.settle(LINES[:5])
    small.append(LINES[:5])


def test_a_disk_that_takes_half_of_a_batch_has_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = spool(tmp_path)
    first.append(LINES[:2])
    real = os.pwrite

    def full_after_ten_bytes(descriptor: int, data: bytes, at: int) -> int:
        if len(data) <= 10:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:10], at)

    monkeypatch.setattr(os, "pwrite", full_after_ten_bytes)
    with pytest.raises(SpoolError, match="No space left"):
        first.append(LINES[2:])
    monkeypatch.undo()
    crash(first)
    second = spool(tmp_path)
    assert second.adopt_leftovers() == 2
    assert peek(second) == LINES[:2]


def test_what_may_have_arrived_a_day_ago_is_dropped_and_the_rest_is_not(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(LINES)
    first.trying(LINES[:4], NOW_MS)
    crash(first)
    second = spool(tmp_path)
    assert second.adopt_leftovers() == 10
    assert second.drop_in_doubt(NOW_MS + IN_DOUBT_MS_MAX) == 0
    assert second.drop_in_doubt(NOW_MS + IN_DOUBT_MS_MAX + 1) == 4
    assert peek(second) == LINES[4:]
    assert second.drop_in_doubt(NOW_MS * 2) == 0


def test_the_first_attempt_in_doubt_counts_not_the_last(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(LINES)
    first.trying(LINES, NOW_MS)
    first.trying(LINES, NOW_MS + IN_DOUBT_MS_MAX)
    assert first.drop_in_doubt(NOW_MS + IN_DOUBT_MS_MAX + 1) == 10
    assert peek(first) == []


def test_what_certainly_did_not_arrive_never_gets_too_old(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(LINES)
    first.trying(LINES, NOW_MS)
    first.not_tried()
    assert first.drop_in_doubt(NOW_MS * 2) == 0
    # An attempt in doubt is not forgotten over a later one that certainly failed.
    first.trying(LINES[:2], NOW_MS)
    first.trying(LINES[:2], NOW_MS + 1)
    first.not_tried()
    assert first.drop_in_doubt(NOW_MS * 2) == 2


def test_a_header_that_is_gone_puts_all_in_doubt(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(LINES)
    crash(first)
    (path,) = tmp_path.iterdir()
    with path.open("r+b") as file:
        file.write(b"\0" * HEADER_BYTES)
        file.seek(0, os.SEEK_END)
        file.write(b"torn")
    written_ms = path.stat().st_mtime_ns // 1_000_000
    second = spool(tmp_path)
    assert second.adopt_leftovers() == 10
    assert second.drop_in_doubt(written_ms + IN_DOUBT_MS_MAX) == 0
    assert second.drop_in_doubt(written_ms + IN_DOUBT_MS_MAX + 1) == 10


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool(folder).append(LINES)
    (path,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file"):
        spool(tmp_path / "file" / "below")

"""Runs in files against a dict: what was put in is found, and nothing else; damage is noticed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.id_filter import masks_of
from services.aggregator.arrays.sorted_ids import in_order
from services.aggregator.core.runs import Stretch
from services.aggregator.storage import run_file
from services.aggregator.storage.run_file import RunFault, RunFile, RunWriter, name_of
from services.aggregator.storage.run_format import (
    BLOCK_IDS,
    LAYOUT,
    LENGTH_BYTES,
    TAIL_BYTES,
    Described,
    time_bytes_for,
)
from services.aggregator.storage.run_merge import merged, merged_stretch

MOST = 2**64 - 1
#: Many with one first half, so that blocks begin within a group; and the ends of all hashes.
HIGH = st.sampled_from([0, 1, 2, 2, 2, 7, MOST]) | st.integers(0, MOST)
LOW = st.sampled_from([0, 1, MOST]) | st.integers(0, MOST)
TIMES_MS = st.integers(1_750_000_000_000, 1_750_000_100_000)
Sighted = dict[tuple[int, int], int]
SIGHTED = st.dictionaries(st.tuples(HIGH, LOW), TIMES_MS, max_size=3 * BLOCK_IDS)


def ids_of(sighted: Sighted) -> Words:
    return np.array(list(sighted), np.uint64).reshape(-1, 2)


def described(sighted: Sighted, begin: int = 0, end: int = 10) -> Described:
    times_ms = list(sighted.values()) or [0]
    first_ms, last_ms = min(times_ms), max(times_ms)
    stretch = Stretch(Cut(begin, 1), Cut(end, last_ms), first_ms, last_ms, len(sighted))
    time_bytes = time_bytes_for(first_ms, last_ms)
    return Described("cluster/log", 3, stretch, 99 + begin, len(sighted), time_bytes, True)


def written(folder: Path, sighted: Sighted, begin: int = 0, end: int = 10) -> RunFile:
    writer = RunWriter(folder / f"{begin}.new", described(sighted, begin, end))
    writer.add(in_order(ids_of(sighted), np.array(list(sighted.values()), np.int64)))
    run = writer.finish()
    writer.name(run, folder / name_of(run.stretch))
    return run


def asked(run: RunFile, sighted: Sighted) -> dict[int, int]:
    """By index, when each of these ids was last seen, as the run says."""
    ids = ids_of(sighted)
    found, times_ms = run.last_seen(ids[:, 0].copy(), ids[:, 1].copy(), masks_of(ids[:, 1]))
    assert len(set(found.tolist())) == len(found)
    return dict(zip(found.tolist(), times_ms.tolist(), strict=True))


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@given(sighted=SIGHTED, others=SIGHTED)
def test_a_run_says_of_each_id_whether_and_when(
    tmp_path_factory: pytest.TempPathFactory, sighted: Sighted, others: Sighted
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    fresh = written(folder, sighted)
    for run in (fresh, RunFile.open(fresh.path)):
        known = asked(run, sighted)
        assert [known[index] for index in range(len(sighted))] == list(sighted.values())
        answers = asked(run, others)
        for index, key in enumerate(others):
            assert answers.get(index) == sighted.get(key)


@given(parts=st.lists(SIGHTED, min_size=1, max_size=5), at_once=st.sampled_from([1, 50, 1 << 18]))
def test_merged_runs_say_what_the_last_of_them_said(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Sighted], at_once: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    runs = [written(folder, part, 10 * n, 10 * n + 10) for n, part in enumerate(parts)]
    expected: Sighted = {}
    for part in parts:
        expected |= part
    stretch = merged_stretch(runs)
    assert (stretch.begin.offset, stretch.end.offset) == (0, 10 * len(parts))
    whole = Described(
        "cluster/log",
        3,
        stretch,
        5,
        stretch.count,
        time_bytes_for(stretch.first_ms, stretch.last_ms),
        True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.aggregator.storage.run_merge.IDS_AT_ONCE", at_once)
        writer = RunWriter(folder / "merged.new", whole)
        for ids in merged(runs, lambda: False):
            writer.add(ids)
    run = RunFile.open(writer.finish().path)
    assert run.stretch.count == len(expected)
    assert asked(run, expected) == dict(enumerate(expected.values()))
    found = [ids for _, ids in run.parts(at_once=2)]
    assert sum(map(len, found)) == len(expected)


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_the_parts_of_a_run_are_all_of_it_in_order(folder: Path, at_once: int) -> None:
    run = written(folder, many(3 * BLOCK_IDS + 1))
    parts = list(run.parts(at_once))
    assert [last for last, _ in parts] == [*range(at_once, 4, at_once), 4]
    found = np.concatenate([ids.high for _, ids in parts])
    assert found.tolist() == run.read(0, 4).high.tolist() == sorted(found.tolist())
    assert len(found) == 3 * BLOCK_IDS + 1


def test_a_run_of_another_length_than_it_says_is_damaged(folder: Path) -> None:
    """Though all that it says of itself is sealed, and whole."""
    run = written(folder, many(10))
    whole = run.path.read_bytes()
    run.path.write_bytes(b"x" + whole)
    with pytest.raises(RunFault, match="it has not as many bytes as it should"):
        RunFile.open(run.path)


def test_a_merge_that_is_given_up_ends(folder: Path) -> None:
    runs = [written(folder, many(200))]
    assert list(merged(runs, lambda: True)) == []


def many(count: int, seed: int = 1) -> Sighted:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 2**64, (count, 2), np.uint64).tolist()
    return {(high, low): 1_750_000_000_000 + n for n, (high, low) in enumerate(ids)}


def test_many_ids_are_looked_through_in_pieces(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_file, "PROBES_MAX", 100)
    monkeypatch.setattr(run_file, "BLOCKS_AT_ONCE", 3)
    sighted = many(5000)
    run = written(folder, sighted)
    assert asked(run, sighted) == dict(enumerate(sighted.values()))
    assert asked(run, many(5000, seed=2)) == {}


def test_an_id_that_a_block_begins_with_beside_one_before_all_blocks(folder: Path) -> None:
    """One may be in two blocks and one in none: as many as there are ids."""
    sighted = {(high, 0): 1_750_000_000_000 for high in range(5, 2 * BLOCK_IDS + 5)}
    run = written(folder, sighted)
    # All look as if they may be there.
    run._filter.words[:] = MOST
    asked_for = dict.fromkeys([(BLOCK_IDS + 5, 0), (1, 0), (BLOCK_IDS + 4, 0)], 0)
    assert asked(run, asked_for) == {0: 1_750_000_000_000, 2: 1_750_000_000_000}


def test_at_most_23_bytes_an_id(folder: Path) -> None:
    run = written(folder, many(100_000))
    assert run.path.stat().st_size <= 23 * 100_000


def test_times_that_lie_years_apart(folder: Path) -> None:
    sighted = {(1, 1): 5, (2, 2): 5 + (1 << 32), (3, 3): 1 << 45}
    assert asked(written(folder, sighted), sighted) == dict(enumerate(sighted.values()))


@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_run_cut_anywhere_is_not_taken_for_a_whole_one(folder: Path, count: int) -> None:
    path = written(folder, many(count)).path
    content = path.read_bytes()
    for size in {*range(0, len(content), 97), len(content) - 1}:
        path.write_bytes(content[:size])
        with pytest.raises(RunFault):
            RunFile.open(path)


def test_damage_anywhere_is_noticed_before_it_is_believed(folder: Path) -> None:
    sighted = many(300)
    path = written(folder, sighted).path
    content = path.read_bytes()
    index_at = RunFile.open(path).described.index_at
    for at in range(0, len(content), 41):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        with pytest.raises(RunFault):
            run = RunFile.open(path)
            assert at < index_at, "what is kept in memory is looked at when the run is opened"
            asked(run, sighted)


def test_what_may_not_have_been_on_disk_is_looked_at_as_a_whole(folder: Path) -> None:
    sighted = many(300)
    writer = RunWriter(folder / "new", replace(described(sighted), synced=False))
    writer.add(in_order(ids_of(sighted), np.array(list(sighted.values()))))
    path = writer.finish().path
    RunFile.open(path)
    with path.open("r+b") as file:
        file.seek(2000)
        file.write(bytes(100))
    with pytest.raises(RunFault, match="damaged"):
        RunFile.open(path)


def test_a_block_of_another_place_is_none(folder: Path) -> None:
    """Whole by itself, as where a disk mixes up where things lie."""
    sighted = many(300)
    path = written(folder, sighted).path
    size = RunFile.open(path).described.block_bytes
    with path.open("r+b") as file:
        first, second = file.read(size), file.read(size)
        file.seek(0)
        file.write(second + first)
    with pytest.raises(RunFault):
        asked(RunFile.open(path), sighted)


def test_a_deleted_run_can_be_read_by_whoever_has_it_open(folder: Path) -> None:
    sighted = many(300)
    run = written(folder, sighted)
    run.path.unlink()
    assert asked(run, sighted) == dict(enumerate(sighted.values()))
    with pytest.raises(OSError, match="No such file"):
        os.stat(run.path)


def test_one_of_another_version_is_of_no_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(folder, many(3)).path
    monkeypatch.setattr("services.aggregator.storage.run_format.LAYOUT", 2)
    with pytest.raises(RunFault, match="another version"):
        RunFile.open(path)


def test_an_unfinished_run_leaves_nothing(folder: Path) -> None:
    writer = RunWriter(folder / "new", described(many(300)))
    writer.add(in_order(ids_of(many(300)), np.arange(300) + 1_750_000_000_000))
    writer.give_up()
    writer.give_up()
    assert list(folder.iterdir()) == []


def test_a_run_that_says_that_more_lies_in_it_than_does_has_no_end(folder: Path) -> None:
    path = written(folder, many(3)).path
    content = path.read_bytes()
    tail = TAIL_BYTES - LENGTH_BYTES
    for length in (len(content), len(content) - TAIL_BYTES + 1):
        path.write_bytes(content[:-TAIL_BYTES] + length.to_bytes(4, "little") + content[-tail:])
        with pytest.raises(RunFault, match="it has no end"):
            RunFile.open(path)
    path.write_bytes(content[-TAIL_BYTES + 1 :])
    with pytest.raises(RunFault, match="it has no end"):
        RunFile.open(path)


def test_how_a_run_lies_on_disk_changes_with_the_layout_only(folder: Path) -> None:
    """The next version reads what this one wrote: whoever changes a byte of it raises `LAYOUT`.

    Filter and masks belong to it: asked by other masks, a filter says "surely not" of ids that are
    there, and they count again.
    """
    sighted = {
        (n * 0x9E3779B97F4A7C15 % 2**64, n * 0xC2B2AE3D27D4EB4F % 2**64): 1_750_000_000_000 + n
        for n in range(1, 3 * BLOCK_IDS + 7)
    }
    path = written(folder, sighted).path
    found = LAYOUT, xxh3_128(path.read_bytes()).hexdigest()
    assert found == (1, "87533ffea9e35d155db596d9476c80e7")


def test_times_take_four_bytes_as_long_as_those_hold_them() -> None:
    for first_ms in (0, 5, 1_750_000_000_000):
        assert time_bytes_for(first_ms, first_ms + 2**32 - 1) == 4
        assert time_bytes_for(first_ms, first_ms + 2**32) == 8


@pytest.mark.parametrize("size", [1, 999, 1_288, 5_000, 1 << 20])
def test_pieces_are_the_file(tmp_path: Path, size: int) -> None:
    run = written(tmp_path, {(number << 50, number): 5 for number in range(3 * BLOCK_IDS + 2)})
    assert b"".join(run.pieces(size)) == run.path.read_bytes()
    assert run.file_bytes == run.path.stat().st_size


@pytest.mark.parametrize("at", [20, 1_500, -60], ids=["first block", "second block", "index"])
def test_no_piece_is_handed_out_that_is_damaged(tmp_path: Path, at: int) -> None:
    run = written(tmp_path, {(number << 50, number): 5 for number in range(3 * BLOCK_IDS)})
    content = bytearray(run.path.read_bytes())
    content[at] ^= 1
    run.path.write_bytes(content)
    handed: list[bytes] = []
    with pytest.raises(RunFault):
        handed.extend(run.pieces(100))
    block_bytes = run.described.block_bytes
    assert len(b"".join(handed)) <= max(0, at // block_bytes * block_bytes)

"""A run of ids in its file: written once, then asked and merged, never changed.

In memory are its filter and its fence, two bytes and a bit for each id. What is read besides are
single blocks, which the system keeps in its own memory as long as it likes; each is checked as it
is read. Every call may raise `StoreFault`; what is wrong with the file itself is a `RunFault`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

import numpy as np

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.id_filter import IdFilter
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.sorted_ids import NONE, SortedIds, together
from services.aggregator.core.runs import Stretch
from services.aggregator.storage import store_files
from services.aggregator.storage.run_format import (
    BLOCK_IDS,
    DIGEST_BYTES,
    LENGTH_BYTES,
    TAIL_BYTES,
    Blocks,
    DamagedRunError,
    Described,
    block_type,
    check,
    described_by,
    footer,
    index_of,
    packed,
    unpacked,
)
from services.aggregator.storage.store_files import StoreFault, faults_of

#: Blocks looked through at once.
PROBES_MAX: Final = 4096
#: Blocks read, or written, at once.
BLOCKS_AT_ONCE: Final = 1024
PREFIX: Final = "run"


class RunFault(StoreFault):
    """A run cannot be read, or is not what was written."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path = path


class RunFile:
    """A run that is open for reading, as long as somebody has it."""

    __slots__ = ("_fence", "_file", "_filter", "described", "path")

    def __init__(
        self,
        path: Path,
        file: store_files.OpenFile,
        described: Described,
        words: Words,
        fence: Words,
    ) -> None:
        self.path = path
        self.described = described
        self._file = file
        self._filter = IdFilter(words)
        self._fence = fence

    @classmethod
    def open(cls, path: Path) -> RunFile:
        """Open a run whose name is its range, and look whether what matters of it is whole.

        Blocks are looked at when they are asked for; all at once where they may not have been on
        disk when the machine lost its power.
        """
        with faults_of(f"open {path}"):
            file = store_files.OpenFile(path)
        try:
            run = cls(path, file, *read_index(file))
        except (OSError, DamagedRunError) as error:
            raise RunFault(path, f"open {path}: {error}") from error
        if not run.described.synced:
            for _ in run.parts():
                pass
        return run

    @property
    def stretch(self) -> Stretch:
        """What the run is of."""
        return self.described.stretch

    def last_seen(self, high: Words, low: Words, masks: Words) -> tuple[Ints, Ints]:
        """Which of some ids are here, as indexes, and when each was last seen.

        ``masks`` are the ids' bits in filters.
        """
        asked = self._filter.maybe_contains(high, masks)
        first = np.maximum(np.searchsorted(self._fence, high[asked], "left") - 1, 0)
        # Where several blocks begin with an id's first half, it may be in each, and before them.
        counts = np.searchsorted(self._fence, high[asked], "right") - first
        numbers = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        asked = np.repeat(asked, counts)
        order = np.argsort(numbers)
        asked, numbers = asked[order], numbers[order]
        found = [
            self._found(high, low, asked[at : at + PROBES_MAX], numbers[at : at + PROBES_MAX])
            for at in range(0, len(asked), PROBES_MAX)
        ]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        indexes, times_ms = zip(*found, strict=True)
        return np.concatenate(indexes), np.concatenate(times_ms)

    def _found(self, high: Words, low: Words, asked: Ints, numbers: Ints) -> tuple[Ints, Ints]:
        """Look for ids in the block that each may be in; numbers of blocks ascend."""
        begins = np.append(True, numbers[1:] != numbers[:-1])
        blocks = self._read_each(numbers[begins].tolist())
        rows = np.cumsum(begins) - 1
        alike = (blocks["high"][rows] == high[asked, None]) & (
            blocks["low"][rows] == low[asked, None]
        )
        at, columns = np.nonzero(alike)
        # The last block is filled up with what are no ids.
        there = numbers[at] * BLOCK_IDS + columns < self.stretch.count
        at, columns = at[there], columns[there]
        times_ms = blocks["time"][rows[at], columns].astype(np.int64) + self.stretch.first_ms
        return asked[at], times_ms

    def _read_each(self, numbers: list[int]) -> Blocks:
        size = self.described.block_bytes
        return self._checked(numbers, [(number * size, size) for number in numbers])

    def parts(self, at_once: int = BLOCKS_AT_ONCE) -> Iterator[tuple[int, SortedIds]]:
        """All ids in their order, some blocks at a time, with the number of the next block."""
        for first in range(0, self.described.blocks, at_once):
            last = min(first + at_once, self.described.blocks)
            yield last, self.read(first, last)

    def read(self, first: int, last: int) -> SortedIds:
        """The ids of the blocks from one to below another."""
        if first >= last:
            return NONE
        size = self.described.block_bytes
        blocks = self._checked(range(first, last), [(first * size, (last - first) * size)])
        return unpacked(blocks, self.described, first)

    def _checked(self, numbers: list[int] | range, places: list[tuple[int, int]]) -> Blocks:
        with self._reading():
            data = b"".join([self._file.read(at, size) for at, size in places])
            blocks = np.frombuffer(data, block_type(self.described.time_bytes))
            check(blocks, numbers, self.described.token)
        return blocks

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Map what a file raises that cannot be read, or is not as written, to `RunFault`."""
        try:
            yield
        except (OSError, DamagedRunError) as error:
            raise RunFault(self.path, f"read {self.path}: {error}") from error

    @property
    def file_bytes(self) -> int:
        """The size of the file. Raises `RunFault`."""
        with self._reading():
            return self._file.size()

    def pieces(self, size: int) -> Iterator[bytes]:
        """The file as it is, in pieces of so many bytes, looked at before they are handed out."""
        block_bytes, blocks = self.described.block_bytes, self.described.blocks
        with self._reading():
            read_index(self._file)
        at, end, checked = 0, self.file_bytes, 0
        while at < end:
            # A block that lies in two pieces is looked at with the first of them.
            upto = min(blocks, -(-(at + size) // block_bytes))
            places = [(checked * block_bytes, (upto - checked) * block_bytes)]
            if upto > checked:
                self._checked(range(checked, upto), places)
                checked = upto
            with self._reading():
                piece = self._file.read(at, min(size, end - at))
            yield piece
            at += size

    def first_block_from(self, high: int) -> int:
        """The first block that begins with a first half that is not below this."""
        return int(np.searchsorted(self._fence, np.uint64(high)))


def read_index(file: store_files.OpenFile) -> tuple[Described, Words, Words]:
    """What a run says of itself, its filter and its fence.

    Raises OSError and `DamagedRunError`.
    """
    size = file.size()
    if size < TAIL_BYTES:
        raise DamagedRunError("it has no end")
    tail = file.read(size - TAIL_BYTES, TAIL_BYTES)
    length = int.from_bytes(tail[:LENGTH_BYTES], "little")
    text_at = size - TAIL_BYTES - length
    if text_at < 0:
        raise DamagedRunError("it has no end")
    text = file.read(text_at, length)
    described = described_by(text)
    if described.index_at + described.index_bytes != text_at:
        raise DamagedRunError("it has not as many bytes as it should")
    index = file.read(described.index_at, described.index_bytes)
    return described, *index_of(described, index, text, tail[-DIGEST_BYTES:])


class RunWriter:
    """Writes a run, ids in the order of their hashes; it has no name before `name`.

    As a context manager it deletes what was written where that was given no name.
    """

    def __init__(self, path: Path, described: Described) -> None:
        """Begin a file; ``described`` says all but how many ids there will be."""
        self._path = path
        self._described = described
        self._filter = IdFilter.of_ids(described.room)
        self._fences: list[Words] = []
        self._left = NONE
        self._count = 0
        self._named = False
        with faults_of(f"write {path}"):
            self._file = store_files.NewFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._named:
            self.give_up()

    def add(self, ids: SortedIds) -> None:
        """Write the next ids."""
        self._filter.add(ids.high, ids.low)
        whole = together([self._left, ids])
        most = BLOCK_IDS * BLOCKS_AT_ONCE
        at = 0
        while len(whole) - at >= BLOCK_IDS:
            count = min(most, (len(whole) - at) // BLOCK_IDS * BLOCK_IDS)
            self._write(whole.only(slice(at, at + count)))
            at += count
        self._left = whole.only(slice(at, None))

    def _write(self, ids: SortedIds) -> None:
        blocks = packed(ids, self._described, self._count // BLOCK_IDS)
        self._fences.append(ids.high[::BLOCK_IDS].copy())
        self._count += len(ids)
        with faults_of(f"write {self._path}"):
            self._file.write([blocks.view(np.uint8).data])

    def finish(self) -> RunFile:
        """Write what a run ends with, have it on disk where it is said to be, and open it."""
        if len(self._left):
            self._write(self._left)
        described = replace(
            self._described, stretch=replace(self._described.stretch, count=self._count)
        )
        fence = np.concatenate(self._fences) if self._fences else np.zeros(0, np.uint64)
        with faults_of(f"write {self._path}"):
            self._file.write(footer(described, self._filter.words, fence))
            if described.synced:
                self._file.sync()
            self._file.close()
            file = store_files.OpenFile(self._path)
        return RunFile(self._path, file, described, self._filter.words, fence)

    def name(self, run: RunFile, path: Path) -> None:
        """Give the finished file its name."""
        with faults_of(f"name {path}"):
            self._file.name(path)
        self._named = True
        run.path = path

    def give_up(self) -> None:
        """Delete what was written."""
        self._file.give_up()


def name_of(stretch: Stretch) -> str:
    """The name of the file of a run."""
    return f"{PREFIX}_{stretch.begin.offset}_{stretch.end.offset}"

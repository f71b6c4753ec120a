"""The ids of one stretch of log time, on disk: RocksDB, and a filter in memory before it.

Most ids asked for are new, and RocksDB takes microseconds to say so; the filter says it for 97 of
100 in nanoseconds.

RocksDB notices what is garbled, but not all that is missing: of a manifest or log cut off at its
end it makes an older database. So each move of ids leaves a mark in the database, in one write with
its ids, and whoever opens a bucket says how many moves there must be. Other damage it reads for
ever, so logs and manifests are looked through first (`store_logs`).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final, cast

import numpy as np
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.id_filter import IdFilter
from services.aggregator.arrays.key_index import Ints
from services.aggregator.storage.store_files import StoreFault, faults_of, read_sealed, write_sealed
from services.aggregator.storage.store_logs import look_through

TIME: Final = np.dtype("<u8")
ID_BYTES: Final = 16
#: A mark's key: shorter than an id, so it is none.
MARK_BYTES: Final = 8
WORD_BYTES: Final = 8
#: RocksDB's folder.
DATABASE: Final = "ids"
DEFAULT_COLUMN_FAMILY: Final = "default"


class Bucket:
    """The ids of one stretch of time. Every call but `close` may raise `StoreFault`."""

    def __init__(self, path: Path, cache: Cache, filter_bytes: int, moves: int = 0) -> None:
        """Open a bucket that was written ``moves`` times at least; make it where that is 0."""
        self.path = path
        #: Set when a write failed: RocksDB then takes no more, but can still be read.
        self.frozen = False
        with faults_of(f"open {path}"):
            if moves:
                self.moves, words = self._read_filter(moves)
                self._filter = IdFilter(words)
                look_through(path / DATABASE)
            else:
                path.mkdir()
                self.moves, self._filter = 0, IdFilter.of_size(filter_bytes)
            self._database = open_database(path / DATABASE, cache)
        try:
            self._check_marks(moves)
        except BaseException:
            self.close()
            raise

    def _read_filter(self, moves: int) -> tuple[int, Words]:
        """How many moves the filter is of, and its words."""
        content = read_sealed(self.path / "filter")
        found = int.from_bytes(content[:WORD_BYTES], "little")
        if found < moves:
            raise StoreFault(f"{self.path}: the filter is of {found} moves, not {moves}")
        # Copied, as what is read from bytes cannot be added to.
        return found, np.frombuffer(content, np.uint64, offset=WORD_BYTES).copy()

    def _check_marks(self, moves: int) -> None:
        there = self._values([mark(number + 1) for number in range(moves)])
        lost = sum(value is None for value in there)
        if lost:
            raise StoreFault(f"{self.path}: {lost} of {moves} moves are missing")

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen; -1 for those that are not here."""
        times_ms = np.full(len(ids), -1)
        asked = self._filter.maybe_contains(ids)
        if len(asked):
            values = self._values(keys(ids[asked]))
            there = [index for index, value in enumerate(values) if value is not None]
            found = b"".join([value for value in values if value is not None])
            times_ms[asked[there]] = np.frombuffer(found, TIME)
        return times_ms

    def _values(self, asked: list[bytes]) -> list[bytes | None]:
        with faults_of(f"read {self.path}"):
            return cast("list[bytes | None]", self._database.get(list(asked))) if asked else []

    def put(self, ids: Words, times_ms: Ints) -> None:
        """Put ids in, durably. When it fails, some may be in."""
        batch = WriteBatch(raw_mode=True)
        data = times_ms.astype(TIME).tobytes()
        for number, key in enumerate(keys(ids)):
            batch.put(key, data[TIME.itemsize * number : TIME.itemsize * (number + 1)])
        batch.put(mark(self.moves + 1), b"\1")
        synced = WriteOptions()
        synced.sync = True
        self.frozen = True
        with faults_of(f"write {self.path}"):
            self._database.write(batch, synced)
            self._filter.add(ids)
            moves = (self.moves + 1).to_bytes(WORD_BYTES, "little")
            write_sealed(self.path / "filter", moves, self._filter.words.data)
        self.moves += 1
        self.frozen = False

    def close(self) -> str | None:
        """Close the database, and say what went wrong: what was put in is on disk all the same."""
        try:
            with faults_of(f"close {self.path}"):
                self._database.close()
        except StoreFault as fault:
            return str(fault)
        return None

    def drop(self) -> None:
        """Close and delete."""
        self.close()
        with faults_of(f"delete {self.path}"):
            shutil.rmtree(self.path)


def keys(ids: Words) -> list[bytes]:
    """The 16 bytes of each id."""
    data = ids.tobytes()
    return [data[start : start + ID_BYTES] for start in range(0, len(data), ID_BYTES)]


def mark(move: int) -> bytes:
    """The key that says that a move is in, counted from 1."""
    return move.to_bytes(MARK_BYTES, "big")


def open_database(path: Path, cache: Cache) -> Rdict:
    """Open RocksDB; make it where it is not. All that share a cache have that much between them."""
    chosen = options(cache)
    # A database that is there would otherwise be opened as its own file of options says, which
    # knows no cache: each would have one of its own.
    return Rdict(str(path), chosen, column_families={DEFAULT_COLUMN_FAMILY: chosen})


def options(cache: Cache) -> Options:
    """RocksDB for 16-byte keys that are written once, asked for seldom and deleted as a whole."""
    chosen = Options(raw_mode=True)
    chosen.create_if_missing(True)
    chosen.set_write_buffer_size(8 * 1024 * 1024)
    chosen.set_keep_log_file_num(1)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_bloom_filter(10, False)
    chosen.set_block_based_table_factory(blocks)
    return chosen

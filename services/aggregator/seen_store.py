"""The ids seen, on disk: RocksDB in buckets of log time, each with a filter in memory.

A bucket holds the ids last seen in its stretch of time when they were moved here; when all of it
is past the horizon, the whole bucket is deleted. Most ids asked for are new, and RocksDB takes
microseconds to say so; the filter says it for 97 of 100 in nanoseconds.

The file `stamp` tells what the store stands for (`core.dedup.Stamp`): from when on ids are missing,
written after the ids, and how late ids may be in it, written before them. So a crash in between
leaves a store that knows more than it says, never less, and nobody is misled by what it knows. A
store is used only if nothing in it can be from beyond the checkpoint; otherwise it is thrown away
and the ids are read from the log again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Final, cast

import numpy as np
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

from services.aggregator.core.byte_spans import Words
from services.aggregator.core.dedup import Settled, Sightings, Stamp
from services.aggregator.core.id_filter import IdFilter
from services.aggregator.core.key_index import Ints
from services.platform.errors import ConfigurationError
from services.platform.log import get_logger

logger = get_logger(__name__)

#: The time for which ids matter is this many buckets long, so at most one more is alive.
BUCKETS: Final = 4
#: How stores are laid out and what their stamps mean: those of another layout are of no use.
LAYOUT: Final = 2
TIME: Final = np.dtype("<u8")
ID_BYTES: Final = 16
#: By which hash ids are known here: another makes a store useless.
HASH: Final = "murmur3-128"
#: Other names tried for a store that another process, a paused predecessor say, still has open.
SPARE_PLACES: Final = 8


class ClosedStoreError(RuntimeError):
    """A store was used after it was closed: a mistake of ours, never a fault of the disk."""


class Bucket:
    """The ids of one stretch of time."""

    def __init__(self, path: Path, cache: Cache, filter_bytes: int) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        self._database = Rdict(str(path / "ids"), options(cache))
        words = path / "filter"
        if words.exists():
            self._filter = IdFilter(np.fromfile(words, np.uint64))
        else:
            self._filter = IdFilter.of_size(filter_bytes)

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen; -1 for those that are not here."""
        times_ms = np.full(len(ids), -1)
        asked = self._filter.perhaps(ids)
        if len(asked):
            values = self._values(keys(ids[asked]))
            there = [index for index, value in enumerate(values) if value is not None]
            found = b"".join([value for value in values if value is not None])
            times_ms[asked[there]] = np.frombuffer(found, TIME)
        return times_ms

    def _values(self, asked: list[bytes]) -> list[bytes | None]:
        return cast("list[bytes | None]", self._database.get(list(asked)))

    def put(self, ids: Words, times_ms: Ints) -> None:
        """Put ids in, durably."""
        batch = WriteBatch(raw_mode=True)
        data = times_ms.astype(TIME).tobytes()
        for number, key in enumerate(keys(ids)):
            batch.put(key, data[TIME.itemsize * number : TIME.itemsize * (number + 1)])
        synced = WriteOptions()
        synced.sync = True
        self._database.write(batch, synced)
        self._filter.add(ids)
        write_durably(self._path / "filter", self._filter.words.tobytes())

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def drop(self) -> None:
        """Close and delete."""
        self.close()
        shutil.rmtree(self._path)


class SeenStore:
    """The ids of one partition that no longer fit into memory. Synchronous; `OlderIds`."""

    def __init__(
        self, path: Path, log: str, bucket_ms: int, cache: Cache, filter_bytes: int
    ) -> None:
        self._path = path
        self._cache = cache
        self._filter_bytes = filter_bytes
        self._bucket_ms = bucket_ms
        #: What makes a store one that can be read.
        self._layout = {"layout": LAYOUT, "log": log, "bucket_ms": bucket_ms, "hash": HASH}
        self._stamp = Stamp()
        self._buckets: dict[int, Bucket] = {}
        path.mkdir(parents=True, exist_ok=True)
        self._lock: int | None = claim(path)

    @property
    def complete_before_ms(self) -> int:
        """The last sighting below the checkpoint of every id is here if it was before this."""
        return self._stamp.complete_before_ms

    @property
    def empty(self) -> bool:
        """Whether no id at all is here."""
        return not self._buckets

    def open(self, settled: Settled) -> None:
        """Take over what is on disk if it is of this log and not beyond the checkpoint.

        What is of no use is deleted.
        """
        found = self._read_stamp()
        usable = found is not None and found.may_be_used(settled)
        for path in sorted(self._path.glob("bucket-*")):
            if usable:
                number = int(path.name.partition("-")[2])
                self._buckets[number] = Bucket(path, self._cache, self._filter_bytes)
            else:
                shutil.rmtree(path)
        if usable and found is not None:
            self._stamp = found
        elif (self._path / "stamp").exists():
            logger.warning(
                "ids on disk are of no use, reading them from the log", path=str(self._path)
            )
            (self._path / "stamp").unlink()

    def _read_stamp(self) -> Stamp | None:
        """The stamp on disk; None where there is none, or one of another log or layout."""
        try:
            content = json.loads((self._path / "stamp").read_bytes())
            if {name: content.pop(name) for name in self._layout} != self._layout:
                return None
            return Stamp(**content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def _write_stamp(self, stamp: Stamp) -> None:
        self._stamp = stamp
        content = {**self._layout, **asdict(stamp)}
        write_durably(self._path / "stamp", json.dumps(content).encode())

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen, in log time; -1 for those that are not here."""
        self._check_open()
        times_ms = np.full(len(ids), -1)
        for bucket in self._buckets.values():
            # An id may be in two buckets; its newer sighting counts.
            times_ms = np.maximum(times_ms, bucket.last_seen(ids))
        return times_ms

    def keep(self, sightings: Sightings) -> bool:
        """Take over sightings durably, between the two stamps that `Stamp` says."""
        self._check_open()
        self._write_stamp(self._stamp.before_moving(sightings))
        numbers = sightings.seen_ms // self._bucket_ms
        for number in np.unique(numbers).tolist():
            bucket = self._buckets.get(number)
            if bucket is None:
                path = self._path / f"bucket-{number}"
                bucket = self._buckets[number] = Bucket(path, self._cache, self._filter_bytes)
            here = numbers == number
            bucket.put(sightings.ids[here], sightings.seen_ms[here])
        self._write_stamp(self._stamp.after_moving(sightings))
        return True

    def forget(self, past_ms: int) -> None:
        """Delete the buckets of which all was last seen at or before a log time."""
        self._check_open()
        for number in [
            number for number in self._buckets if (number + 1) * self._bucket_ms <= past_ms + 1
        ]:
            self._buckets.pop(number).drop()

    def close(self) -> None:
        """Close all databases and let others use the place. Closing again does nothing."""
        if self._lock is None:
            return
        for bucket in self._buckets.values():
            bucket.close()
        self._buckets.clear()
        os.close(self._lock)
        self._lock = None

    def _check_open(self) -> None:
        """Raise `ClosedStoreError` once closed: the place may have another owner by now."""
        if self._lock is None:
            raise ClosedStoreError(f"{self._path} was closed")


class SeenStores:
    """The stores of a worker's partitions, under one folder and with one memory budget."""

    def __init__(self, folder: Path, log: str, filter_bytes: int, cache_bytes: int) -> None:
        self._folder = folder / log.replace("/", "_")
        self._log = log
        self._filter_bytes = filter_bytes
        self._cache = Cache(cache_bytes)

    def open(self, partition: int, settled: Settled, partitions: int) -> SeenStore:
        """Open a partition's store; ``partitions`` share the memory for filters.

        Raises `ConfigurationError` when the folder cannot be used.
        """
        bucket_ms = -(-settled.keep_ms // BUCKETS)
        filter_bytes = self._filter_bytes // (partitions * (BUCKETS + 1))
        for spare in range(SPARE_PLACES):
            name = f"partition-{partition}" + (f"-{spare}" if spare else "")
            try:
                store = SeenStore(
                    self._folder / name, self._log, bucket_ms, self._cache, filter_bytes
                )
            except BlockingIOError:
                logger.warning("ids on disk are in use, trying another place", place=name)
                continue
            except OSError as error:
                raise ConfigurationError(
                    f"cannot keep ids in {self._folder}: {error.strerror};"
                    " set WATTOKEN_AGGREGATOR_STATE_DIR to a folder that can be written"
                ) from None
            store.open(settled)
            return store
        raise ConfigurationError(
            f"{SPARE_PLACES} processes use the folder {self._folder}: stop those not needed"
        )


def keys(ids: Words) -> list[bytes]:
    """The 16 bytes of each id."""
    data = ids.tobytes()
    return [data[start : start + ID_BYTES] for start in range(0, len(data), ID_BYTES)]


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


def claim(path: Path) -> int:
    """Lock a folder for this process; raises BlockingIOError when another has it."""
    handle = os.open(path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file's content at once, and have it on disk before returning."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)

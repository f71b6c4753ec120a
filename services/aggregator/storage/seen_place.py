"""One place of ids on disk: a folder that this process has locked, its stamp and its buckets.

A bucket holds the ids last seen in its stretch of log time when they were moved here; when all of
it is past, the whole bucket is deleted. The file `stamp` tells what the place stands for
(`core.dedup.Stamp`) and which buckets there must be, each with how many moves. Below which offset
all in it was seen is written before the ids are, up to when it is complete after them: so a crash
in between leaves a place that knows more than it says, never less, and nobody is misled by what it
knows.

Every call but `close` may raise `StoreFault`; after one of `open` the place is closed.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import numpy as np
from rocksdict import Cache

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import Settled, Sightings, Stamp
from services.aggregator.metrics import ID_STORE_FAULTS
from services.aggregator.storage.seen_bucket import Bucket
from services.aggregator.storage.store_files import (
    PlaceGoneFault,
    StoreFault,
    claim,
    faults_of,
    read_sealed,
    sync_folder,
    write_sealed,
)
from services.platform.log import get_logger

logger = get_logger(__name__)

#: By which hash ids are known here.
HASH: Final = "murmur3-128"
#: How a place is laid out and what its stamp means; one of another layout is of no use.
LAYOUT: Final = 3
SUFFIX_BYTES: Final = 4


class Place:
    """A folder of ids. Synchronous; not to be used after `close`."""

    def __init__(
        self, path: Path, log: str, bucket_ms: int, cache: Cache, filter_bytes: int
    ) -> None:
        """Lock the folder; raises `PlaceTakenError` when another process has it."""
        self.path = path
        self.stamp = Stamp()
        self._cache = cache
        self._filter_bytes = filter_bytes
        self._bucket_ms = bucket_ms
        self._layout = {"layout": LAYOUT, "log": log, "bucket_ms": bucket_ms, "hash": HASH}
        self._buckets: dict[int, list[Bucket]] = {}
        with faults_of(f"open {path}"):
            self._lock: int | None = claim(path)

    @property
    def empty(self) -> bool:
        """Whether no id at all is here."""
        return not self._buckets

    def open(self, settled: Settled | None) -> None:
        """Take over what is here if it is of use at a checkpoint, or start again where it is not.

        With None in any case. What is of no use is deleted.
        """
        try:
            expected = self._expected(settled) if settled is not None else None
            if expected is None or not self._open_buckets(expected):
                self._start_again()
        except BaseException:
            self.close()
            raise

    def _expected(self, settled: Settled) -> dict[str, int] | None:
        """The buckets that must be here, each with its moves; None where they are of no use."""
        try:
            content: Any = json.loads(read_sealed(self.path / "stamp"))
            if {name: content.pop(name) for name in self._layout} != self._layout:
                return None
            buckets: dict[str, int] = content.pop("buckets")
            stamp = Stamp(**content)
        except FileNotFoundError:
            return None
        except (OSError, StoreFault, ValueError, TypeError, KeyError, AttributeError) as error:
            ID_STORE_FAULTS.labels("open").inc()
            logger.warning("stamp of ids on disk is damaged", path=str(self.path), error=str(error))
            return None
        if not stamp.may_be_used(settled):
            return None
        self.stamp = stamp
        return {
            name: moves
            for name, moves in buckets.items()
            if not self._past(number_of(name), settled.past_ms)
        }

    def _open_buckets(self, expected: dict[str, int]) -> bool:
        """Open those, and delete all others; False where one is damaged."""
        try:
            for name, moves in expected.items():
                bucket = Bucket(self.path / name, self._cache, self._filter_bytes, moves)
                self._buckets.setdefault(number_of(name), []).append(bucket)
        except StoreFault as fault:
            ID_STORE_FAULTS.labels("open").inc()
            logger.warning("ids on disk are damaged", path=str(self.path), error=str(fault))
            return False
        for path in self._bucket_folders():
            if path.name not in expected:
                with faults_of(f"delete {path}"):
                    shutil.rmtree(path)
        return True

    def _start_again(self) -> None:
        """Throw away what is here, the stamp first: without one, the rest is nothing."""
        self._close_buckets()
        self.stamp = Stamp()
        with faults_of(f"empty {self.path}"):
            folders = self._bucket_folders()
            if (self.path / "stamp").exists():
                (self.path / "stamp").unlink()
                sync_folder(self.path)
            for path in folders:
                shutil.rmtree(path)
        if folders:
            logger.warning(
                "ids on disk are of no use, reading them from the log", path=str(self.path)
            )

    def discard(self) -> None:
        """Close the place, and have nobody use what is in it again."""
        try:
            if self._is_there():
                with faults_of(f"empty {self.path}"):
                    (self.path / "stamp").unlink(missing_ok=True)
                    sync_folder(self.path)
        finally:
            self.close()

    def _is_there(self) -> bool:
        """Whether the path still leads to the folder that we locked.

        Files are written by their paths: in a folder recreated they would be another owner's.
        """
        assert self._lock is not None, "not to be used after `close`"
        with faults_of(f"look at {self.path}"):
            try:
                return os.path.samestat((self.path / "lock").stat(), os.fstat(self._lock))
            except (FileNotFoundError, NotADirectoryError):
                return False

    def _bucket_folders(self) -> list[Path]:
        return sorted(self.path.glob("bucket-*"))

    def _past(self, number: int, past_ms: int) -> bool:
        """Whether all of a bucket's stretch of time is past."""
        return (number + 1) * self._bucket_ms <= past_ms + 1

    def _write_stamp(self, stamp: Stamp) -> None:
        buckets = {
            bucket.path.name: bucket.moves
            for several in self._buckets.values()
            for bucket in several
            if bucket.moves
        }
        content = {**self._layout, **asdict(stamp), "buckets": buckets}
        with faults_of(f"write {self.path}"):
            write_sealed(self.path / "stamp", json.dumps(content).encode())
        self.stamp = stamp

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen, in log time; -1 for those that are not here."""
        times_ms = np.full(len(ids), -1)
        for several in self._buckets.values():
            for bucket in several:
                # An id may be in two buckets; its newer sighting counts.
                times_ms = np.maximum(times_ms, bucket.last_seen(ids))
        return times_ms

    def keep(self, sightings: Sightings) -> None:
        """Take over sightings durably, between the two stamps that `Stamp` says.

        When that fails, some of them may be here; the stamp does not say so. `PlaceGoneFault`: no
        move will go in any more.
        """
        if not self._is_there():
            raise PlaceGoneFault(f"{self.path} is gone, or another folder by now")
        before = self.stamp.before_moving(sightings)
        if before != self.stamp:
            # Else it was written with an earlier part of this move.
            self._write_stamp(before)
        numbers = sightings.seen_ms // self._bucket_ms
        for number in np.unique(numbers).tolist():
            here = numbers == number
            self._bucket(number).put(sightings.ids[here], sightings.seen_ms[here])
        self._write_stamp(self.stamp.after_moving(sightings))

    def _bucket(self, number: int) -> Bucket:
        """The bucket of a stretch of time that can be written; one more where no write goes in."""
        several = self._buckets.setdefault(number, [])
        if not several or several[-1].frozen:
            # A name that no other has: what RocksDB writes late, by its paths, into a folder that
            # was deleted and recreated, must not meet what a new owner has there.
            path = self.path / f"bucket-{number}-{token_hex(SUFFIX_BYTES)}"
            try:
                several.append(Bucket(path, self._cache, self._filter_bytes))
            except StoreFault:
                shutil.rmtree(path, ignore_errors=True)
                if not several:
                    del self._buckets[number]
                raise
        return several[-1]

    def forget(self, past_ms: int) -> None:
        """Delete the buckets of which all was last seen at or before a log time."""
        past = [number for number in self._buckets if self._past(number, past_ms)]
        faults = []
        for bucket in [bucket for number in past for bucket in self._buckets.pop(number)]:
            try:
                if self._is_there():
                    bucket.drop()
                else:
                    bucket.close()
            except StoreFault as fault:
                faults.append(fault)
        if faults:
            raise faults[0]

    def close(self) -> None:
        """Close all databases and let others use the place. Closing again does nothing."""
        if self._lock is None:
            return
        self._close_buckets()
        lock, self._lock = self._lock, None
        os.close(lock)

    def _close_buckets(self) -> None:
        for bucket in [bucket for several in self._buckets.values() for bucket in several]:
            fault = bucket.close()
            if fault is not None:
                # What was moved here was on disk before the stamp said so.
                logger.warning("ids on disk do not close", error=fault)
        self._buckets.clear()


def number_of(name: str) -> int:
    """The number of the stretch of time in a bucket's name. Raises ValueError."""
    return int(name.split("-")[1])

"""A machine's disk: what the store of ids does to files happens step by step here.

The store itself is the real one, on a real folder. RocksDB takes 20 ms to open, so mostly its place
is taken by `FileOfIds` (`tests.property.concurrent.file_of_ids`). Every step may fail, and one that
changes a file may be the last of its process.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from services.aggregator.storage import seen_bucket, seen_place, seen_store
from services.aggregator.storage.seen_bucket import open_database
from services.aggregator.storage.store_files import claim, read_sealed, write_sealed
from tests.property.concurrent.file_of_ids import Entries, FileOfIds

#: What a step is: a full disk fails what it has to find room for, and nothing else.
READ: Final = "read"
WRITE: Final = "write"
DELETE: Final = "delete"


class Files:
    """What the processes of a world do to disks; made known to the store by `modelled_files`."""

    #: Whose files they are; the world that is running.
    now: Files | None = None

    def __init__(self, world: Any) -> None:
        self._world = world
        #: Open locks: by file descriptor, the process.
        self.locks: dict[int, Any] = {}
        self._names = 0
        Files.now = self

    def step(self, kind: str, what: str, effect: Callable[[], Any]) -> Any:
        """Do something to a file, unless it fails or its process ends before or after it."""
        process = self._world.current
        if process is None:
            return effect()
        if process.dead or process.doomed:
            # What is gone does nothing any more; what it reads is nobody's.
            return effect() if kind == READ else None
        fate = self._world.file_fate(process, kind, what)
        if fate == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if fate == "fails before":
            raise OSError(errno.EIO, "Input/output error")
        if fate == "killed before":
            process.kill_here()
        result = effect()
        if fate == "fails after":
            raise OSError(errno.EIO, "Input/output error")
        if fate == "killed after":
            process.kill_here()
        return result

    def name(self) -> str:
        """A name that no other has, the same in each run."""
        self._names += 1
        return f"{self._names:08x}"

    def claimed(self, handle: int) -> None:
        """Note that the process at hand holds a lock."""
        self.locks[handle] = self._world.current

    def closed(self, handle: int) -> None:
        """Note that a lock was let go of."""
        if self.locks.pop(handle, None) is None:
            self._world.violated(f"a store closes file {handle}, which is not its own any more")

    def held_by(self, process: Any) -> int:
        """How many stores a process has on disk."""
        return sum(owner is process for owner in self.locks.values())

    def release(self, process: Any) -> None:
        """Close what a process that is gone had open, as the system does."""
        for handle in [handle for handle, owner in self.locks.items() if owner is process]:
            del self.locks[handle]
            os.close(handle)


def stepped(kind: str, what: str, effect: Callable[[], Any]) -> Any:
    """Do something to a file as a step of the world that is running, if one is."""
    return effect() if Files.now is None else Files.now.step(kind, what, effect)


class SteppedDatabase:
    """A database of ids of which each call is a step."""

    rocksdb = False

    def __init__(self, path: Path, cache: Any) -> None:
        make: Any = open_database if SteppedDatabase.rocksdb else FileOfIds
        self._real = stepped(WRITE, "ids are opened", lambda: make(path, cache))

    def get(self, keys: Any) -> Any:
        return stepped(READ, "ids are read", lambda: self._real.get(keys))

    def write(self, batch: Any, options: Any = None) -> None:
        stepped(WRITE, "ids are written", lambda: self._real.write(batch, options))

    def close(self) -> None:
        if self._real is not None:
            self._real.close()


class _Os:
    """The module `os` as the store sees it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def close(self, handle: int) -> None:
        if Files.now is not None:
            Files.now.closed(handle)
        os.close(handle)


class _Shutil:
    """The module `shutil` as the store sees it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(shutil, name)

    def rmtree(self, path: Any, ignore_errors: bool = False) -> None:
        try:
            stepped(DELETE, "a folder is deleted", lambda: shutil.rmtree(path, ignore_errors))
        except OSError:
            if not ignore_errors:
                raise


def _write(path: Path, *parts: bytes | memoryview) -> None:
    stepped(WRITE, f"{path.name} is written", lambda: write_sealed(path, *parts))


def _read(path: Path) -> Any:
    return stepped(READ, f"{path.name} is read", lambda: read_sealed(path))


def _claim(path: Path) -> int:
    handle = claim(path)
    if Files.now is not None:
        Files.now.claimed(handle)
    return handle


def _name(_: int) -> str:
    assert Files.now is not None, "a store is used outside of a world"
    return Files.now.name()


@contextmanager
def modelled_files(*, rocksdb: bool = False) -> Iterator[None]:
    """Put the store's steps under the schedule's control."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SteppedDatabase, "rocksdb", rocksdb)
        patch.setattr(seen_bucket, "open_database", SteppedDatabase)
        for module in (seen_bucket, seen_place):
            patch.setattr(module, "write_sealed", _write)
            patch.setattr(module, "read_sealed", _read)
            patch.setattr(module, "shutil", _Shutil())
        patch.setattr(seen_place, "claim", _claim)
        patch.setattr(seen_place, "token_hex", _name)
        patch.setattr(seen_place, "os", _Os())
        if not rocksdb:
            patch.setattr(seen_bucket, "WriteBatch", Entries)
            patch.setattr(seen_bucket, "WriteOptions", lambda: type("Options", (), {})())
            patch.setattr(seen_bucket, "options", lambda cache: None)
            patch.setattr(seen_store, "Cache", lambda size: None)
        yield
        Files.now = None

"""A machine's disk: what `services.aggregator.seen_store` does to files happens step by step here.

The store itself is the real one, on a real folder. RocksDB takes 20 ms to open, so mostly its place
is taken by `FileOfIds`, which keeps the same promise: what `write` returned from is there after a
crash. Every step that changes a file may fail, or be the last of its process.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rocksdict

from services.aggregator import seen_store

KEY_BYTES = 16
ENTRY_BYTES = KEY_BYTES + 8


class Files:
    """What the processes of a world do to disks; made known to the store by `modelled_files`."""

    #: Whose files they are; the world that is running.
    now: Files | None = None

    def __init__(self, world: Any) -> None:
        self._world = world
        #: Open locks: by file descriptor, the process.
        self.locks: dict[int, Any] = {}
        self.claiming = False
        Files.now = self

    def step(self, what: str, effect: Callable[[], Any]) -> Any:
        """Do something to a file, unless it fails or its process ends before or after it."""
        process = self._world.current
        if process is None:
            return effect()
        if process.dead or process.doomed:
            return None  # What is gone does nothing any more.
        fate = self._world.file_fate(process, what)
        if fate == "fails before":
            raise OSError(errno.ENOSPC, "No space left on device")
        if fate == "killed before":
            process.kill_here()
        result = effect()
        if fate == "fails after":
            raise OSError(errno.EIO, "Input/output error")
        if fate == "killed after":
            process.kill_here()
        return result

    def claimed(self, handle: int) -> None:
        """Note that the process at hand holds a lock."""
        self.locks[handle] = self._world.current

    def closed(self, handle: int) -> None:
        """Note that a lock was let go of."""
        if not self.claiming and self.locks.pop(handle, None) is None:
            self._world.violated(f"a store closes file {handle}, which is not its own any more")

    def held_by(self, process: Any) -> int:
        """How many stores a process has open."""
        return sum(owner is process for owner in self.locks.values())

    def release(self, process: Any) -> None:
        """Close what a process that is gone had open, as the system does."""
        for handle in [handle for handle, owner in self.locks.items() if owner is process]:
            del self.locks[handle]
            os.close(handle)


class FileOfIds:
    """As much of `Rdict` as the store uses, in one file."""

    def __init__(self, path: str, options: Any) -> None:
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "entries"
        data = self._path.read_bytes() if self._path.exists() else b""
        if len(data) % ENTRY_BYTES:
            raise Exception("Corruption: bad entry in MANIFEST file")
        self._values: dict[bytes, bytes] | None = {}
        self._take(data)

    def _take(self, data: bytes) -> None:
        assert self._values is not None
        for at in range(0, len(data), ENTRY_BYTES):
            self._values[data[at : at + KEY_BYTES]] = data[at + KEY_BYTES : at + ENTRY_BYTES]

    def get(self, keys: list[bytes]) -> list[bytes | None]:
        if self._values is None:
            raise Exception("DB instance already closed")
        return [self._values.get(key) for key in keys]

    def write(self, batch: Entries, options: Any = None) -> None:
        if self._values is None:
            raise Exception("DB instance already closed")
        with self._path.open("ab") as file:
            file.write(batch.data)
        self._take(batch.data)

    def close(self) -> None:
        self._values = None


class Entries:
    """As much of `WriteBatch` as the store uses."""

    def __init__(self, raw_mode: bool = False) -> None:
        self.data = b""

    def put(self, key: bytes, value: bytes) -> None:
        self.data += key + value


class SteppedDatabase:
    """A database of ids whose writes are steps."""

    rocksdb = False

    def __init__(self, path: str, options: Any) -> None:
        make: Any = rocksdict.Rdict if SteppedDatabase.rocksdb else FileOfIds
        self._real = make(path, options)

    def get(self, keys: Any) -> Any:
        return self._real.get(keys)

    def write(self, batch: Any, options: Any = None) -> None:
        if Files.now is None:
            self._real.write(batch, options)
        else:
            Files.now.step("ids are written", lambda: self._real.write(batch, options))

    def close(self) -> None:
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

    def rmtree(self, path: Any, *args: Any, **options: Any) -> None:
        if Files.now is None:
            shutil.rmtree(path, *args, **options)
        else:
            Files.now.step("a folder is deleted", lambda: shutil.rmtree(path, *args, **options))


@contextmanager
def modelled_files(*, rocksdb: bool = False) -> Iterator[None]:
    """Put the store's steps under the schedule's control."""
    write_durably, claim = seen_store.write_durably, seen_store.claim

    def stepped_write(path: Path, content: bytes) -> None:
        if Files.now is None:
            write_durably(path, content)
        else:
            Files.now.step(f"{path.name} is written", lambda: write_durably(path, content))

    def noted_claim(path: Path) -> int:
        if Files.now is None:
            return claim(path)
        Files.now.claiming = True
        try:
            handle = claim(path)
        finally:
            Files.now.claiming = False
        Files.now.claimed(handle)
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SteppedDatabase, "rocksdb", rocksdb)
        patch.setattr(seen_store, "Rdict", SteppedDatabase)
        patch.setattr(seen_store, "write_durably", stepped_write)
        patch.setattr(seen_store, "claim", noted_claim)
        patch.setattr(seen_store, "os", _Os())
        patch.setattr(seen_store, "shutil", _Shutil())
        if not rocksdb:
            patch.setattr(seen_store, "WriteBatch", Entries)
            patch.setattr(seen_store, "WriteOptions", lambda: type("Options", (), {})())
            patch.setattr(seen_store, "Cache", lambda size: None)
            patch.setattr(seen_store, "options", lambda cache: None)
        yield
        Files.now = None

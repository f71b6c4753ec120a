"""A machine's disk: what the store of ids does to files happens step by step here.

The store itself is the real one, on a real folder. Every step may fail, and one that changes a file
may be the last of its process. Where a thread writes or reads, others may go on between two steps.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from services.aggregator.storage import seen_place, store_files
from services.aggregator.storage.store_files import NewFile, OpenFile

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

    def step(self, kind: str, what: str, effect: Callable[[], Any], *, pauses: bool) -> Any:
        """Do something to a file, unless it fails or its process ends before or after it.

        ``pauses``: no lock is held, so others may go on before it.
        """
        process = self._world.current
        if process is None:
            return effect()
        if process.dead or process.doomed:
            # What is gone does nothing any more; what it reads is nobody's.
            return effect() if kind == READ else None
        if pauses:
            process._pause(what)
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

    def token(self) -> int:
        """A number that no other has, the same in each run."""
        self._names += 1
        return self._names

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


def stepped(kind: str, what: str, effect: Callable[[], Any], *, pauses: bool = False) -> Any:
    """Do something to a file as a step of the world that is running, if one is."""
    return effect() if Files.now is None else Files.now.step(kind, what, effect, pauses=pauses)


class SteppedRead(OpenFile):
    """A run that is open for reading, of which each read is a step."""

    __slots__ = ()

    def __init__(self, path: Path) -> None:
        self._handle = -1
        opened = super().__init__
        stepped(READ, "a run is opened", lambda: opened(path))

    def read(self, at: int, size: int) -> bytes:
        read = super().read
        data: bytes = stepped(READ, "ids are read", lambda: read(at, size), pauses=True)
        return data


class SteppedWrite(NewFile):
    """A run that is being written, of which each call is a step."""

    __slots__ = ()

    def __init__(self, path: Path) -> None:
        begun = super().__init__
        stepped(WRITE, "a run is begun", lambda: begun(path), pauses=True)

    def write(self, parts: Iterable[bytes | memoryview]) -> None:
        write = super().write
        for part in parts:
            stepped(WRITE, "ids are written", partial(write, [part]), pauses=True)

    def sync(self) -> None:
        sync = super().sync
        stepped(WRITE, "a run is synced", sync, pauses=True)

    def close(self) -> None:
        close = super().close
        stepped(DELETE, "a run is closed", close)

    def name(self, path: Path) -> None:
        name = super().name
        stepped(WRITE, "a run is named", lambda: name(path))

    def give_up(self) -> None:
        given_up = super().give_up
        try:
            stepped(DELETE, "half a run is deleted", given_up)
        except OSError:
            return


def _delete(path: Path, delete: Any = store_files.delete) -> None:
    stepped(DELETE, "a run is deleted", lambda: delete(path))


def _sync_folder(path: Path, sync: Any = store_files.sync_folder) -> None:
    stepped(WRITE, "names are synced", lambda: sync(path), pauses=True)


def _claim(path: Path, claim: Any = store_files.claim) -> int:
    handle: int = claim(path)
    if Files.now is not None:
        Files.now.claimed(handle)
    return handle


def _release(handle: int, release: Any = store_files.release) -> None:
    if Files.now is not None:
        Files.now.closed(handle)
    release(handle)


def _token(_: int) -> int:
    assert Files.now is not None, "a store is used outside of a world"
    return Files.now.token()


@contextmanager
def modelled_files() -> Iterator[None]:
    """Put the store's steps under the schedule's control."""
    with pytest.MonkeyPatch.context() as patch:
        for name, modelled in (
            ("OpenFile", SteppedRead),
            ("NewFile", SteppedWrite),
            ("delete", _delete),
            ("sync_folder", _sync_folder),
            ("claim", _claim),
            ("release", _release),
        ):
            patch.setattr(store_files, name, modelled)
        patch.setattr(seen_place, "randbits", _token)
        yield
        Files.now = None

"""What the store of ids does to files, and the one error that comes of it.

Whatever the file system refuses, or has garbled, comes out as a `StoreFault`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.aggregator.storage.run_format import DamagedRunError


class StoreFault(Exception):
    """The disk does not do what it should, or holds something else than was put there.

    The text says what was tried and what came of it. Ids are on the log too: nothing is lost.
    """


class PlaceGoneFault(StoreFault):
    """The folder was deleted, or another lies where it was: what is in ours cannot be added to."""


class PlaceTakenError(Exception):
    """Another process has the folder locked."""


@contextmanager
def faults_of(what: str) -> Iterator[None]:
    """Map what the file system raises, and what is not as it was written, to `StoreFault`."""
    try:
        yield
    except (OSError, DamagedRunError) as error:
        raise StoreFault(f"{what}: {error}") from error


class OpenFile:
    """A file that is open for reading until nobody uses it any more, also when it was deleted."""

    __slots__ = ("_handle",)

    def __init__(self, path: Path) -> None:
        """Open it. Raises OSError."""
        self._handle = -1
        self._handle = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def size(self) -> int:
        """How many bytes it has. Raises OSError."""
        return os.fstat(self._handle).st_size

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from a place on. Raises OSError, and `DamagedRunError` where it is cut."""
        data = os.pread(self._handle, size, at)
        while len(data) < size:
            more = os.pread(self._handle, size - len(data), at + len(data))
            if not more:
                raise DamagedRunError(f"it ends before {at + size} bytes")
            data += more
        return data


class NewFile:
    """A file that is being written, and has its name only once it is whole."""

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path) -> None:
        """Begin it. Raises OSError."""
        self._path = path
        self._file = path.open("wb", buffering=0)

    def write(self, parts: Iterable[bytes | memoryview]) -> None:
        """Write behind what is there. Raises OSError."""
        for part in parts:
            left = memoryview(part).cast("B") if len(part) else memoryview(b"")
            while len(left):
                left = left[self._file.write(left) :]

    def sync(self) -> None:
        """Have on disk what was written. Raises OSError."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write no more to it. Raises OSError."""
        self._file.close()

    def name(self, path: Path) -> None:
        """Give it its name, in place of what has it. Raises OSError."""
        self._path.rename(path)

    def give_up(self) -> None:
        """Close and delete it: on a full disk, the half that went in is room for others."""
        try:
            self._file.close()
            self._path.unlink()
        except OSError:
            # Gone, or deleted by whoever opens the folder next.
            return


def claim(folder: Path) -> int:
    """Lock a folder for this process, and give the handle that holds the lock.

    Raises `PlaceTakenError` when another has it, and OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise PlaceTakenError(str(folder)) from None
    except BaseException:
        os.close(handle)
        raise
    return handle


def is_claimed(folder: Path, handle: int) -> bool:
    """Whether a path still leads to the folder that was locked with a handle. Raises OSError.

    Files are written by their paths: in a folder recreated they would be another owner's.
    """
    try:
        return os.path.samestat((folder / "lock").stat(), os.fstat(handle))
    except (FileNotFoundError, NotADirectoryError):
        return False


def release(handle: int) -> None:
    """Let others have a folder that was locked."""
    os.close(handle)


def delete(path: Path) -> None:
    """Delete a file, or a folder of a version that had folders here. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            delete(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have a folder's names on disk: a file that was renamed into it, say. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Files of the store of ids: replaced whole and durably, read only if nothing is missing of them.

Whatever the file system or RocksDB refuses comes out as a `StoreFault`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rocksdict import DbClosedError
from xxhash import xxh3_128

DIGEST_BYTES: Final = 16


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
    """Map what the file system and RocksDB raise to `StoreFault`."""
    try:
        yield
    except OSError as error:
        raise StoreFault(f"{what}: {error}") from error
    except Exception as error:
        # rocksdict raises Exception itself for all that RocksDB says; others are our own mistakes.
        if type(error) is not Exception and not isinstance(error, DbClosedError):
            raise
        raise StoreFault(f"{what}: {' '.join(str(error).split())}") from error


def claim(folder: Path) -> int:
    """Lock a folder for this process, and give the handle that holds the lock.

    Raises `PlaceTakenError` when another has it, and OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise PlaceTakenError(str(folder)) from None
    except BaseException:
        os.close(handle)
        raise
    return handle


def write_sealed(path: Path, *parts: bytes | memoryview) -> None:
    """Replace a file's content at once, and have it on disk before returning. Raises OSError."""
    new, seal = path.with_name(path.name + ".new"), seal_of(path)
    try:
        with new.open("wb") as file:
            for part in parts:
                file.write(part)
                seal.update(part)
            file.write(seal.digest())
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        # On a full disk the half that went in is room for others.
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_sealed(path: Path) -> bytes:
    """What `write_sealed` wrote, all of it. Raises OSError, and `StoreFault` if it is damaged."""
    data = path.read_bytes()
    content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    seal = seal_of(path)
    seal.update(content)
    if digest != seal.digest():
        raise StoreFault(f"{path} is damaged")
    return content


def seal_of(path: Path) -> xxh3_128:
    """A hash to be fed with a file's content: one of another name or folder has another."""
    return xxh3_128(f"{path.parent.name}/{path.name}".encode())


def sync_folder(folder: Path) -> None:
    """Have a folder's names on disk: a file that was renamed into it, say. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

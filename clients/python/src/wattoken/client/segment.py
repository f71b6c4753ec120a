"""One file of the spool: a header of fixed length that says how far it is sent, then lines.

The header is rewritten in place, the lines are only appended; a batch is on disk (fsync) before it
is sent. One process owns a file, by a lock that ends with the process however that ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from wattoken.client.errors import SpoolError

try:
    import fcntl
except ImportError:  # not on Windows; `Meter` refuses a spool there
    fcntl = None  # type: ignore[assignment]

SUPPORTED: Final = fcntl is not None
_HEADER: Final = "wattoken-spool 1 settled={:013d} tried={:013d} tried_at_ms={:015d}\n"
_HEADER_SHAPE: Final = re.compile(
    rb"wattoken-spool 1 settled=(\d{13}) tried=(\d{13}) tried_at_ms=(\d{15})\n"
)
HEADER_BYTES: Final = len(_HEADER.format(0, 0, 0))


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file is sent: offsets of what is settled and of what was tried, and since when.

    What lies between the two is in doubt: it was sent, at ``tried_at_ms`` first, without an answer.
    """

    settled: int
    tried: int
    tried_at_ms: int


class Segment:
    """An open, locked file of the spool; made by `create` or `adopt`. Not safe between threads."""

    def __init__(self, path: Path, descriptor: int, end: int, mark: Mark) -> None:
        self.path = path
        self.end = end
        self.mark = mark
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty file; its name is on disk when this returns. Raises `SpoolError`."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            segment = cls(path, descriptor, HEADER_BYTES, Mark(HEADER_BYTES, HEADER_BYTES, 0))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                segment.set_mark(segment.mark)
                _sync_folder(path.parent)
            except BaseException:
                segment.remove()
                raise
        except OSError as error:
            raise SpoolError(f"cannot make {path}: {error.strerror}") from error
        return segment

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Open a file that a process left behind; None where one still owns it or it is gone.

        A line that was cut off is cut away: it was never reported as spooled.
        """
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between open and lock its owner may have sent everything and removed it.
            if os.fstat(descriptor).st_nlink == 0:
                raise FileNotFoundError
            end = _end_of_last_line(descriptor)
            # Before anything is written: without a header the file's own time is its age.
            mark = _read_mark(descriptor, end)
            os.ftruncate(descriptor, end)
            return cls(path, descriptor, end, mark)
        except OSError:
            os.close(descriptor)
            return None

    @property
    def unsettled_bytes(self) -> int:
        """Bytes of lines that wait."""
        return max(0, self.end - self.mark.settled)

    def append(self, lines: Sequence[bytes]) -> None:
        """Put lines on disk, all or none; raises `SpoolError`."""
        data = b"".join(line + b"\n" for line in lines)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._descriptor, data[written:], self.end + written)
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.end)
            raise SpoolError(f"cannot write {self.path}: {error.strerror}") from error
        self.end += len(data)

    def read(self, events_max: int, bytes_max: int) -> list[bytes]:
        """Read the first lines that wait: at least one if there is one, at most so many."""
        data = b""
        try:
            while self.mark.settled + len(data) < self.end:
                at = self.mark.settled + len(data)
                chunk = os.pread(self._descriptor, min(bytes_max, self.end - at), at)
                if not chunk:
                    raise SpoolError(f"{self.path} was cut by another hand")
                data += chunk
                if b"\n" in chunk:
                    break
        except OSError as error:
            raise SpoolError(f"cannot read {self.path}: {error.strerror}") from error
        return data.split(b"\n")[:-1][:events_max]

    def lines_between(self, start: int, stop: int) -> int:
        """Count lines in a stretch of the file."""
        count = 0
        while start < stop:
            data = os.pread(self._descriptor, min(1 << 20, stop - start), start)
            if not data:
                break
            count += data.count(b"\n")
            start += len(data)
        return count

    def set_mark(self, mark: Mark) -> None:
        """Write down how far the file is sent.

        Not synced: it survives the process, and what a power cut or a failing disk takes is only
        sent again.
        """
        header = _HEADER.format(mark.settled, mark.tried, mark.tried_at_ms).encode()
        with suppress(OSError):
            os.pwrite(self._descriptor, header, 0)
        self.mark = mark

    def empty(self) -> None:
        """Forget all lines, which are settled."""
        with suppress(OSError):  # then it only stays larger than it needs to be
            # First the lines: with the header first, a crash in between would send them again.
            os.ftruncate(self._descriptor, HEADER_BYTES)
            self.end = HEADER_BYTES
            self.set_mark(Mark(HEADER_BYTES, HEADER_BYTES, 0))

    def close(self) -> None:
        """Let go of the file; a later process adopts it."""
        with suppress(OSError):
            os.close(self._descriptor)

    def remove(self) -> None:
        """Delete the file."""
        # Before the lock ends, so that nobody adopts it in between.
        self.path.unlink(missing_ok=True)
        self.close()


def _read_mark(descriptor: int, end: int) -> Mark:
    found = _HEADER_SHAPE.fullmatch(os.pread(descriptor, HEADER_BYTES, 0))
    if found is None:
        # Whatever happened to it, all of it may have been sent, and as late as it was written.
        written_ms = os.fstat(descriptor).st_mtime_ns // 1_000_000
        return Mark(HEADER_BYTES, end, written_ms)
    settled, tried, tried_at_ms = (int(text) for text in found.groups())
    # A power cut may have kept the header and lost the lines.
    settled = min(max(settled, HEADER_BYTES), end)
    return Mark(settled, min(max(tried, settled), end), tried_at_ms)


def _end_of_last_line(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    while end > HEADER_BYTES:
        start = max(HEADER_BYTES, end - 65_536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return HEADER_BYTES


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The spool: a folder of segments, sent oldest first, bounded in bytes."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from wattoken.client.errors import ConfigurationError, SpoolError
from wattoken.client.segment import HEADER_BYTES, SUPPORTED, Mark, Segment

SUFFIX: Final = ".wattoken-spool"
#: Ingest notices a resend for 24 h after it saw an event. What was first sent without an answer
#: longer ago than this is not sent again: it could be counted twice.
IN_DOUBT_MS_MAX: Final = 23 * 3600 * 1000


class Spool:
    """Lines on disk that wait to be sent; several processes may share the folder.

    Not safe between threads. Raises `ConfigurationError` where the folder cannot be had.
    """

    def __init__(self, folder: Path, bytes_max: int, segment_bytes: int = 4 * 1024 * 1024) -> None:
        if not SUPPORTED:
            raise ConfigurationError("a spool needs file locks, which this system does not have")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"cannot make the spool {folder}: {error.strerror}") from error
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigurationError(f"the spool {folder} may not be read and written")
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []
        self._own: Segment | None = None
        self._untried = Mark(0, 0, 0)

    def leftovers(self) -> list[Path]:
        """Files in the folder, oldest first, some of them other processes' own."""
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def adopt_leftovers(self) -> int:
        """Take over what ended processes left; say how many lines wait in it."""
        lines = 0
        for path in self.leftovers():
            if any(path == segment.path for segment in self._segments):
                continue
            segment = Segment.adopt(path)
            if segment is None:
                continue
            waiting = segment.lines_between(segment.mark.settled, segment.end)
            if waiting:
                self._segments.append(segment)
                lines += waiting
            else:
                segment.remove()
        return lines

    def append(self, lines: Sequence[bytes]) -> None:
        """Put lines on disk, all or none; raises `SpoolError` when it is full or fails."""
        size = sum(map(len, lines)) + len(lines)
        if size + sum(segment.end for segment in self._segments) > self._bytes_max:
            raise SpoolError(f"the spool {self._folder} has its {self._bytes_max} bytes")
        if self._own is None or self._own.end > self._segment_bytes:
            self._own = Segment.create(
                self._folder / f"{time.time_ns()}-{uuid.uuid4().hex}{SUFFIX}"
            )
            self._segments.append(self._own)
        self._own.append(lines)

    def peek(self, events_max: int, bytes_max: int) -> list[bytes]:
        """Read the oldest lines, all of one segment; none where nothing waits."""
        segment = self._oldest()
        return segment.read(events_max, bytes_max) if segment else []

    def settle(self, lines: Sequence[bytes]) -> None:
        """Forget the oldest lines, as `peek` gave them."""
        segment = self._oldest()
        if segment is None:
            return
        mark = segment.mark
        settled = mark.settled + sum(map(len, lines)) + len(lines)
        segment.set_mark(Mark(settled, max(mark.tried, settled), mark.tried_at_ms))
        if segment.unsettled_bytes:
            return
        if segment is not self._own:
            self._segments.remove(segment)
            segment.remove()
        else:
            segment.empty()

    def trying(self, lines: Sequence[bytes], now_ms: int) -> None:
        """Write down that the oldest lines are sent now and may arrive."""
        if segment := self._oldest():
            end = segment.mark.settled + sum(map(len, lines)) + len(lines)
            tried = max(segment.mark.tried, end)
            self._untried = segment.mark
            # The first attempt may have been the only one that arrived, so its time stays.
            in_doubt = segment.mark.tried > segment.mark.settled
            since_ms = segment.mark.tried_at_ms if in_doubt else now_ms
            segment.set_mark(Mark(segment.mark.settled, tried, since_ms))

    def not_tried(self) -> None:
        """Take the last `trying` back: the lines certainly did not arrive."""
        if segment := self._oldest():
            segment.set_mark(self._untried)

    def drop_in_doubt(self, now_ms: int) -> int:
        """Forget lines that may have arrived so long ago that a resend would be counted again."""
        segment = self._oldest()
        if segment is None or segment.mark.tried <= segment.mark.settled:
            return 0
        if now_ms - segment.mark.tried_at_ms <= IN_DOUBT_MS_MAX:
            return 0
        lines = segment.lines_between(segment.mark.settled, segment.mark.tried)
        segment.set_mark(replace(segment.mark, settled=segment.mark.tried))
        if not segment.unsettled_bytes:
            self.settle([])
        return lines

    def close(self) -> None:
        """Let go of all files; empty ones are removed, the others wait for the next process."""
        for segment in self._segments:
            if segment.end == HEADER_BYTES or not segment.unsettled_bytes:
                segment.remove()
            else:
                segment.close()
        self._segments, self._own = [], None

    def abandon(self) -> None:
        """Close what a fork copied: the files and their locks stay the parent's."""
        for segment in self._segments:
            segment.close()
        self._segments, self._own = [], None

    def _oldest(self) -> Segment | None:
        return next((segment for segment in self._segments if segment.unsettled_bytes), None)

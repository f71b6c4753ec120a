"""What waits for an acknowledgement: on disk if there is a spool, else one batch in memory.

A batch that the disk does not take stays in memory, and the next one has to wait in the inbox:
memory is bounded, and a full disk stops nothing while ingest is up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from wattoken.client.errors import SpoolError
from wattoken.client.spool import IN_DOUBT_MS_MAX, Spool


class Outbox:
    """Between the thread that collects and the one that sends; ``said`` is told of disk faults."""

    def __init__(self, spool: Spool | None, said: Callable[[str], None]) -> None:
        self._changed = threading.Condition()
        self._spool = spool
        self._said = said
        self._memory: list[bytes] = []
        self._memory_tried = 0
        self._memory_tried_at_ms = 0
        self._memory_untried = (0, 0)
        self._from_spool = False
        self._stopped = False

    def adopt_leftovers(self) -> int:
        """Take over what other processes left on disk; say how many lines."""
        with self._changed:
            lines = self._spool.adopt_leftovers() if self._spool else 0
            self._changed.notify_all()
            return lines

    def add(self, lines: Sequence[bytes]) -> bool:
        """Take a batch, on disk where possible; waits for room, and says False once stopped."""
        with self._changed:
            while not self._take(lines):
                if self._stopped:
                    return False
                self._changed.wait()
            self._changed.notify_all()
            return True

    def _take(self, lines: Sequence[bytes]) -> bool:
        if self._spool:
            try:
                self._spool.append(lines)
                return True
            except SpoolError as error:
                self._said(str(error))
        if self._memory:
            return False
        self._memory = list(lines)
        self._memory_tried = self._memory_tried_at_ms = 0
        return True

    def next_batch(self, events_max: int, bytes_max: int) -> list[bytes]:
        """Wait for the oldest lines and read them; they stay. Empty once stopped."""
        with self._changed:
            while not self._stopped:
                if lines := self._peek(events_max, bytes_max):
                    return lines
                self._changed.wait()
            return []

    def _peek(self, events_max: int, bytes_max: int) -> list[bytes]:
        lines: list[bytes] = []
        if self._spool:
            try:
                lines = self._spool.peek(events_max, bytes_max)
            except SpoolError as error:
                self._said(str(error))
        self._from_spool = bool(lines)
        return lines or self._memory[:events_max]

    def trying(self, lines: Sequence[bytes], now_ms: int) -> None:
        """Note that the lines are sent now and may arrive."""
        with self._changed:
            if self._from_spool and self._spool:
                self._spool.trying(lines, now_ms)
                return
            self._memory_untried = (self._memory_tried, self._memory_tried_at_ms)
            if not self._memory_tried:
                self._memory_tried_at_ms = now_ms
            self._memory_tried = max(self._memory_tried, len(lines))

    def not_tried(self) -> None:
        """Take the last `trying` back: the lines certainly did not arrive."""
        with self._changed:
            if self._from_spool and self._spool:
                self._spool.not_tried()
            else:
                self._memory_tried, self._memory_tried_at_ms = self._memory_untried

    def settle(self, lines: Sequence[bytes]) -> None:
        """Forget the lines of the last `next_batch`."""
        with self._changed:
            if self._from_spool and self._spool:
                self._spool.settle(lines)
            else:
                del self._memory[: len(lines)]
                self._memory_tried = max(0, self._memory_tried - len(lines))
            self._changed.notify_all()

    def drop_in_doubt(self, now_ms: int) -> int:
        """Forget what may have arrived too long ago to be sent again; say how many lines."""
        with self._changed:
            lines = self._spool.drop_in_doubt(now_ms) if self._spool else 0
            if self._memory_tried and now_ms - self._memory_tried_at_ms > IN_DOUBT_MS_MAX:
                lines += self._memory_tried
                del self._memory[: self._memory_tried]
                self._memory_tried = 0
            self._changed.notify_all()
            return lines

    def stop(self) -> None:
        """Let both threads end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def close(self, rest: Sequence[bytes], timeout_seconds: float) -> int:
        """Put on disk what is in memory, and ``rest``; say how many lines are lost instead.

        A disk that hangs in another thread's hands is waited for so long at most.
        """
        if not self._changed.acquire(timeout=timeout_seconds):
            return len(self._memory) + len(rest)
        try:
            left = [*self._memory, *rest]
            self._memory = []
            lost = len(left)
            if self._spool:
                try:
                    if left:
                        self._spool.append(left)
                    lost = 0
                except SpoolError as error:
                    self._said(str(error))
                self._spool.close()
                self._spool = None
            return lost
        finally:
            self._changed.release()

    def abandon(self) -> None:
        """Close what a fork copied."""
        # Without the lock: the thread that held it is not in this process.
        if self._spool:
            self._spool.abandon()

"""What was recorded and not yet looked at: a bounded queue in memory that never blocks a caller."""

from __future__ import annotations

import threading
import time
from collections import deque


class Inbox:
    """Lines in the order they came, bounded in number and bytes; safe between threads."""

    def __init__(self, events_max: int, bytes_max: int) -> None:
        # Reentrant: a signal handler may record while its own thread is in `put`.
        self._changed = threading.Condition(threading.RLock())
        self._lines: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._wake_at = 1
        self._hurried = False

    def put(self, line: bytes) -> bool:
        """Take a line, or say False where there is no room."""
        with self._changed:
            if len(self._lines) >= self._events_max or self._bytes + len(line) > self._bytes_max:
                return False
            self._lines.append((time.monotonic(), line))
            self._bytes += len(line)
            # The reader sleeps until the first line's age or a whole batch: waking it for each
            # line would cost the caller more than the line itself.
            if len(self._lines) in (1, self._wake_at):
                self._changed.notify_all()
            return True

    def take(self, events_max: int, age_seconds: float) -> list[bytes]:
        """Wait for a batch: that many lines, or fewer once the oldest is of that age.

        Returns at once with what there is, perhaps nothing, after `hurry`.
        """
        with self._changed:
            self._wake_at = min(events_max, self._events_max)
            while not self._hurried and len(self._lines) < self._wake_at:
                if not self._lines:
                    self._changed.wait()
                    continue
                left_seconds = self._lines[0][0] + age_seconds - time.monotonic()
                if left_seconds <= 0:
                    break
                self._changed.wait(left_seconds)
            lines = [self._lines.popleft()[1] for _ in range(min(events_max, len(self._lines)))]
            self._bytes -= sum(map(len, lines))
            # Who hurries wants all of it, batch after batch.
            self._hurried = self._hurried and bool(self._lines)
            return lines

    def drain(self) -> list[bytes]:
        """Take all there is."""
        with self._changed:
            lines = [line for _, line in self._lines]
            self._lines.clear()
            self._bytes = 0
            return lines

    def hurry(self) -> None:
        """Make `take` return at once, until there is nothing left."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

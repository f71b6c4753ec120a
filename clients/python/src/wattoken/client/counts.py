"""What became of the events: every one is delivered, rejected, dropped, or still waiting."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """A snapshot, in events; ``recorded + resumed`` is always the sum of what became of them."""

    #: Calls of `Meter.record` in this process.
    recorded: int = 0
    #: Found in the spool, left there by a process that ended before it could send them.
    resumed: int = 0
    #: Acknowledged by ingest.
    delivered: int = 0
    #: Refused by ingest as no valid events; logged, and not sent again.
    rejected: int = 0
    #: Dropped: could not be made into an event.
    dropped_invalid: int = 0
    #: Dropped: the queue was full because ingest is down or slow, and the spool full or absent.
    dropped_queue_full: int = 0
    #: Dropped: left in memory when the process ended, or recorded after that.
    dropped_at_exit: int = 0
    #: Dropped: perhaps delivered, but too long ago for ingest to notice a second time.
    dropped_in_doubt: int = 0
    #: Requests that failed and were, or will be, sent again. Requests, not events.
    failed_attempts: int = 0

    @property
    def dropped(self) -> int:
        """All that was lost, whatever the reason."""
        return (
            self.dropped_invalid
            + self.dropped_queue_full
            + self.dropped_at_exit
            + self.dropped_in_doubt
        )

    @property
    def waiting(self) -> int:
        """In memory or on disk, neither delivered nor given up."""
        return self.recorded + self.resumed - self.delivered - self.rejected - self.dropped


class Tally:
    """The counts as they grow; safe between threads."""

    def __init__(self) -> None:
        # Reentrant: a signal handler may record while its own thread is counting.
        self._changed = threading.Condition(threading.RLock())
        self._numbers: Counter[str] = Counter()

    def add(self, name: str, number: int = 1) -> None:
        """Count ``number`` more of a field of `Counts`."""
        with self._changed:
            self._numbers[name] += number
            if name != "recorded":
                self._changed.notify_all()

    def counts(self) -> Counts:
        """Take a snapshot."""
        with self._changed:
            return Counts(**self._numbers)

    def wait_until_settled(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits any more; say whether that came in time."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while self.counts().waiting > 0:
                left_seconds = deadline - time.monotonic()
                if left_seconds <= 0:
                    return False
                self._changed.wait(left_seconds)
        return True

"""Watches how far each partition is metered: progress after faults, and that nothing goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.database import Database, DatabaseAwayError
from tests.chaos.oracle import Place

LOOK_SECONDS: Final = 0.5


@dataclass(slots=True)
class Recovery:
    """How the meter gets going after a moment (in seconds of `time.monotonic`).

    A partition has recovered when its checkpoint moves. All of them have records to read at any
    time, for the senders never rest.
    """

    since: float
    #: Checkpoints at the first look.
    before: dict[Place, int] = field(default_factory=dict)
    took: dict[Place, float] = field(default_factory=dict)

    def look(self, now: float, checkpoints: dict[Place, int], places: Iterable[Place]) -> None:
        """Take a look at the partitions that have not moved yet."""
        for place in places:
            now_at = checkpoints.get(place, 0)
            if now_at > self.before.setdefault(place, now_at) and place not in self.took:
                self.took[place] = now - self.since

    @property
    def pending(self) -> list[Place]:
        """Partitions that have not moved."""
        return sorted(place for place in self.before if place not in self.took)

    @property
    def done(self) -> bool:
        """Whether every partition has moved."""
        return bool(self.before) and not self.pending

    def seconds(self, now: float) -> float:
        """How long the slowest took, or has been taking."""
        return max(self.took.values()) if self.done else now - self.since


class Progress:
    """Looks at the checkpoints all the time; `fell` are those that went back with no restore."""

    def __init__(self, database: Database, places: Callable[[], Iterable[Place]]) -> None:
        self._database = database
        self._places = places
        self._lock = threading.Lock()
        self._latest: dict[Place, int] = {}
        self._recovery: Recovery | None = None
        self._restoring = 0
        self.fell: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join(10)

    def restoring(self, change: int) -> None:
        """Tell that a restore begins (1) or is over (-1): checkpoints may go back meanwhile."""
        with self._lock:
            self._restoring += change
            self._latest = {}

    def checkpoints(self) -> dict[Place, int]:
        """How far each partition is metered, as was seen last."""
        with self._lock:
            return dict(self._latest)

    def watch_recovery(self) -> Recovery:
        """Begin to measure how the meter gets going from now on."""
        with self._lock:
            self._recovery = Recovery(time.monotonic())
            return self._recovery

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            with self._lock:
                restoring = self._restoring
            try:
                offsets = self._database.offsets()
            except DatabaseAwayError:
                continue
            self._take(offsets, in_restore=bool(restoring))

    def _take(self, offsets: dict[Place, int], *, in_restore: bool) -> None:
        with self._lock:
            if self._restoring or in_restore:
                return
            for place, before in self._latest.items():
                if offsets.get(place, 0) < before:
                    self.fell.append(
                        f"checkpoint of {place} fell from {before} to {offsets.get(place, 0)}"
                    )
            self._latest = offsets
            if self._recovery is not None:
                self._recovery.look(time.monotonic(), offsets, self._places())

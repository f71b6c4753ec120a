"""States on their way from the thread that recovers them to the loop that meters them.

Whoever waits for a recovery may be cancelled or lose interest while its thread still works. What
the thread then built belongs to nobody; each state holds a place of ids on disk, so it is closed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from services.aggregator.core.partition import PartitionState


class Handover:
    """Takes states over once, or closes them, whichever side comes last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused = False
        self._waiting: Mapping[int, PartitionState] = {}

    def offer(self, build: Callable[[], dict[int, PartitionState]]) -> dict[int, PartitionState]:
        """Build states, in the thread; they are closed where nobody wants them any more."""
        states = build()
        with self._lock:
            if self._refused:
                close(states)
                return {}
            self._waiting = states
        return states

    def refuse(self) -> None:
        """Want no states any more: what was offered, or will be, is closed."""
        with self._lock:
            self._refused = True
            waiting, self._waiting = self._waiting, {}
        close(waiting)


def close(states: Mapping[int, PartitionState]) -> None:
    """Let go of what states hold outside memory."""
    for state in states.values():
        state.seen.close()

"""Starts dead children again, and gives up on one that dies too often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from services.local_stack.cache import Report
from services.local_stack.errors import ChildFailed
from services.local_stack.processes import Child

RESTARTS_MAX = 5
WINDOW_SECONDS = 60.0


class Revival:
    """Remembers when each child was started again; takes the time as an argument."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._starts: dict[str, list[float]] = defaultdict(list)

    def revive(self, children: Iterable[Child], now_seconds: float) -> None:
        """Start again every child that is dead.

        Raises `ChildFailed` for one that was started `RESTARTS_MAX` times in `WINDOW_SECONDS`.
        """
        for child in children:
            if child.alive:
                continue
            recent = [at for at in self._starts[child.name] if now_seconds - at < WINDOW_SECONDS]
            if len(recent) >= RESTARTS_MAX:
                raise ChildFailed(child.failure(f"died {RESTARTS_MAX} times in a minute"))
            self._starts[child.name] = [*recent, now_seconds]
            self._report(f"{child.name}: ended with {child.ending}, starting it again")
            try:
                child.restart()
            except ChildFailed as error:
                self._report(str(error))

"""Waiting for what others do: says what for, and gives up when nothing moves for too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from services.platform.errors import UnavailableError, WattokenError

LOOK_SECONDS: Final = 0.5
SAID_AGAIN_SECONDS: Final = 5.0


class NothingMovesError(WattokenError):
    """What was waited for did not come; a person must see why, and run it again."""


class Patience:
    """How long may nothing move; ``report`` gets a line now and then."""

    def __init__(
        self,
        seconds: float,
        report: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._report = report
        self._sleep = sleep
        self._clock = clock

    def wait(self, look: Callable[[], str | None], remedy: str) -> None:
        """Look again and again until there is nothing to wait for.

        ``look`` gives what is waited for, None when it is there; another text than before is
        progress. Kafka or ClickHouse being away is waited for as well. Raises `NothingMovesError`
        with the last text and the remedy, and whatever else ``look`` raises.
        """
        last, moved_at, said_at = "", self._clock(), 0.0
        while True:
            try:
                waited_for = look()
            except UnavailableError as error:
                waited_for = str(error)
            if waited_for is None:
                return
            now = self._clock()
            if waited_for != last:
                last, moved_at = waited_for, now
            if now - moved_at > self._seconds:
                raise NothingMovesError(
                    f"{waited_for}, and nothing moved for {self._seconds:g} s: {remedy}"
                )
            if now - said_at >= SAID_AGAIN_SECONDS:
                said_at = now
                self._report(f"waiting: {waited_for}")
            self._sleep(LOOK_SECONDS)

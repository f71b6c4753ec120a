"""PURE: how long to wait between attempts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Longer than this no answer makes us wait, whatever its Retry-After says.
WAIT_SECONDS_MAX: Final = 3600.0


class Pace:
    """Waits that double up to a limit, each drawn at random so that gateways do not march in step.

    ``random`` gives numbers from 0 to 1. Between attempts lies at most ``limit_seconds``, or what
    the server asked for and a little more, never less.
    """

    def __init__(
        self, first_seconds: float, limit_seconds: float, random: Callable[[], float]
    ) -> None:
        self._first_seconds = first_seconds
        self._limit_seconds = limit_seconds
        self._random = random
        self._failures = 0

    def succeeded(self) -> None:
        """Begin again."""
        self._failures = 0

    def after_failure(self, asked_seconds: float | None = None) -> float:
        """Say how long to wait now."""
        # The exponent is bounded too: 2.0 ** 1024 is an error.
        span = min(self._limit_seconds, self._first_seconds * 2.0 ** min(self._failures, 30))
        self._failures += 1
        if asked_seconds is None:
            return span * (0.5 + 0.5 * self._random())
        return min(asked_seconds, WAIT_SECONDS_MAX) + span * 0.5 * self._random()

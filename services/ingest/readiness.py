"""Whether the broker is reachable, asked at most once a second however often one looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_FRESH_SECONDS: Final = 1.0


class Readiness:
    """The last answer of a blocking probe, renewed in a thread when it is stale."""

    def __init__(self, probe: Callable[[], bool]) -> None:
        self._probe = probe
        self._lock = asyncio.Lock()
        self._ready = False
        self._asked_at: float | None = None

    async def ready(self) -> bool:
        """Say whether the broker answers and has the topic."""
        async with self._lock:
            now = time.monotonic()
            if self._asked_at is None or now - self._asked_at > _FRESH_SECONDS:
                self._ready = await asyncio.to_thread(self._probe)
                self._asked_at = time.monotonic()
            return self._ready

"""One group of figures, kept for a while and renewed when someone looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from services.exporter.control_room.document import Section
from services.exporter.sampler import Sample, Sampler

#: Viewers that come within this time share one answer.
KEEP_SECONDS: Final = 1.5
#: A group that takes long to read is renewed less often: reading takes at most this part of time.
READING_SHARE_MAX: Final = 0.2


class Group:
    """The newest figures of one query. Not thread-safe: for one event loop.

    Nothing is read while nobody looks. What is there already is shown while it is renewed, if the
    renewal takes longer than the caller wants to wait.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Any],
        timeout_seconds: float,
        clock: Callable[[], float],
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        self.name = name
        self._sampler: Sampler[Any] = Sampler(f"control room: {name}", read, timeout_seconds)
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._due_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.section = Section(None, None)

    @property
    def tried(self) -> bool:
        """Whether there is something to show: figures, or why there are none."""
        return self.section.read_at is not None or self.section.error is not None

    def renew(self) -> asyncio.Task[None] | None:
        """Begin to read again if it is time to; the task that reads, or None."""
        if self._task is not None and not self._task.done():
            return self._task
        self._task = None
        if time.monotonic() >= self._due_at:
            self._task = asyncio.create_task(self._renew())
        return self._task

    async def _renew(self) -> None:
        sample = await self._sampler.sample()
        wait_seconds = max(self._keep_seconds, sample.duration_seconds / READING_SHARE_MAX)
        # A failure is tried again soon: the wait for it was the timeout's, not the query's.
        self._due_at = time.monotonic() + (KEEP_SECONDS if sample.error else wait_seconds)
        self.section = _after(self.section, sample, self._clock())


def _after(before: Section, sample: Sample[Any], now: float) -> Section:
    """Keep the old figures when there are no new ones, and say since when and why."""
    if sample.error is None:
        return Section(sample.value, now)
    since = before.error_since if before.error is not None else now
    return Section(before.data, before.read_at, sample.error, since)

"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType, TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from services.platform.terminal import cell

LINE_EVERY_SECONDS: Final = 5.0


class ProgressShown:
    """Shows how much of ``total`` is done, on stderr; a context manager."""

    def __init__(self, title: str, total: int | None, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        # Such as the name of a file that others chose.
        self._title = cell(title)
        self._total = total
        self._line_at = time.monotonic() + LINE_EVERY_SECONDS
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task(self._title, total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int | None = None) -> None:
        """Show that ``done`` of the total are done; ``total`` changes it."""
        self._total = self._total if total is None else total
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self._total)
        elif time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_EVERY_SECONDS
            of = "" if self._total is None else f" of {self._total:,}"
            self._console.print(f"{self._title}: {done:,}{of}", highlight=False)


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """Give an event that the first SIGINT or SIGTERM sets; a second one interrupts."""
    stop = Event()

    def first(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, first) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

"""Reads a source that may hang, without hanging the scrape and with at most one thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.platform.errors import WattokenError
from services.platform.log import get_logger

T = TypeVar("T")
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """One attempt to read a source: its value, or why there is none."""

    value: T | None
    error: str | None
    duration_seconds: float


class Sampler(Generic[T]):
    """One source (a query, a look-up at the broker), read on demand in a thread of its own.

    - `sample` never raises and never waits longer than the timeout.
    - At most one read is under way: a caller that comes meanwhile shares it, and so does the next
      scrape after one that ran out of time, so a hung server costs one thread, not one a scrape.
    - The thread is a daemon: a hung read does not keep the process from ending.

    ``read`` is called by one thread at a time, never by two at once. Use from one event loop.
    """

    def __init__(self, name: str, read: Callable[[], T], timeout_seconds: float) -> None:
        self.name = name
        self._read = read
        self._timeout_seconds = timeout_seconds
        self._under_way: Future[T] | None = None
        self._last_error: str | None = None

    async def sample(self) -> Sample[T]:
        """Read the source, or share the read that is under way."""
        begin = time.perf_counter()
        value: T | None = None
        error: str | None = None
        try:
            # Shielded: this caller giving up must not cancel the read for the others.
            value = await asyncio.wait_for(
                asyncio.shield(asyncio.wrap_future(self._start())), self._timeout_seconds
            )
        except TimeoutError:
            error = f"no answer within {self._timeout_seconds:g} s"
        except WattokenError as known:
            error = str(known)
        except Exception as unknown:
            # A fault of ours in one source must not take the others' families away.
            _log.exception("collector raised", collector=self.name)
            error = repr(unknown)
        self._log_change(error)
        return Sample(value, error, time.perf_counter() - begin)

    def _start(self) -> Future[T]:
        if self._under_way is None or self._under_way.done():
            future: Future[T] = Future()
            self._under_way = future
            threading.Thread(
                target=self._run, args=(future,), name=f"read-{self.name}", daemon=True
            ).start()
        return self._under_way

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._read())
        except BaseException as error:
            future.set_exception(error)

    def _log_change(self, error: str | None) -> None:
        """Log once when a source fails and once when it is back, not at every scrape."""
        if error is not None and self._last_error is None:
            _log.warning("collector fails", collector=self.name, reason=error)
        elif error is None and self._last_error is not None:
            _log.warning("collector answers again", collector=self.name)
        self._last_error = error

"""Reads a source that may hang, without hanging the scrape and with at most one thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.platform.errors import WattokenError
from services.platform.log import get_logger

T = TypeVar("T")
_log = get_logger(__name__)

#: A kept reading that took a second is left alone for four: it has a fifth of the time at most.
REST_PER_READING: Final = 4
#: A kept reading is shown while a newer one is made, but not for longer than this.
KEPT_SECONDS_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """One attempt to read a source: its value, or why there is none."""

    value: T | None
    error: str | None
    duration_seconds: float


def own_thread(name: str, run: Callable[[], None]) -> None:
    """Run in a thread of its own; a daemon, so a hung read does not keep the process."""
    threading.Thread(target=run, name=f"read-{name}", daemon=True).start()


class Turns:
    """Runs what it is given one after the other, in one daemon thread that ends when none is left.

    So all kept readings together load the database with one query at a time.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._busy = False

    def __call__(self, name: str, run: Callable[[], None]) -> None:
        """Run when those that came before are done."""
        with self._lock:
            self._waiting.append(run)
            if self._busy:
                return
            self._busy = True
        own_thread("kept", self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                run = self._waiting.popleft()
            run()


class Sampler(Generic[T]):
    """One source (a query, a look-up at the broker), read on demand in a thread.

    - `sample` never raises and never waits longer than the timeout.
    - At most one read is under way: a caller that comes meanwhile shares it, and so does the next
      scrape after one that ran out of time, so a hung server costs one thread, not one a scrape.

    ``read`` is called by one thread at a time, never by two at once. Use from one event loop.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], T],
        timeout_seconds: float,
        start: Callable[[str, Callable[[], None]], None] = own_thread,
    ) -> None:
        self.name = name
        self._read = read
        self._timeout_seconds = timeout_seconds
        self._start_thread = start
        self._under_way: Future[T] | None = None
        #: Why the last read that ended has failed; empty where it did not.
        self._why = ""
        #: What was logged last: nothing, that it fails, or that and why.
        self._logged = ""

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
            # The read before this one may have gone on until it knew what is wrong.
            why = f": {self._why}" if self._why else ""
            error = f"no answer within {self._timeout_seconds:g} s{why}"
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
            self._start_thread(self.name, lambda: self._run(future))
        return self._under_way

    def _run(self, future: Future[T]) -> None:
        try:
            value = self._read()
        except BaseException as error:
            self._why = str(error) if isinstance(error, WattokenError) else ""
            future.set_exception(error)
        else:
            self._why = ""
            future.set_result(value)

    def _log_change(self, error: str | None) -> None:
        """Log once when a source fails, once when the reason is known, and once when it is back."""
        state = "" if error is None else "fails, and why" if self._why else "fails"
        if error is not None and state != self._logged and self._logged != "fails, and why":
            _log.warning("collector fails", collector=self.name, reason=error)
        elif error is None and self._logged:
            _log.warning("collector answers again", collector=self.name)
        else:
            return
        self._logged = state


class KeptSampler(Generic[T]):
    """A source too heavy for every scrape: its last reading is shown until there is a newer one.

    Nobody waits for a newer reading while there is one to show; the first is waited for once, as
    long as ``wait_seconds``. A new one is made when a scrape asks and the last is older than
    ``refresh_seconds`` and than `REST_PER_READING` times what it took, or has failed. A reading
    that failed is not shown, nor the one before it.
    With ``refresh_seconds`` 0 every sample is read afresh and waited for.
    """

    def __init__(
        self,
        sampler: Sampler[tuple[T, float]],
        refresh_seconds: float,
        wait_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = sampler.name
        self._sampler = sampler
        self._refresh_seconds = refresh_seconds
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._last: Sample[T] | None = None
        self._read_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._waited_for: asyncio.Task[None] | None = None

    async def sample(self) -> Sample[T]:
        """Give the last reading, and start a newer one when it is time."""
        if self._due():
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._renew())
            if self._must_wait(self._renewal):
                await asyncio.wait({self._renewal}, timeout=self._wait_seconds)
                self._waited_for = self._renewal
        if self._last is None or self._age() > KEPT_SECONDS_MAX:
            return Sample(None, f"no reading within {self._wait_seconds:g} s", self._wait_seconds)
        return self._last

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _due(self) -> bool:
        if self._last is None or self._last.error is not None or self._refresh_seconds == 0:
            return True
        rest = REST_PER_READING * self._last.duration_seconds
        return self._age() >= max(self._refresh_seconds, rest)

    def _must_wait(self, renewal: asyncio.Task[None]) -> bool:
        none = self._last is None or self._age() > KEPT_SECONDS_MAX
        # A reading that was waited for in vain is no longer waited for: scrapes stay quick.
        return (none and self._waited_for is not renewal) or self._refresh_seconds == 0

    async def _renew(self) -> None:
        made = await self._sampler.sample()
        value, seconds = made.value or (None, made.duration_seconds)
        self._last = Sample(value, made.error, seconds)
        self._read_at = self._clock()


def timed(read: Callable[[], T]) -> Callable[[], tuple[T, float]]:
    """Also tell how long the read itself took, without the wait for its turn."""

    def read_timed() -> tuple[T, float]:
        begin = time.perf_counter()
        return read(), time.perf_counter() - begin

    return read_timed

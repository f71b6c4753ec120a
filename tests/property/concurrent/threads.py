"""Threads of a process that run only when they are told, one at a time, and stop where asked.

A recovery is plain blocking code that asks a dozen questions one after the other. To let other
things happen between two of them, it runs in a thread of its own, and hands control back and forth
with the schedule: never do two of them run at once, so the same choices give the same run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.property.concurrent.loop import Killed


class Stepped:
    """A call that can be left and gone on with."""

    def __init__(self, thread: PooledThread) -> None:
        self._thread = thread
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.doomed = False

    def go_on(self) -> None:
        """Run until it pauses or is done."""
        self._thread.switch_to()

    def pause(self) -> None:
        """Called by the work itself: let others go on. Raises `Killed` when told to end."""
        self._thread.switch_back()
        if self.doomed:
            raise Killed

    def unwind(self) -> None:
        """End it where it stands."""
        self.doomed = True
        while not self.done:
            self.go_on()


class PooledThread:
    """A thread that runs one call after another."""

    free: list[PooledThread] = []

    def __init__(self) -> None:
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._work: Callable[[], Any] | None = None
        self._call: Stepped | None = None
        threading.Thread(target=self._run, daemon=True).start()

    @classmethod
    def start(cls, work: Callable[[], Any]) -> Stepped:
        """Take a free thread for a call, which begins at its first `Stepped.go_on`."""
        thread = cls.free.pop() if cls.free else cls()
        call = thread._call = Stepped(thread)
        thread._work = work
        return call

    def switch_to(self) -> None:
        self._go.release()
        self._back.acquire()

    def switch_back(self) -> None:
        self._back.release()
        self._go.acquire()

    def _run(self) -> None:
        while True:
            self._go.acquire()
            work, call = self._work, self._call
            assert work is not None and call is not None
            try:
                if call.doomed:
                    raise Killed
                call.result = work()
            except BaseException as error:
                call.error = error
            call.done = True
            self._work = self._call = None
            PooledThread.free.append(self)
            self._back.release()

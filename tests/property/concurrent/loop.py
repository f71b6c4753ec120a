"""The event loop of one model process: real asyncio, without a clock and without a selector.

Tasks, locks, events, `asyncio.sleep` and `wait_for` are asyncio's own. What such a loop waits for
in a real process (a thread's answer, the broker, time) is an `Item` here: it lies in wait until the
schedule takes it, in whatever order that likes. So the interleaving of all processes is the
schedule's choice, and the same choices give the same run.

Time is one number for the whole world, which moves to a timer when the schedule lets it ring.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from dataclasses import dataclass
from typing import Any


class Killed(BaseException):
    """The process ends here: raised where it stood, so that nothing of it goes on."""


@dataclass(slots=True, eq=False)
class Item:
    """Something that may happen next."""

    name: str
    happen: Callable[[], None]
    #: Whether it may happen yet.
    ready: Callable[[], bool] = lambda: True
    #: Of all that may happen to a process, what has the highest goes first, where that is the way.
    priority: int = 0
    #: For how many steps more it is held up.
    held: int = 0


class Clock:
    """The time that all processes have in common, in seconds."""

    def __init__(self) -> None:
        self.now_seconds = 0.0


class Timer(events.TimerHandle):
    """What rings at a time."""

    priority: int


class ProcessLoop(asyncio.AbstractEventLoop):
    """Runs what is ready, when it is told to."""

    def __init__(
        self,
        clock: Clock,
        submit: Callable[[Executor | None, Any], Any],
        draw_priority: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._draw_priority = draw_priority
        self._submit = submit
        self._ready: deque[events.Handle] = deque()
        self._timers: list[Timer] = []
        self.tasks: list[asyncio.Task[Any]] = []
        #: Exceptions that reached the loop: a callback's.
        self.errors: list[BaseException] = []
        self.dead = False

    # What the schedule calls.

    @property
    def busy(self) -> bool:
        """Whether something is ready to run."""
        return bool(self._ready) and not self.dead

    def run_ready(self, most: int = 10_000) -> None:
        """Run what is ready, and what that makes ready; at most so many callbacks."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while self._ready and most and not self.dead:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
                most -= 1
        finally:
            events._set_running_loop(before)

    def next_timer(self) -> Item | None:
        """The next timer that is set, to let it ring."""
        while self._timers and self._timers[0].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return Item("time passes", self._ring, priority=self._timers[0].priority)

    def _ring(self) -> None:
        timer = heapq.heappop(self._timers)
        self._clock.now_seconds = max(self._clock.now_seconds, timer.when())
        self._ready.append(timer)

    def end(self) -> None:
        """Run nothing any more, and unwind what was going on."""
        self.dead = True
        self._ready.clear()
        self._timers.clear()
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            if not task.done():
                try:
                    coroutine: Any = task.get_coro()
                    coroutine.close()
                except RuntimeError:
                    pass  # It waits in a `finally`: nobody waits for that now.

    # What asyncio calls.

    def time(self) -> float:
        return self._clock.now_seconds

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        if not self.dead:
            self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> events.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> events.TimerHandle:
        timer = Timer(when, callback, args, self, context)
        timer.priority = self._draw_priority()
        if not self.dead:
            heapq.heappush(self._timers, timer)
        return timer

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Nothing to do: `next_timer` passes over it."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coroutine: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        task: Any = asyncio.Task(coroutine, loop=self, name=name)
        task._log_destroy_pending = False
        self.tasks.append(task)
        if len(self.tasks) > 64:
            self.tasks = [one for one in self.tasks if not one.done()]
        return task  # type: ignore[no-any-return]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        return self._submit(executor, (lambda: func(*args)) if args else func)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, Killed):
            self.errors.append(error)

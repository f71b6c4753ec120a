"""A process of the model: an event loop, threads, edges to the outside, an end at any moment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from services.platform import errors
from tests.property.concurrent.loop import Item, Killed, ProcessLoop
from tests.property.concurrent.threads import PooledThread, Stepped

T = TypeVar("T")


class Job:
    """A call in a thread, and the future that its answer goes to."""

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any], priority: int) -> None:
        self.work = work
        self.priority = priority
        self.future = future
        self.stepped: Stepped | None = None
        self.at = ""
        #: For how many steps more it is held up.
        self.held = 0


class Process:
    """Runs tasks on a loop of its own; all that it wants of the world are items of a list."""

    def __init__(self, world: Any, name: str, host: Any) -> None:
        self.world = world
        self.name = name
        self.host = host
        self.loop = ProcessLoop(  # type: ignore[abstract]
            world.clock, self._submit, world.priority
        )
        self.dead = False
        #: Raised `Killed`, and to be ended as soon as the schedule has control again.
        self.doomed = False
        #: Was told by Kafka or ClickHouse that it never will do what it asks.
        self.refused = False
        self._waiting: list[Item] = []
        self._queues: dict[int, deque[Job]] = {}
        #: Calls in threads of nobody's order, as of `run_in_executor(None, ...)`.
        self._loose: list[Job] = []
        self._job: Job | None = None
        #: Locks of stores that it holds: by file descriptor, what for.
        self.locks: dict[int, str] = {}

    def __repr__(self) -> str:
        return self.name

    # What may happen next.

    def items(self) -> list[Item]:
        """All that may happen, oldest first within each kind."""
        if self.dead:
            return []
        items = [Item("go on", lambda: None, priority=200)] if self.loop.busy else []
        items += [item for item in self._waiting if not item.held and item.ready()]
        for queue in self._queues.values():
            while queue and queue[0].stepped is None and queue[0].future.cancelled():
                queue.popleft()
            if queue and not queue[0].held:
                items.append(self._item_of(queue[0]))
        items += [self._item_of(job) for job in self._loose if not job.held]
        timer = self.loop.next_timer()
        return items if timer is None else [*items, timer]

    @property
    def in_a_call(self) -> bool:
        """Whether a call of it stands between two steps."""
        return any(queue and queue[0].stepped is not None for queue in self._queues.values())

    def delayable(self) -> list[Item | Job]:
        """What outside of it is under way: calls, and answers."""
        heads = [queue[0] for queue in self._queues.values() if queue]
        answers = [item for item in self._waiting if item.name.startswith("answer")]
        return [*answers, *heads, *self._loose]

    def _under_way(self) -> list[Item | Job]:
        """The same, and the calls that wait behind others."""
        queued = [job for queue in self._queues.values() for job in queue]
        return [*self._waiting, *queued, *self._loose]

    @property
    def held_up(self) -> bool:
        """Whether something of it is held up."""
        return any(call.held for call in self._under_way())

    def tick(self, steps: int) -> None:
        """So many steps have passed."""
        for call in self._under_way():
            call.held = max(0, call.held - steps)

    def happen(self, item: Item, callbacks: int) -> None:
        """Let one thing happen, and run what it makes ready, up to so many callbacks."""
        self.world.current = self
        if item in self._waiting:
            self._waiting.remove(item)
        try:
            item.happen()
            if not self.doomed:
                self.loop.run_ready(callbacks)
        except Killed:
            self.doomed = True
        finally:
            self.world.current = None

    def wait_for(
        self, name: str, effect: Callable[[], T], ready: Callable[[], bool] = lambda: True
    ) -> asyncio.Future[T]:
        """Something outside that happens when the schedule says so, and answers then or later."""
        future = self.loop.create_future()

        def happen() -> None:
            if not future.cancelled():
                self._answer(name, future, effect)

        self._waiting.append(
            Item(name, happen, lambda: not future.done() and ready(), self.world.priority())
        )
        return future

    def _answer(self, name: str, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        self._hand_over(name, future, result, error)

    def _hand_over(
        self, name: str, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        def deliver() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        if self.world.answers_late():
            self._waiting.append(Item(f"answer: {name}", deliver, priority=self.world.priority()))
        else:
            deliver()

    # Threads.

    def _submit(self, executor: Any, work: Callable[[], Any]) -> asyncio.Future[Any]:
        job = Job(work, self.loop.create_future(), self.world.priority())
        if executor is None:
            self._loose.append(job)
        else:
            self._queues.setdefault(id(executor), deque()).append(job)
        return job.future

    def _item_of(self, job: Job) -> Item:
        name = getattr(job.work, "__name__", "work")
        return Item(f"thread: {job.at or name}", lambda: self._run(job), priority=job.priority)

    def _run(self, job: Job) -> None:
        self._job = job
        try:
            if job.stepped is None and not self.world.steps_through():
                self._remove(job)
                result, error = None, None
                try:
                    result = job.work()
                except Exception as raised:
                    error = raised
                self._hand_over(job.at, job.future, result, error)
                return
            if job.stepped is None:
                job.stepped = PooledThread.start(job.work)
            job.stepped.go_on()
        finally:
            self._job = None
        if job.stepped.done:
            self._remove(job)
            if isinstance(job.stepped.error, Killed):
                raise Killed
            self._hand_over(job.at, job.future, job.stepped.result, job.stepped.error)

    def _remove(self, job: Job) -> None:
        if job in self._loose:
            self._loose.remove(job)
        for queue in self._queues.values():
            if queue and queue[0] is job:
                queue.popleft()

    # Edges: what blocking code calls, in a thread or on the loop.

    def edge_call(self, what: str, whom: str, effect: Callable[[], T]) -> T:
        """Ask something of the outside, which may fail before or after it was done."""
        self._pause(what)
        fate = self._fate(whom, what)
        answer = effect()
        if fate in ("fails after", "fails in part"):
            raise unavailable(whom, what)
        if fate in ("killed after", "killed in part"):
            self.kill_here()
        return answer

    def edge_write(self, what: str, insert: Callable[[int], None], count: int) -> None:
        """The same for an insert of so many rows, which may get in in part."""
        self._pause(what)
        fate = self._fate("clickhouse", what)
        insert(self.world.choices.below(count) if fate.endswith("in part") else count)
        if fate.startswith("fails"):
            raise unavailable("clickhouse", what)
        if fate.startswith("killed"):
            self.kill_here()

    def _fate(self, whom: str, what: str) -> str:
        """Meet what comes before the edge; give what comes after it."""
        fate: str = self.world.fate(self, whom, what)
        if fate == "fails before":
            raise unavailable(whom, what)
        if fate == "refused":
            self.refused = True
            raise errors.ConfigurationError(f"the schedule lets {whom} refuse for good: {what}")
        if fate == "killed before":
            self.kill_here()
        return fate

    def _pause(self, what: str) -> None:
        if self._job is None:
            return
        job, self._job.at = self._job, what
        if job.stepped is not None:
            job.stepped.pause()
            self._job = job

    def kill_here(self) -> None:
        """Die at this very step."""
        self.world.note(f"  {self} is killed")
        self.doomed = self.loop.dead = True
        raise Killed

    def end(self) -> None:
        """Be gone: nothing of it runs any more, and the system takes back its locks."""
        self.dead = True
        self.world.current = self
        try:
            for job in [*self._loose, *(job for queue in self._queues.values() for job in queue)]:
                if job.stepped is not None:
                    job.stepped.unwind()
            self.loop.end()
            self.let_go()
        finally:
            self.world.current = None
        self._waiting.clear()
        self._loose.clear()
        self._queues.clear()
        self.world.files.release(self)

    def let_go(self) -> None:
        """Close what a real process's end would close."""


def unavailable(whom: str, what: str) -> Exception:
    """The error of an edge that a retry may fix."""
    if whom == "clickhouse":
        return errors.DatabaseUnavailableError(f"the schedule lets it fail: {what}")
    return errors.UnavailableError(f"the schedule lets it fail: {what}")

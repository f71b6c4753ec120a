"""A process that runs a worker: its tasks, how it is told to stop, and what broke it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from services.aggregator import app as app_module
from services.aggregator.agent import meter_batches
from tests.property.concurrent.app import ModelApp
from tests.property.concurrent.loop import Item
from tests.property.concurrent.process import Job, Process

#: Answers to what a flush does.
WRITES = ("answer: insert", "answer: read offsets")


class WorkerProcess(Process):
    """A process that runs a worker."""

    def __init__(self, world: Any, name: str, host: Any) -> None:
        super().__init__(world, name, host)
        world.current = self
        asyncio.events._set_running_loop(self.loop)
        try:
            self.app = ModelApp(self)
        finally:
            asyncio.events._set_running_loop(None)
            world.current = None
        #: Database restored since it began, so that it may find it older than it was.
        self.restores_seen = world.restores
        app = self.app
        self.running = [
            self.loop.create_task(work, name=what)
            for what, work in (
                ("agent", meter_batches(app)(app.batches())),
                ("flushes", app.keep_flushing()),
                ("tidying up", app.keep_tidying()),
                *([("copying", app.keep_copying())] if world.profile.copies else []),
                ("commits", app.keep_committing()),
                ("recovery", app.keep_recovering()),
                (
                    "fetching",
                    app.consumer._drain_messages(SimpleNamespace(_stopped=app.consumer._stopped)),
                ),
            )
        ]
        self.loop.run_ready()
        self.taking_part: asyncio.Task[None] | None = None
        self.stopping: asyncio.Task[None] | None = None

    def take_part(self) -> None:
        """Hear of a rebalance."""
        if not self.dead and (self.taking_part is None or self.taking_part.done()):
            self.taking_part = self.loop.create_task(self.app.take_part(), name="rebalance")

    @property
    def joining(self) -> bool:
        """Whether it waits for the group to give it partitions."""
        return not self.dead and any(item.name == "join" for item in self._waiting)

    def reading(self) -> list[Item | Job]:
        """What it asks the database, and answers on their way."""
        reader: Any = self.app.meter._reader
        answers = [one for one in self._waiting if one.name.startswith("answer: look up")]
        return [*answers, *self._queues.get(id(reader._executor), ())]

    @property
    def writing(self) -> bool:
        """Whether a flush is between its snapshot and its end."""
        writer: Any = self.app.meter._writer
        answers = [one for one in self._waiting if one.name.startswith(WRITES)]
        return bool(answers or self._queues.get(id(writer._executor)))

    def stop(self) -> None:
        """Be told to end in an orderly way."""
        if self.stopping is None:
            self.app.stopping = True
            self.stopping = self.loop.create_task(self.app.on_stop(), name="stop")

    def broken(self) -> BaseException | None:
        """What ended one of its tasks that should run forever."""
        if self.loop.errors:
            return self.loop.errors[0]
        tasks = [*self.running, self.taking_part, self.stopping]
        for task in tasks:
            if task is not None and task.done() and not task.cancelled():
                error = task.exception()
                if error is not None and not self.doomed:
                    return error
        return None

    @property
    def outlived_its_log(self) -> bool:
        """Whether the topic is another log by now."""
        return self.app.log_model is not self.world.log

    def unmetered(self) -> set[int]:
        """Partitions that it has to meter and does not, though nothing is under way to do it."""
        app = self.app
        if app.stopping or app.rebalancing or app.recovering or app._recovery_signal.is_set():
            return set()
        if self.outlived_its_log:
            return set()  # The watchdog ends it.
        if self.taking_part is not None and not self.taking_part.done():
            return set()
        return app.assigned - set(app.meter.states)

    @property
    def open_stores(self) -> int:
        """How many of its states have ids on disk."""
        stores: list[Any] = [state.seen._older for state in self.app.meter.states.values()]
        return sum(store._place is not None for store in stores)

    def let_go(self) -> None:
        self.app.meter.drop(set(self.app.meter.states))


class _Signal:
    """The module `signal` as the app sees it: a process tells itself to end."""

    SIGTERM = 15

    def __init__(self, current: Any) -> None:
        self._current = current

    def raise_signal(self, number: int) -> None:
        self._current().stop()


def signals_to(current: Any) -> tuple[Any, str, Any]:
    """What to patch so that `MeterApp.fail` ends the model process."""
    return app_module, "signal", _Signal(current)

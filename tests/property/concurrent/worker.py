"""A worker in the model: the real meter, agent and app over a model of Faust's rebalancing.

`MeterApp` and the transport's `Consumer` are the real classes, without the parts of Faust that talk
to a broker: those come from here. What Faust does around ours in a rebalance, and in which order
(0.15.3: `Consumer.on_partitions_revoked`, `App._on_partitions_revoked`,
`Recovery._resume_streams`), is done here in the same order.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from faust.types import TP, ConsumerMessage
from mode.utils.queues import FlowControlEvent

from services.aggregator import app as app_module
from services.aggregator.agent import meter_batches
from services.aggregator.app import MeterApp
from services.aggregator.log_offsets import LogOffsets
from services.aggregator.meter import Meter
from services.aggregator.recovery import Edges
from services.aggregator.seen_store import SeenStores
from services.aggregator.sink_thread import SinkThread
from services.aggregator.transport import Consumer, FetchedBatch
from services.platform.kafka_questions import Commit
from tests.property.concurrent.log import (
    DECODER,
    TOPIC,
    Fetched,
    ModelLog,
    ModelQuestions,
    decoded_of,
    log_of,
)
from tests.property.concurrent.process import Process
from tests.property.concurrent.sink import ModelSink

#: Batches that wait for the agent.
BUFFER = 2
FILTER_BYTES = 4096


def tp(partition: int) -> TP:
    return TP(TOPIC, partition)


def _silent(*arguments: Any) -> None:
    """Tell nobody."""


SILENT_LOG: Any = SimpleNamespace(
    **dict.fromkeys(("dev", "debug", "info", "warning", "exception"), _silent)
)


class ModelConsumer(Consumer):
    """The transport's consumer over the model log."""

    log = SILENT_LOG

    consumer_stopped_errors = ()

    def __init__(self, app: ModelApp) -> None:
        """Set what Faust's own would, as far as it is used."""
        self.app = app
        self.checkpointed = {}
        self.epoch = 0
        self.positions = dict
        self.log_name = app.log_read.name
        self.flow_active = False
        self.can_resume_flow = asyncio.Event()
        self.suspend_flow = asyncio.Event()
        self.not_waiting_next_records = asyncio.Event()
        self._active_partitions: set[TP] = set()
        self._paused_partitions: set[TP] = set()
        self._buffered_partitions: set[TP] = set()
        self._read_offset: Any = defaultdict(lambda: None)
        self._committed_offset: Any = defaultdict(lambda: None)
        self._unacked_messages: Any = set()
        self._commit_every = None
        self._stopped = asyncio.Event()
        self.diag = SimpleNamespace(set_flag=lambda flag: None, unset_flag=lambda flag: None)
        self.callback = app.on_message
        #: What aiokafka's thread knows: where it fetches next.
        self.fetch_positions: dict[TP, int] = {}
        self.reassigning = False

    # What Faust's service and thread do.

    @property
    def should_stop(self) -> bool:
        return bool(self._stopped.is_set())

    async def sleep(self, n: Any) -> None:
        await asyncio.sleep(n)

    async def wait(self, event: Any, *more: Any, timeout: Any = None) -> None:
        await event.wait()

    async def wait_first(self, *coroutines: Any, timeout: Any = None) -> None:
        futures = [asyncio.ensure_future(one) for one in coroutines]
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            for future in futures:
                if future.done():
                    future.result()
        finally:
            for future in futures:
                if not future.done():
                    future.cancel()

    def assignment(self) -> set[TP]:
        return {tp(partition) for partition in self.app.assigned}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        def seek() -> None:
            for where, offset in partitions.items():
                self.fetch_positions[where] = offset
                if offset > 0:
                    self._read_offset[where] = offset
                else:
                    self._read_offset.pop(where, None)

        await self.app.process.wait_for("seek", seek)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        process = self.app.process

        if not self.flow_active:
            return {}

        def readable() -> list[TP]:
            # aiokafka hands nothing out while partitions are being assigned, and then all that it
            # has where no partition is active.
            if self.reassigning or self.app.log_read.name != process.world.log.name:
                return []
            ends = process.world.log.partitions
            return sorted(
                where
                for where in active_partitions or self.assignment()
                if where in self.fetch_positions
                and where.partition in self.app.assigned
                and self.fetch_positions[where] < ends[where.partition].end
            )

        def fetch() -> dict[TP, Fetched]:
            found: dict[TP, Fetched] = {}
            if process.world.fetch_finds_nothing():
                return found  # In time.
            for where in readable():
                partition = process.world.log.partitions[where.partition]
                count = process.world.fetch_size()
                if count:
                    fetched = partition.fetch(self.fetch_positions[where], count)
                    self.fetch_positions[where] = fetched.next_offset
                    found[where] = fetched
            return found

        return await process.wait_for("fetch", fetch, lambda: bool(readable()))

    def _batch_message(self, where: TP, epoch: int, fetched: Any) -> ConsumerMessage:
        batch = FetchedBatch(
            where,
            epoch,
            fetched.first_offset,
            fetched.next_offset,
            fetched.records,
            self._decoded(fetched.records.values) if len(fetched.records) else None,
        )
        return SimpleNamespace(
            tp=where, topic=TOPIC, offset=fetched.next_offset - 1, key=None, value=batch
        )

    def _decoded(self, values: Any) -> Any:
        process = self.app.process
        if process.world.answers_late():
            return process.wait_for("decode", lambda: decoded_of(values))
        future = process.loop.create_future()
        future.set_result(decoded_of(values))
        return future

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what `_new_offset` says; refused to one that is not in the group any more."""
        offsets = self._filter_committable_offsets(list(self._filter_tps_with_pending_acks()))
        offsets = {where: offset for where, offset in offsets.items() if where in self.assignment()}
        if not offsets:
            return False
        group, process = self.app.process.world.group, self.app.process
        generation = self.app.consumer_generation_id
        await process.wait_for("commit", lambda: group.commit(process, generation, offsets))
        self._committed_offset.update(offsets)
        return True


class ModelApp(MeterApp):
    """The aggregator's app: all that ours does is real."""

    def __init__(self, process: WorkerProcess) -> None:
        """Set what `MeterApp` and Faust would, as far as it is used."""
        world = process.world
        self.process = process
        self.log_model: ModelLog = world.log
        log = self.log_read = log_of(world.log)
        self.settings = SimpleNamespace(  # type: ignore[assignment]
            aggregator_replica_wait_seconds=world.profile.replica_wait_seconds
        )
        self.offsets = LogOffsets(ModelQuestions(process), log, "group")  # type: ignore[arg-type]
        self.failure = None
        self.catching_up = False
        self.rebalancing = False
        self.consumer_generation_id = 0
        self.stopping = False
        self.assigned: set[int] = set()
        self._producer = None
        self.on_before_shutdown = SimpleNamespace(send=_nothing)
        self.flow_control = FlowControlEvent(loop=process.loop)
        self.queue = self.FlowControlQueue(BUFFER, clear_on_resume=True)
        self._consumer: Any = ModelConsumer(self)
        self._consumer.positions = lambda: {
            tp(partition): offset for partition, offset in self.meter.positions().items()
        }
        self._consumer.before_revoke = self.give_away
        edges = Edges(
            log,
            self.offsets,
            SeenStores(process.host.folder, log.name, FILTER_BYTES, 1 << 16),
            world.profile.keep,
            DECODER,
        )
        self.meter = Meter(
            edges,
            SinkThread(ModelSink(process, self.log_model), "read"),  # type: ignore[arg-type]
            SinkThread(ModelSink(process, self.log_model), "write"),  # type: ignore[arg-type]
            world.profile.pending_rows_max,
            lambda partition, offset: self.consumer.checkpoint(self.tp(partition), offset),
        )
        self._recovery_signal = asyncio.Event()
        self._recovery_generation = 0

    # What Faust is.

    log = SILENT_LOG
    consumer: Any = property(lambda self: self._consumer)
    loop: Any = property(lambda self: self.process.loop)
    should_stop: Any = property(lambda self: self.stopping)
    client_only = False
    topics: Any = SimpleNamespace(acks_enabled_for=lambda topic: False)

    async def sleep(self, n: Any) -> None:
        await asyncio.sleep(n)

    async def _stop_consumer(self) -> None:
        """The process ends; there is nothing to close."""

    async def _maybe_close_http_client(self) -> None:
        """There is none."""

    async def on_message(self, message: Any) -> None:
        """Hand a message to the stream, as Faust's `Conductor` does."""
        await self.flow_control.acquire()
        if self.queue.full():
            await asyncio.wait([asyncio.ensure_future(self.queue.put(message))])
        else:
            self.queue.force_put_nowait(message)

    async def batches(self) -> AsyncIterator[FetchedBatch]:
        while True:
            message = await self.queue.get()
            yield message.value

    async def pause_between_flushes(self) -> None:
        await self.process.wait_for("time for a flush", lambda: None, self._to_flush)

    def _to_flush(self) -> bool:
        """Whether a flush would do anything."""
        states = self.meter.states.values()
        return (
            any(state.next_offset > state.checkpoint.next_offset for state in states)
            or not self.meter._room.is_set()
            or sum(len(state.seen) for state in states) > self.process.world.profile.keep.ids
        )

    async def keep_committing(self) -> None:
        while not self.stopping:
            await self.process.wait_for("time for a commit", lambda: None, self._to_commit)
            await self.consumer.commit()

    def _to_commit(self) -> bool:
        known = self.consumer._committed_offset
        return any(known[where] != at for where, at in self.consumer.checkpointed.items())

    # Faust's part in a rebalance.

    async def take_part(self) -> None:
        """Give away what was assigned, join, and take what is assigned then."""
        group = self.process.world.group
        while not self.should_stop:
            self.rebalancing = self.consumer.reassigning = True
            await self._give_all_away()
            if self.should_stop:
                return
            await self._take(*await self.process.wait_for("join", *group.join(self.process)))
            if self.consumer_generation_id == group.generation:
                return

    async def _give_all_away(self) -> None:
        consumer = self.consumer
        revoked = consumer.assignment()
        await consumer.before_revoke(revoked)
        for where in revoked:
            consumer.checkpointed.pop(where, None)
            consumer._read_offset.pop(where, None)
            consumer._committed_offset.pop(where, None)
        consumer._active_partitions.difference_update(revoked)
        consumer._paused_partitions.difference_update(revoked)
        if revoked and not self.should_stop:
            consumer.stop_flow()
            self.flow_control.suspend()
            consumer.pause_partitions(revoked)
            self.flow_control.clear()
            await consumer.commit()

    async def _take(self, assigned: set[int], generation: int) -> None:
        consumer, commits = self.consumer, self.process.world.group.commits
        self.assigned = assigned
        consumer.reassigning = False
        self.consumer_generation_id = generation
        # Kafka's client begins where the group committed, until it is told to seek.
        consumer.fetch_positions = {
            tp(number): commits[number].offset for number in assigned if number in commits
        }
        consumer._paused_partitions.intersection_update(consumer.assignment())
        consumer._set_active_tps(consumer.assignment())
        if self.should_stop:
            return
        await asyncio.sleep(0)
        consumer.pause_partitions(consumer.assignment())
        await asyncio.sleep(0)
        self._recovery_generation = generation
        self._recovery_signal.set()

    async def keep_recovering(self) -> None:
        """Recover after each rebalance, then seek and let reading begin."""
        while not self.should_stop:
            await self._recovery_signal.wait()
            self._recovery_signal.clear()
            generation = self._recovery_generation
            await self.recover()
            if self.consumer_generation_id != generation or self.should_stop:
                continue
            assignment = self.consumer.assignment()
            if assignment:
                self.consumer.resume_partitions(assignment)
                if not await self._unless_rebalanced(self.consumer.perform_seek()):
                    continue
            self.flow_control.resume()
            self.consumer.resume_flow()
            self.rebalancing = False

    async def _unless_rebalanced(self, work: Any) -> bool:
        signal = asyncio.ensure_future(self._recovery_signal.wait())
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait([working, signal], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            return not self._recovery_signal.is_set()
        finally:
            signal.cancel()
            working.cancel()

    async def start_over(self, error: Any) -> None:
        self.process.world.note(f"  {self.process} starts over: {error}")
        await super().start_over(error)


async def _nothing() -> None:
    """Nobody listens."""


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
            self.loop.create_task(work, name=what)  # type: ignore[arg-type]
            for what, work in (
                ("agent", meter_batches(app)(app.batches())),
                ("flushes", app.keep_flushing()),
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

    def stop(self) -> None:
        """Be told to end in an orderly way."""
        if self.stopping is None:
            self.app.stopping = True
            self.stopping = self.loop.create_task(self.app.on_stop(), name="stop")

    def broken(self) -> BaseException | None:
        """What ended one of its tasks that should run for ever."""
        if self.loop.errors:
            return self.loop.errors[0]
        tasks = [*self.running, self.taking_part, self.stopping]
        for task in tasks:
            if task is not None and task.done() and not task.cancelled():
                error = task.exception()
                if error is not None and not self.doomed:
                    return error
        return None

    def let_go(self) -> None:
        self.app.meter.drop(set(self.app.meter.states))


class Group:
    """The consumer group: who has which partitions, and what was committed."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.generation = 0
        self.members: list[WorkerProcess] = []
        self.commits: dict[int, Commit] = {}
        self._assignments: dict[WorkerProcess, set[int]] = {}

    def rebalance(self, members: Iterable[WorkerProcess]) -> None:
        """Begin a new generation with these members; each has to give away and join again."""
        self.members = list(members)
        self.generation += 1
        self._assignments = {}
        for member in self.members:
            member.take_part()

    def join(self, process: WorkerProcess) -> Any:
        """Give the effect and the condition of a member's joining."""

        def ready() -> bool:
            if self._assignments:
                return process in self._assignments
            return process in self.members and all(one.joining for one in self.members)

        def effect() -> tuple[set[int], int]:
            if not self._assignments:
                self._assignments = self._world.assign(self.members)
            return self._assignments.pop(process), self.generation

        return effect, ready

    def commit(self, process: WorkerProcess, generation: int, offsets: Mapping[TP, int]) -> None:
        """Take a commit of a member; Kafka refuses one of an older generation."""
        if process not in self.members or generation != self.generation:
            return
        for where, offset in offsets.items():
            self._world.judge_commit(process, where.partition, offset)
            self.commits[where.partition] = Commit(offset, process.app.consumer.log_name)


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

"""The aggregator's app in the model: the real one over a model of Faust's rebalancing.

`MeterApp` and the transport's `Consumer` are the real classes, without the parts of Faust that talk
to a broker: those come from here. What Faust does around ours in a rebalance, and in which order
(0.15.3: `Consumer.on_partitions_revoked`, `App._on_partitions_revoked`,
`Recovery._resume_streams`), is done here in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mode.utils.queues import FlowControlEvent

from services.aggregator.app import MeterApp
from services.aggregator.core.run_copies import to_copy
from services.aggregator.core.runs import to_merge
from services.aggregator.kafka.log_offsets import LogOffsets
from services.aggregator.kafka.transport import FetchedBatch
from services.aggregator.meter import Meter
from services.aggregator.recovery import Edges
from services.aggregator.storage.id_copies import IdCopier, IdCopies
from services.aggregator.storage.id_threads import IdThread
from services.aggregator.storage.seen_store import SeenStores
from services.aggregator.storage.sink_thread import SinkThread
from services.aggregator.succession.lineage import lineage_of
from services.platform.errors import WattokenError
from tests.property.concurrent.consumer import SILENT_LOG, ModelConsumer, tp
from tests.property.concurrent.log import DECODER, ModelLog, ModelQuestions, log_of
from tests.property.concurrent.sink import ModelSink

if TYPE_CHECKING:
    from tests.property.concurrent.worker import WorkerProcess

#: Batches that wait for the agent.
BUFFER = 2
#: How long what was seen waits to be copied.
LAG_MS = 1
#: So many ids are written ahead of a flush.
MANY_IDS = 6


class ModelApp(MeterApp):
    """The aggregator's app: all that ours does is real."""

    def __init__(self, process: WorkerProcess) -> None:
        """Set what `MeterApp` and Faust would, as far as it is used."""
        world = process.world
        self.process = process
        self.log_model: ModelLog = world.log
        log = self.log_read = log_of(world.log)
        self.lineage = lineage_of([], log, "group")
        self.settings = SimpleNamespace(  # type: ignore[assignment]
            aggregator_replica_wait_seconds=world.profile.replica_wait_seconds
        )
        self.offsets = LogOffsets(ModelQuestions(process), log, "group")  # type: ignore[arg-type]
        self.failure = None
        self.rebalancing = False
        #: How many recoveries are under way.
        self.recovering = 0
        self.consumer_generation_id = 0
        self.stopping = False
        #: Whether batches that were waiting were thrown away when reading began last.
        self.thrown_away = False
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
        stores = SeenStores(process.host.folder, log.name, process.loop.time)
        edges = Edges(
            log,
            self.offsets,
            stores,
            world.profile.keep,
            DECODER,
            copies=IdCopies() if world.profile.copies else None,
        )
        self.meter = Meter(
            edges,
            SinkThread(
                ModelSink(process, self.log_model, "look up offsets"),  # type: ignore[arg-type]
                "read",
            ),
            SinkThread(
                ModelSink(process, self.log_model, "read offsets"),  # type: ignore[arg-type]
                "write",
            ),
            world.profile.pending_rows_max,
            lambda partition, offset: self.consumer.checkpoint(self.tp(partition), offset),
            self.check_log,
            ids=IdThread("ids"),
            tidier=IdThread("tidy"),
        )
        self.id_copier = IdCopier(
            stores,
            SinkThread(ModelSink(process, self.log_model, "copy offsets"), "copy"),  # type: ignore[arg-type]
            self.meter.settled,
            LAG_MS,
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
            or any(state.next_offset > state.seen.written.offset for state in states)
        )

    async def keep_tidying(self) -> None:
        while not self.stopping:
            await self.process.wait_for("time to tidy up", lambda: None, self._to_tidy)
            await self.meter.write_ids(MANY_IDS)
            await self.meter.tidy()

    async def keep_copying(self) -> None:
        while not self.stopping:
            await self.process.wait_for("time to copy", lambda: None, self._to_copy)
            try:
                await self.id_copier.copy_due(self.process.world.now_ms)
            except WattokenError:
                # As the real one: what does not succeed is done the next time.
                continue

    def _to_copy(self) -> bool:
        """Whether there are runs to copy."""
        for number, state in self.meter.states.items():
            place = getattr(state.seen._older, "_place", None)
            copies = self.process.world.database.whole_copies(self.log_read.name, number)
            until_ms = self.process.world.now_ms - LAG_MS
            if place is not None and to_copy(place.runs, copies, state.settled, until_ms):
                return True
        return False

    def _to_tidy(self) -> bool:
        """Whether there are runs to merge, or to delete, or many ids to write."""
        if sum(state.seen.since_last_cut for state in self.meter.states.values()) >= MANY_IDS:
            return True
        for state in self.meter.states.values():
            place = getattr(state.seen._older, "_place", None)
            runs = () if place is None else place.runs
            past = any(run.stretch.end.log_ms <= state.settled.past_ms for run in runs)
            if past or to_merge(runs, state.settled):
                return True
        return False

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
            await self.recover_assigned()
            if self.consumer_generation_id != generation or self.should_stop:
                continue
            assignment = self.consumer.assignment()
            if assignment:
                self.consumer.resume_partitions(assignment)
                if not await self._unless_rebalanced(self.consumer.perform_seek()):
                    continue
            self.thrown_away = not self.queue.empty()
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

    async def recover(self) -> None:
        self.recovering += 1
        try:
            await super().recover()
        finally:
            self.recovering -= 1

    async def start_over(self, error: Any) -> None:
        self.process.world.note(f"  {self.process} starts over: {error}")
        await super().start_over(error)


async def _nothing() -> None:
    """Nobody listens."""

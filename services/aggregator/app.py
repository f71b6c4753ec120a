"""The Faust app of the aggregator: wiring and life cycle."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any

import faust
from faust.types import TP

from services.aggregator.agent import meter_batches
from services.aggregator.core.continuity import RecordsReplacedError
from services.aggregator.core.dedup import IdsUnreadableError
from services.aggregator.core.pacing import FlushPacing, pause
from services.aggregator.core.slices import TotalTooLargeError
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels, TooManyClassesError
from services.aggregator.decoding.pool import Decoders
from services.aggregator.errors import (
    DatabaseBehindError,
    DatabaseWentBackError,
    LogReplacedError,
    MeteringStoppedError,
    PartitionsChangedError,
)
from services.aggregator.going_over import keep_looking
from services.aggregator.kafka.faust_options import faust_options
from services.aggregator.kafka.log_offsets import LogOffsets
from services.aggregator.kafka.transport import BatchSchema
from services.aggregator.meter import Meter
from services.aggregator.metrics import ID_STORE_FAULTS
from services.aggregator.recovery import Edges, Keep
from services.aggregator.settings import AggregatorSettings
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.id_copies import IdCopier, IdCopies
from services.aggregator.storage.id_threads import IdThread
from services.aggregator.storage.retry import AbandonedError
from services.aggregator.storage.seen_store import SeenStores
from services.aggregator.storage.sink_thread import SinkThread
from services.aggregator.succession.inheritance import Inheritance
from services.aggregator.succession.lineage import Lineage, check_partitions, check_same
from services.aggregator.watchdog import keep_watch
from services.platform.errors import ConfigurationError, UnavailableError, WattokenError
from services.platform.kafka_questions import KafkaQuestions
from services.platform.log import get_logger
from services.platform.malloc_tuning import FreedMemory
from services.platform.tracing import NO_TRACES, Traces

logger = get_logger(__name__)

#: Longest flush before partitions are given away or the worker ends; what is not written by
#: then is read again by the next owner.
LAST_FLUSH_SECONDS = 20.0
LAG_LOOK_SECONDS = 0.05
#: How often the runs of ids are looked through.
TIDY_SECONDS = 1.0
#: They are looked through for what is to be copied so many times as often as one may wait for it.
COPY_LOOKS = 20
#: How often a database that is behind is asked again.
REPLICA_LOOK_SECONDS = 2.0


class MeterApp(faust.App):
    """A Faust app whose partitions are recovered from ClickHouse and flushed before they leave."""

    def __init__(
        self,
        settings: AggregatorSettings,
        lineage: Lineage,
        questions: KafkaQuestions,
        traces: Traces,
    ) -> None:
        super().__init__(lineage.group, **faust_options(settings))
        self.settings = settings
        self.lineage = lineage
        self.log_read = log = lineage.log
        self.offsets = LogOffsets(questions, log, lineage.group)
        self.inheritance = Inheritance(settings, questions, lineage.predecessors, log.partitions)
        self.id_copies = IdCopies()
        self.failure: Exception | None = None
        #: Whether it ends only to begin as another process, with another log of its chain.
        self.starts_again = False
        self.pacing = FlushPacing()
        labels = Labels(Lock())
        stores = SeenStores(settings.aggregator_state_dir, log.name)
        edges = Edges(
            log,
            self.offsets,
            stores,
            Keep(
                int(settings.aggregator_keep_minutes_seconds * 1000),
                int(settings.aggregator_keep_hours_seconds * 1000),
                settings.aggregator_ids_in_memory_max,
            ),
            Decoder(labels),
            self.inheritance if lineage.predecessors else None,
            self.id_copies if settings.aggregator_id_copies else None,
        )
        self.decoders = Decoders(settings.aggregator_decoder_processes, labels)
        self.meter = Meter(
            edges,
            SinkThread(ClickHouseSink(settings, log, labels), "clickhouse-read"),
            SinkThread(ClickHouseSink(settings, log, labels), "clickhouse-write"),
            settings.aggregator_pending_rows_max,
            lambda partition, offset: self.consumer.checkpoint(self.tp(partition), offset),
            self.check_log,
            ids=IdThread("ids-write"),
            tidier=IdThread("ids-tidy"),
            traces=traces,
        )
        self.id_copier = IdCopier(
            stores,
            SinkThread(ClickHouseSink(settings, log, labels), "clickhouse-copy"),
            self.meter.settled,
            int(settings.aggregator_id_copies_lag_seconds * 1000),
        )

    def tp(self, partition: int) -> TP:
        """The topic partition as Faust names it."""
        return TP(self.log_read.topic, partition)

    def _create_directories(self) -> None:
        """Make no folders for tables: there are none, and they would lie wherever it starts."""

    def _new_consumer(self) -> Any:
        consumer = super()._new_consumer()
        consumer.log_name = self.log_read.name
        consumer.positions = lambda: {
            self.tp(partition): offset
            for partition, offset in [
                # A partition without a place to read from would keep the others from being read.
                *((number, 0) for number in self.added_partitions()),
                *self.meter.read_next().items(),
            ]
        }
        consumer.before_revoke = self.give_away
        consumer.recover_gone = self.recover_gone
        consumer.decode_ahead = self.decoders.submit
        return consumer

    def assigned_partitions(self) -> list[int]:
        """The partitions of the log that the group has given to this worker."""
        assigned = () if self._consumer is None else self.consumer.assignment()
        of_topic = {tp.partition for tp in assigned if tp.topic == self.log_read.topic}
        return sorted(number for number in of_topic if number < self.lineage.partitions)

    def added_partitions(self) -> list[int]:
        """Those that were added to the topic after the log's end, with nothing in them."""
        assigned = () if self._consumer is None else self.consumer.assignment()
        of_topic = {tp.partition for tp in assigned if tp.topic == self.log_read.topic}
        return sorted(number for number in of_topic if number >= self.lineage.partitions)

    async def check_log(self) -> None:
        """Raise `PartitionsChangedError` or `LogReplacedError` where the topic is not as it was.

        Asked before what was read is written: all of it was keyed by the old number then, and read
        from this log. Of a topic that is gone, what was read is written all the same.
        """
        if self.lineage.successor is not None:
            return
        try:
            now = await self.loop.run_in_executor(None, self.offsets.now)
        except ConfigurationError as error:
            logger.warning("cannot look at the log", error=str(error))
            return
        check_same(self.log_read, now)
        check_partitions(self.log_read, now.partitions, self.lineage)

    async def recover_assigned(self) -> None:
        """Recover after a rebalance; when this returns, Faust seeks and lets reading begin.

        Reading may be under way already, begun by the recovery of a rebalance before, which this
        one overtook. What is fetched between the seek and the beginning would be lost, for Faust
        then empties its queues; what is fetched in a stopped flow is read again.
        """
        self.consumer.stop_flow()
        await self.recover()

    async def recover(self) -> None:
        """Recover what is assigned, as far as it is not here."""
        generation = self.consumer_generation_id
        partitions, added = self.assigned_partitions(), self.added_partitions()
        try:
            check_partitions(self.log_read, max([0, *added]) + 1, self.lineage)
        except PartitionsChangedError as error:
            await self.fail(error)
            return

        def abandoned() -> bool:
            return bool(self.should_stop or self.consumer_generation_id != generation)

        patience = self.loop.time() + self.settings.aggregator_replica_wait_seconds
        while True:
            try:
                await self.meter.recover(partitions, abandoned)
            except AbandonedError:
                logger.info("recovery abandoned, the partitions are being assigned again")
            except DatabaseBehindError as error:
                if self.loop.time() < patience:
                    logger.warning("database is behind, waiting for it", error=str(error))
                    await self.sleep(REPLICA_LOOK_SECONDS)
                    continue
                await self.fail(await self._reason(error))
            except (WattokenError, TotalTooLargeError, TooManyClassesError) as error:
                await self.fail(await self._reason(error))
            return

    async def _reason(self, error: Exception) -> Exception:
        """Say why recovery failed: a topic that was recreated looks like one that lost records."""
        try:
            await self.check_log()
        except (LogReplacedError, PartitionsChangedError) as changed:
            return changed
        except WattokenError as unknown:
            logger.warning("cannot look at the log", error=str(unknown))
        return error

    async def fail(self, error: Exception) -> None:
        """Stop the worker: a person must decide. The error is printed once, at the end."""
        if isinstance(error, TotalTooLargeError):
            error = MeteringStoppedError(f"{error}: docs/runbook.md, 'A total is too large'")
        if isinstance(error, TooManyClassesError):
            error = MeteringStoppedError(str(error))
        # What comes after it may be no more than its consequence.
        self.failure = self.failure or error
        logger.error("worker stops", error=str(error))
        # The way out that an operator takes too; `run` turns the failure into the exit code.
        signal.raise_signal(signal.SIGTERM)

    def start_again(self) -> None:
        """End in order, to begin as another process with the log that is to be metered then."""
        self.starts_again = True
        self.end_worker()

    #: Set by `run`: has the worker end, as a signal would.
    end_worker: Callable[[], None]

    async def give_away(self, revoked: set[TP]) -> None:
        """Flush and forget partitions that are being revoked."""
        partitions = {tp.partition for tp in revoked}
        self.meter.release()
        await self.last_flush()
        self.meter.drop(partitions)

    async def last_flush(self) -> None:
        """Flush, but not forever: what is not written is read again by the next owner."""
        try:
            await asyncio.wait_for(self.meter.flush(), LAST_FLUSH_SECONDS)
        except TimeoutError:
            logger.warning("last flush did not finish, the next owner reads it again")
        except DatabaseWentBackError as error:
            logger.warning("database went back in time", error=str(error))
        except WattokenError as error:
            # Whoever owns them next is stopped by it, if this worker is not.
            logger.warning("nothing more is written", error=str(error))

    async def pause_between_flushes(self) -> None:
        """Wait as long as the setting says, or longer for the database's and the worker's sake.

        Many workers share the database, and a worker that is behind has more to do than to write.
        """
        wait = pause(
            self.settings.aggregator_flush_interval_seconds,
            self.log_read.partitions / max(1, len(self.meter.states)),
            self.meter.last_flush_seconds,
        )
        started = self.loop.time()
        while not self.should_stop:
            waited, full = self.loop.time() - started, self.meter.full.is_set()
            if self.pacing.is_over(wait, waited, self.records_behind(), full=full):
                return
            await self.wait(self.meter.full, timeout=min(LAG_LOOK_SECONDS, wait.usual))

    def records_behind(self) -> int:
        """How many more records are on the log, as far as was last heard."""
        return sum(
            max(0, self.consumer.highwater(self.tp(partition)) - offset)
            for partition, offset in self.meter.positions().items()
        )

    async def keep_flushing(self) -> None:
        """Flush at every interval until the app stops."""
        while not self.should_stop:
            await self.pause_between_flushes()
            try:
                await self.meter.flush()
            except DatabaseWentBackError as error:
                await self.start_over(error)
            except WattokenError as error:
                await self.fail(error)

    async def keep_tidying(self) -> None:
        """Write ids that are many, merge runs of them, give back memory, until the app stops."""
        freed = FreedMemory()
        while not self.should_stop:
            await self.sleep(TIDY_SECONDS)
            await self.meter.write_ids()
            await self.meter.tidy()
            await asyncio.to_thread(freed.give_back)

    async def keep_copying(self) -> None:
        """Copy runs of ids that are due, every so often, until the app stops.

        What does not succeed is done the next time: copies are there to spare the log.
        """
        while not self.should_stop:
            await self.sleep(self.settings.aggregator_id_copies_lag_seconds / COPY_LOOKS)
            try:
                await self.id_copier.copy_due(time.time_ns() // 1_000_000)
            except WattokenError as error:
                ID_STORE_FAULTS.labels("copy").inc()
                logger.warning("ids are not copied", error=str(error))

    async def start_over(self, error: DatabaseWentBackError) -> None:
        """Forget everything and recover from what the database has now."""
        logger.warning("database went back in time, recovering", error=str(error))
        self.meter.drop(set(self.meter.states))
        if self.lineage.predecessors:
            # It may be from before they were metered to their ends: then that comes first.
            self.start_again()
            return
        await self.recover()
        await self.consumer.perform_seek()

    async def seek_again(self) -> None:
        """Read each partition from where its state stands, or the batch before that.

        Retention may have taken that one: to read it would end the worker.
        """
        doubted = self.meter.in_doubt
        if doubted:
            try:
                starts = await self.loop.run_in_executor(None, self.offsets.starts, doubted)
                self.meter.believe(starts)
            except UnavailableError as error:
                logger.warning("cannot ask where the log begins", error=str(error))
        await self.consumer.perform_seek()

    async def read_ids_again(self, partition: int, error: IdsUnreadableError) -> None:
        """Recover a partition that was dropped, as its ids on disk could not be read."""
        logger.warning("reading ids from the log again", partition=partition, error=str(error))
        await self.recover()
        await self.consumer.perform_seek()

    async def read_records_again(self, partition: int, error: RecordsReplacedError) -> None:
        """Recover a partition that was dropped, as the log has other records by now."""
        logger.warning("reading the log again", partition=partition, error=str(error))
        await self.recover()
        await self.consumer.perform_seek()

    async def recover_gone(self, offsets: Mapping[TP, int]) -> None:
        """Recover partitions of which the log does not have the offset that is to be read next.

        Where retention overtook the meter, what was read before is written first: nobody could read
        it again. Where the log lost its end, that may have been of it, so nothing is.
        """
        gone = {tp.partition: offset for tp, offset in offsets.items()}
        try:
            ends = await self.loop.run_in_executor(None, self.offsets.ends, sorted(gone))
        except UnavailableError as error:
            logger.warning("cannot ask where the log ends", error=str(error))
            return
        logger.warning("the log does not have what is to be read next", offsets=gone, ends=ends)
        beyond = {
            partition for partition, offset in gone.items() if offset > ends.get(partition, offset)
        }
        self.meter.drop(beyond)
        if beyond != gone.keys():
            await self.last_flush()
            self.meter.drop(set(gone))
        await self.recover()
        await self.consumer.perform_seek()

    async def on_stop(self) -> None:
        """Flush what is left, then stop as Faust does."""
        if self._consumer is not None:
            self._consumer.stop_flow()
            self.meter.release()
            await self.last_flush()
            await self._consumer.commit()
            # A merge of ids that is under way ends then, and does not hold up the process's end.
            self.meter.drop(set(self.meter.states))
        await super().on_stop()

    def unready(self) -> str | None:
        """Why this worker is not metering yet, or None."""
        if self.rebalancing:
            return "rebalancing"
        if self._consumer is None or not self.meter.states:
            return "no partition recovered yet"
        return None


def create_app(
    settings: AggregatorSettings,
    lineage: Lineage,
    questions: KafkaQuestions,
    traces: Traces = NO_TRACES,
) -> MeterApp:
    """Build the app with its agent, its flush task and its recovery."""
    app = MeterApp(settings, lineage, questions, traces)
    topic = app.topic(lineage.log.topic, schema=BatchSchema())
    app.agent(topic, name="meter", concurrency=1)(meter_batches(app))
    app.task(app.keep_flushing)
    app.task(app.keep_tidying)
    if settings.aggregator_id_copies:
        app.task(app.keep_copying)
    app.task(partial(keep_watch, app))
    app.task(partial(keep_looking, app))

    async def on_rebalance_complete(_: MeterApp, **__: Any) -> None:
        await app.recover_assigned()

    app.on_rebalance_complete.connect(on_rebalance_complete, weak=False)
    return app

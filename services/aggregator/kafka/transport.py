"""A Faust transport that hands the stream one message per fetched partition batch.

Stock Faust walks every record through conductor, queue, event and ack index, about 70 µs each.
Here a whole fetch of one partition is one message; its value is `FetchedBatch`, its offset the
last one. Still a Faust app, agent and consumer group; only the unit is larger.

It also takes three decisions away from stock Faust:

- Where to read from: recovery says so (`Consumer.positions`); Kafka's committed offset is never
  read back, because the checkpoint in ClickHouse is the truth.
- What to commit: only what a flush has checkpointed (`Consumer.checkpointed`). Stock gap filling
  could commit offsets still in flight.
- What to do when an offset is gone: recover (`Consumer.recover_gone`), never jump
  (``auto_offset_reset`` none).

Found by the URL scheme ``wattoken://`` through the entry-point group ``faust.transports``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import aiokafka
import faust
from aiokafka.errors import (
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from services.aggregator.core.judging import Records
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.columns import Decoded
from services.aggregator.decoding.record_batch import RecordBatch
from services.aggregator.kafka.raw_fetch import Stretch, install, records_of
from services.platform.log import get_logger

logger = get_logger(__name__)

#: How long the broker may wait for records when it has none.
FETCH_WAIT_MS: Final = 100
#: Kafka's timestamp type for "the broker's time when it appended the batch".
LOG_APPEND_TIME: Final = 1


@dataclass(frozen=True, slots=True)
class FetchedBatch:
    """The records of one partition that one fetch brought.

    It is the log from `first_offset` to below `next_offset`, whole: what has no record in it holds
    none of anybody's (a transaction's markers, or what was taken back). `epoch` counts the seeks
    before the fetch.
    """

    tp: TP
    epoch: int
    first_offset: int
    next_offset: int
    records: Records
    #: What the records say, being found out elsewhere; None where the agent has to.
    decoded: Awaitable[Decoded] | None
    #: Of each Kafka batch in it, also of those without records.
    marks: Sequence[BatchMark] = ()


class BatchSchema(faust.Schema):
    """Hands a `FetchedBatch` through as it is; the core decodes it."""

    def loads_key(self, app: Any, message: ConsumerMessage, **_: Any) -> None:
        """A batch has no key."""

    def loads_value(self, app: Any, message: ConsumerMessage, **_: Any) -> FetchedBatch:
        """Give the batch itself."""
        batch: FetchedBatch = message.value
        return batch


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer and keeps its heartbeat going."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        """Make the consumer, with two options that Faust does not give.

        It passes over what a gateway's transaction aborted: Faust ties the isolation level to its
        own exactly_once mode, which is not used here. And the broker answers a fetch that finds
        nothing soon, not after Faust's 1.5 s: aiokafka asks it for nothing else meanwhile, though
        other partitions may have plenty.
        """
        install()
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    def highwater(self, tp: TP) -> int:
        """Up to where a partition could be read when a fetch last said so; 0 where none has yet.

        Not the log's end, which an open transaction keeps out of reach. aiokafka asserts that the
        partition is assigned, which another thread may change at any time: after the broker was
        away, say.
        """
        try:
            return self._ensure_consumer().last_stable_offset(tp) or 0
        except (AssertionError, AttributeError, IllegalStateError):
            return 0

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit for lag tools only; failing to do so stops nothing."""
        consumer = self._ensure_consumer()
        known = {
            aiokafka.TopicPartition(tp.topic, tp.partition): aiokafka.OffsetAndMetadata(
                offset, self.consumer.log_name
            )
            for tp, offset in offsets.items()
            if tp in self.assignment()
        }
        try:
            await consumer.commit(known)
        except Exception as error:
            logger.warning("commit to Kafka failed, lag tools lag", error=repr(error))
            return False
        return True


class Consumer(driver.Consumer):
    """A consumer whose unit is a fetched batch; see the module's docstring."""

    #: Set by the app: the offset to read next, for each partition that is recovered.
    positions: Callable[[], Mapping[TP, int]]
    #: Set by the app: the log that is read. Committed beside each offset, for Kafka keeps commits
    #: by the topic's name, whatever log that is.
    log_name: str = ""
    #: Whether records were fetched and thrown away since the last seek that brings them again.
    _dropped: bool = False
    #: Set by the app: recovers partitions whose next offset the log does not have.
    recover_gone: Callable[[Mapping[TP, int]], Awaitable[None]]
    #: Set by the app: has the values in batches decoded while earlier batches are metered.
    decode_ahead: Callable[[Sequence[RecordBatch]], Awaitable[Decoded] | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.checkpointed: dict[TP, int] = {}
        self.epoch = 0
        self.positions = dict

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def on_buffer_full(self, tp: TP) -> None:
        """Go on reading the partition: a full stream makes the fetching task wait by itself.

        Stock Faust leaves it out of the next `getmany`, which then waits a second for data that is
        there.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing was left out, see `on_buffer_full`."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch, and yield one message for each partition that brought records."""
        await self._fetch_dropped_again()
        try:
            records, active = await self._wait_next_records(timeout)
        except NoOffsetForPartitionError:
            # Just assigned, and the group has committed nothing yet: recovery will say where to
            # read from (`perform_seek`). Until then there is nothing to hand out.
            return
        except OffsetOutOfRangeError as error:
            (gone,) = error.args
            await self.recover_gone(
                {TP(tp.topic, tp.partition): offset for tp, offset in gone.items()}
            )
            return
        epoch = self.epoch
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        # The fetcher's position is behind what is dropped from here on. The next batch would show
        # the gap (`services.aggregator.agent`), but on an idle partition there is none for long.
        for tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                self._dropped = True
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                yield tp, self._batch_message(TP(tp.topic, tp.partition), epoch, fetched)

    async def _fetch_dropped_again(self) -> None:
        """Seek once more where a fetch was dropped: recovery's seek may have been before it."""
        if not self._dropped:
            return
        while not self.flow_active:
            await self.wait(self.can_resume_flow)
        self._dropped = False
        await self.perform_seek()

    def _batch_message(self, tp: TP, epoch: int, fetched: list[Stretch]) -> ConsumerMessage:
        batches = [stretch.batch for stretch in fetched if stretch.batch is not None]
        records = records_of(batches)
        first_offset, next_offset = fetched[0].first_offset, fetched[-1].next_offset
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            next_offset - 1,
            (int(records.append_ms[-1]) if len(records) else 0) / 1000,
            LOG_APPEND_TIME,
            (),
            None,
            FetchedBatch(
                *(tp, epoch, first_offset, next_offset),
                records,
                self.decode_ahead(batches),
                [stretch.mark for stretch in fetched],
            ),
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        """Seek every recovered partition of ours to where its state stands."""
        assigned = self.assignment()
        positions = {tp: offset for tp, offset in self.positions().items() if tp in assigned}
        # Before the seek: what was fetched after it bears the new epoch, whenever its fetch began.
        self.epoch += 1
        if positions:
            await self.seek_wait(positions)

    def checkpoint(self, tp: TP, next_offset: int) -> None:
        """Note that everything below an offset is in the database, so it may be committed."""
        self.checkpointed[tp] = next_offset

    def ack(self, message: ConsumerMessage) -> bool:
        """Note that a batch was processed. This commits nothing; `checkpoint` does."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            tp for tp in self.checkpointed if topics is None or tp in topics or tp.topic in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self.checkpointed.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Fill no gaps: a batch's offset is its last, so a gap before it is the rule."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Flush first: what follows in stock Faust forgets the partitions."""
        await self.before_revoke(revoked)
        for tp in revoked:
            self.checkpointed.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    #: Set by the app: called with the partitions about to be revoked.
    before_revoke: Callable[[set[TP]], Awaitable[None]]

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave this to our own watchdog; stock Faust's speaks of acks that are not there."""


class Transport(driver.Transport):
    """The transport behind ``wattoken://host:port``."""

    Consumer: ClassVar[type[Consumer]] = Consumer
    driver_version = f"wattoken batches over aiokafka={aiokafka.__version__}"

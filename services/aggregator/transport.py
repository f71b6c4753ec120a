"""A Faust transport that hands the stream one message per fetched partition batch.

Stock Faust walks every record through conductor, queue, event and ack index, about 70 µs each.
Here a whole fetch of one partition is one message; its value is `FetchedBatch`, its offset the
last one. Still a Faust app, agent and consumer group; only the unit is larger.

It also takes three decisions away from stock Faust:

- Where to read from: recovery says so (`Consumer.positions`); Kafka's committed offset is never
  read back, because the checkpoint in ClickHouse is the truth.
- What to commit: only what a flush has checkpointed (`Consumer.checkpointed`). Stock gap filling
  could commit offsets still in flight.
- What to do when an offset is gone: raise (``auto_offset_reset`` none), never jump.

Found by the URL scheme ``wattoken://`` through the entry-point group ``faust.transports``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar, Final

import aiokafka
import faust
import numpy as np
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from services.aggregator.core.batch import Records
from services.aggregator.core.decoding import Decoded
from services.platform.log import get_logger

logger = get_logger(__name__)

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


@dataclass(frozen=True, slots=True)
class Stretch:
    """One Kafka batch of a fetch: the log from `first_offset` to below `next_offset`."""

    first_offset: int
    next_offset: int
    records: Records


class RawPartitionRecords(fetcher.PartitionRecords):
    """Unpacks a fetch as columns, a `Stretch` for each Kafka batch, instead of record by record.

    aiokafka makes a Python object with eleven fields for each record, which takes five times as
    long as all the rest of fetching; offset and value are all that is needed here.
    """

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Stretch]:
        batches = self._records
        while batches.has_next():
            batch = batches.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"invalid CRC in {self._tp}")
            aborted = self._is_aborted(batch)
            first_offset, self.next_fetch_offset = self.next_fetch_offset, batch.next_offset
            # Control batches hold the markers of transactions, no records of anybody's.
            empty = aborted or batch.is_control_batch
            records = NO_RECORDS if empty else self._columns(batch, first_offset)
            yield Stretch(first_offset, self.next_fetch_offset, records)

    def _is_aborted(self, batch: Any) -> bool:
        """Whether a batch belongs to a transaction that its producer took back."""
        if batch.producer_id is None:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            return False
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)

    def _columns(self, batch: Any, first_offset: int) -> Records:
        records = list(batch)
        # The broker sends whole batches; records before the offset asked for come along.
        records = records[bisect_left(records, first_offset, key=attrgetter("offset")) :]
        offsets = np.array([record.offset for record in records], np.int64)
        if batch.timestamp_type == LOG_APPEND_TIME:
            append_ms = np.full(len(records), batch.max_timestamp, np.int64)
        else:
            append_ms = np.array([record.timestamp for record in records], np.int64)
        return Records(offsets, append_ms, [record.value for record in records])


# The one way in: aiokafka's fetcher makes these objects by this name.
fetcher.PartitionRecords = RawPartitionRecords


NO_RECORDS: Final = Records(np.empty(0, np.int64), np.empty(0, np.int64), [])


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
        """Make the consumer, and have it pass over what a gateway's transaction aborted.

        Faust ties the isolation level to its own exactly_once mode, which is not used here.
        """
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit for lag tools only; failing to do so stops nothing."""
        consumer = self._ensure_consumer()
        known = {
            aiokafka.TopicPartition(tp.topic, tp.partition): aiokafka.OffsetAndMetadata(offset, "")
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
    #: Set by the app: has the values of a batch decoded while earlier batches are metered.
    decode_ahead: Callable[[Sequence[bytes | None]], Awaitable[Decoded] | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.checkpointed: dict[TP, int] = {}
        self.epoch = 0
        self.positions = dict

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch, and yield one message for each partition that brought records."""
        try:
            records, active = await self._wait_next_records(timeout)
        except NoOffsetForPartitionError:
            # Just assigned, and the group has committed nothing yet: recovery will say where to
            # read from (`perform_seek`). Until then there is nothing to hand out.
            return
        epoch = self.epoch
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        # What is dropped from here on is missed at the next batch, which then has a seek done
        # (`services.aggregator.agent`): the fetcher's position is behind it already.
        if not self.flow_active:
            return
        for tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                yield tp, self._batch_message(TP(tp.topic, tp.partition), epoch, fetched)

    def _batch_message(self, tp: TP, epoch: int, fetched: list[Stretch]) -> ConsumerMessage:
        records = joined([stretch.records for stretch in fetched])
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
                self.decode_ahead(records.values),
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


def joined(parts: Sequence[Records]) -> Records:
    """Join the records of several Kafka batches."""
    if len(parts) == 1:
        return parts[0]
    return Records(
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.append_ms for part in parts]),
        list(chain.from_iterable(part.values for part in parts)),
    )

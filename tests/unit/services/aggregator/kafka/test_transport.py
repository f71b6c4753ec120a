from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar
from weakref import WeakSet

import aiokafka
import faust
import numpy as np
import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.record.memory_records import MemoryRecords
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.record_batch import NO_PRODUCER, RecordBatch
from services.aggregator.kafka.raw_fetch import (
    FetchedBatches,
    RawPartitionRecords,
    Stretch,
    install,
    records_of,
)
from services.aggregator.kafka.transport import (
    FETCH_WAIT_MS,
    Consumer,
    ConsumerThread,
    FetchedBatch,
)
from tests.record_batches import (
    CONTROL,
    LOG_APPEND_TIME,
    TRANSACTIONAL,
    Record,
    batch_of,
    raw_batch,
    with_header,
)

TPS = [TP("topic", number) for number in range(3)]
#: Key of the record in a control batch: version, and what became of the transaction.
ABORT, COMMIT = struct.pack(">hh", 0, 0), struct.pack(">hh", 0, 1)
#: aiokafka's own, which hands out record by record.
(RecordByRecord,) = RawPartitionRecords.__bases__


class NotYetSought(Consumer):
    """A consumer that was just assigned a partition of which its group has committed nothing."""

    def __init__(self) -> None:
        """Leave out what a fetch does not come to."""

    async def _wait_next_records(self, timeout: float) -> Any:
        raise NoOffsetForPartitionError(TP("topic", 0))


def test_a_fetch_before_recovery_has_sought_brings_nothing_and_ends_nothing() -> None:
    async def fetched() -> list[Any]:
        return [message async for message in NotYetSought().getmany(0.1)]

    assert asyncio.run(fetched()) == []


class BeyondTheEnd(NotYetSought):
    """A consumer that is to read what its log does not have."""

    def __init__(self) -> None:
        self.recovered: list[Any] = []

    async def _wait_next_records(self, timeout: float) -> Any:
        raise OffsetOutOfRangeError({aiokafka.TopicPartition("topic", 3): 100})

    async def recover_gone(self, offsets: Any) -> None:
        self.recovered.append(offsets)


def test_an_offset_that_is_gone_is_recovered_and_ends_nothing() -> None:
    async def fetched(consumer: Consumer) -> list[Any]:
        return [message async for message in consumer.getmany(0.1)]

    consumer = BeyondTheEnd()
    assert asyncio.run(fetched(consumer)) == []
    assert consumer.recovered == [{TP("topic", 3): 100}]


class Reading(Consumer):
    """A consumer of three partitions whose fetches are given."""

    def __init__(self, fetched: dict[TP, list[Stretch]]) -> None:
        """Leave out what a fetch does not come to."""
        self.app = SimpleNamespace(in_recovery=False, client_only=False, consumer_generation_id=4)
        self.not_waiting_next_records = asyncio.Event()
        self._active_partitions: set[TP] = set(TPS)
        self._paused_partitions: set[TP] = set()
        self._buffered_partitions: set[TP] = set()
        self.epoch = 2
        self.fetched = fetched
        self.asked: list[set[TP]] = []
        self.ahead: list[Sequence[RecordBatch]] = []

    @property
    def should_stop(self) -> bool:
        return False

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> dict[TP, Any]:
        self.asked.append(set(active_partitions))
        return {tp: some for tp, some in self.fetched.items() if tp in active_partitions}

    def decode_ahead(self, batches: Sequence[RecordBatch]) -> None:
        self.ahead.append(batches)

    def messages(self) -> list[tuple[TP, Any]]:
        async def all_messages() -> list[tuple[TP, Any]]:
            return [found async for found in self.getmany(0.1)]

        return asyncio.run(all_messages())


def stretch(batch: RecordBatch) -> Stretch:
    return Stretch(batch.base_offset, batch.mark, batch)


def test_a_full_stream_leaves_no_partition_out() -> None:
    consumer = Reading({tp: [stretch(batch_of([b"a"]))] for tp in TPS})
    consumer.on_buffer_full(TPS[1])
    assert [tp for tp, _ in consumer.messages()] == TPS
    for tp in TPS:
        consumer.on_buffer_full(tp)
    assert [tp for tp, _ in consumer.messages()] == TPS, "nor does it wait a second for none"
    consumer.on_buffer_drop(TPS[1])
    assert consumer.asked == [set(TPS)] * 2
    assert consumer._get_active_partitions() == set(TPS)
    assert consumer._buffered_partitions == set()


def test_room_in_a_stream_takes_in_no_partition_that_left() -> None:
    consumer = Reading({})
    consumer.on_buffer_full(TPS[1])
    consumer._set_active_tps({TPS[0]})
    consumer.on_buffer_drop(TPS[1])
    assert consumer._get_active_partitions() == {TPS[0]}


def test_a_fetch_is_one_message_for_each_partition() -> None:
    first, second = batch_of([b"a", None], 10, 5000), batch_of([b"c"], 14, 7000)
    consumer = Reading(
        {
            TPS[0]: [
                Stretch(11, first.mark, first),
                Stretch(12, BatchMark(12, 14, 0), None),
                stretch(second),
            ],
            TPS[2]: [Stretch(3, BatchMark(3, 5, 0), None)],
        }
    )
    (tp, message), (other, nothing) = consumer.messages()
    assert (tp, other) == (TPS[0], TPS[2])
    fetched: FetchedBatch = message.value
    assert (fetched.tp, fetched.epoch, message.generation_id) == (TPS[0], 2, 4)
    assert (fetched.first_offset, fetched.next_offset, message.offset) == (11, 15, 14)
    assert message.timestamp == 7.0
    assert fetched.records.offsets.tolist() == [10, 11, 14]
    assert fetched.records.append_ms.tolist() == [5000, 5000, 7000]
    assert list(fetched.records.values) == [b"a", None, b"c"]
    assert (nothing.value.first_offset, nothing.value.next_offset, nothing.offset) == (3, 5, 4)
    assert (len(nothing.value.records), nothing.timestamp) == (0, 0)
    assert consumer.ahead == [[first, second], []], "and what it says is asked for at once"


def test_records_of_some_batches() -> None:
    holes = RecordBatch.of(
        raw_batch([Record(0, 100, b"a"), Record(5, 90, b"b")], base_offset=3, last_offset_delta=9)
    )
    records = records_of([batch_of([b"x", None], 1, 70), holes, batch_of([b"y"], 13, 80)])
    assert records.offsets.tolist() == [1, 2, 3, 8, 13]
    assert records.append_ms.tolist() == [70, 70, 100, 90, 80]
    assert list(records.values) == [b"x", None, b"a", b"b", b"y"]
    assert list(records.cut(1, 4).values) == [None, b"a", b"b"]
    none = records_of([])
    assert len(none) == 0
    assert none.offsets.dtype == none.append_ms.dtype == np.dtype(np.int64)


def test_it_is_what_aiokafka_makes_of_a_fetch() -> None:
    install()
    assert fetcher.MemoryRecords is FetchedBatches
    assert fetcher.PartitionRecords is RawPartitionRecords


def test_a_fetch_as_memory_records() -> None:
    batches = [batch_of([b"a"]), batch_of([b"b", b"c"], 1)]
    data = b"".join(batch.raw for batch in batches)
    fetched = FetchedBatches(data + batches[0].raw[:-1])
    assert fetched.size_in_bytes() == len(data) + len(batches[0].raw) - 1
    found = []
    while fetched.has_next():
        found.append(fetched.next_batch())
    assert found == batches
    # aiokafka knows by these two that a batch is larger than a fetch may be.
    part = FetchedBatches(data[:30])
    assert (part.has_next(), part.size_in_bytes()) == (False, 30)
    nothing = FetchedBatches(b"")
    assert (nothing.has_next(), nothing.size_in_bytes()) == (False, 0)


def fetched_by(
    kind: Any, memory_records: Any, data: bytes, aborted: list[tuple[int, int]], fetch_offset: int
) -> Any:
    """Read a fetch as aiokafka's fetcher does."""
    records = memory_records(data)
    return kind(TPS[0], records, aborted, fetch_offset, None, None, True, fetcher.READ_COMMITTED)


def test_a_batch_that_did_not_come_whole_is_refused() -> None:
    good, bad = batch_of([b"a"]), bytearray(batch_of([b"value"], 1).raw)
    bad[-3] ^= 1
    reading = fetched_by(RawPartitionRecords, FetchedBatches, good.raw + bad, [], 0)
    assert next(reading) == Stretch(0, good.mark, good)
    with pytest.raises(CorruptRecordException):
        next(reading)
    assert reading.next_fetch_offset == 1, "it will be fetched again"


def test_the_first_stretch_begins_where_reading_begins() -> None:
    batches = [batch_of([b"a", b"b", b"c"], 10), batch_of([b"d"], 15)]
    data = b"".join(batch.raw for batch in batches)
    reading = fetched_by(RawPartitionRecords, FetchedBatches, data, [], 12)
    assert list(reading) == [
        Stretch(12, batches[0].mark, batches[0]),
        Stretch(13, batches[1].mark, batches[1]),
    ]
    assert reading.next_fetch_offset == 16


#: Producers, the first of which belongs to no transactions.
PRODUCERS = (NO_PRODUCER, 100, 200)


def produced(offset: int, producer: int, size: int, transactional: bool) -> bytes:
    raw = batch_of([b"%d" % producer] * size, offset).raw
    attributes = LOG_APPEND_TIME | TRANSACTIONAL * transactional
    return with_header(raw, attributes=attributes, producer_id=producer)


def marker(offset: int, producer: int, key: bytes) -> bytes:
    attributes = TRANSACTIONAL | CONTROL
    return raw_batch(
        [Record(0, 0, b"\0\0\0\0\0\0", key)],
        base_offset=offset, attributes=attributes, producer_id=producer,
    )  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PRODUCERS), st.sampled_from([1, 3, 3, "abort", "commit", "idempotent"])
        ),
        max_size=14,
    ),
    # Such as no broker would send, but aiokafka has an answer to all of them.
    st.lists(st.tuples(st.sampled_from(PRODUCERS), st.integers(0, 15)), max_size=2),
    st.integers(0, 5),
)
def test_transactions_taken_back_are_left_out_as_aiokafka_does(
    steps: list[tuple[int, int | str]], aborted: list[tuple[int, int]], fetch_offset: int
) -> None:
    data: list[bytes] = []
    aborted, offset, began = list(aborted), 0, dict[int, int]()
    for producer, what in steps:
        if isinstance(what, int):
            data.append(produced(offset, producer, what, producer != NO_PRODUCER))
            began.setdefault(producer, offset)
        elif what == "idempotent":
            data.append(produced(offset, producer, 1, False))
        elif producer != NO_PRODUCER:
            data.append(marker(offset, producer, ABORT if what == "abort" else COMMIT))
            start = began.pop(producer, None)
            if what == "abort" and start is not None:
                aborted.append((producer, start))
        else:
            continue
        offset = RecordBatch.of(data[-1]).next_offset
    ends = [RecordBatch.of(raw).next_offset for raw in data]
    fetched = b"".join(raw for raw, end in zip(data, ends, strict=True) if end > fetch_offset)
    ours = fetched_by(RawPartitionRecords, FetchedBatches, fetched, aborted, fetch_offset)
    theirs = fetched_by(RecordByRecord, MemoryRecords, fetched, aborted, fetch_offset)
    stretches, expected = list(ours), [(record.offset, record.value) for record in theirs]
    records = records_of([part.batch for part in stretches if part.batch is not None])
    found = zip(records.offsets.tolist(), records.values, strict=True)
    assert [(at, value) for at, value in found if at >= fetch_offset] == expected
    assert ours.next_fetch_offset == theirs.next_fetch_offset
    edge = fetch_offset
    for part in stretches:
        assert part.first_offset == edge, "the stretches leave nothing out"
        edge = part.next_offset
    assert edge == ours.next_fetch_offset


def test_the_consumer_passes_over_what_was_aborted_and_asks_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def as_faust_makes_it(self: Any, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = aiokafka.AIOKafkaConsumer(fetch_max_wait_ms=1500)
        assert consumer._isolation_level == "read_uncommitted"
        assert consumer._fetch_max_wait_ms == 1500
        return consumer

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer", as_faust_makes_it)

    async def made() -> aiokafka.AIOKafkaConsumer:
        return ConsumerThread.__new__(ConsumerThread)._create_worker_consumer(None)

    consumer = asyncio.run(made())
    assert consumer._isolation_level == "read_committed"
    assert consumer._fetch_max_wait_ms == FETCH_WAIT_MS


@pytest.mark.parametrize(
    "answer",
    [AssertionError("Partition is not assigned"), IllegalStateError("no"), AttributeError("None")],
)
def test_a_partition_taken_away_meanwhile_has_no_end_to_speak_of(answer: Exception) -> None:
    """Another thread may unassign it at any time; that must not end the task that asks."""

    def last_stable_offset(tp: TP) -> int:
        raise answer

    thread = ConsumerThread.__new__(ConsumerThread)
    thread._ensure_consumer = lambda: SimpleNamespace(last_stable_offset=last_stable_offset)
    assert thread.highwater(TPS[0]) == 0


@pytest.mark.parametrize(("known", "end"), [(None, 0), (7, 7)])
def test_where_reading_can_go_is_the_last_stable_offset(known: int | None, end: int) -> None:
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._ensure_consumer = lambda: SimpleNamespace(last_stable_offset=lambda tp: known)
    assert thread.highwater(TPS[0]) == end


def test_commits_bear_the_log_that_they_are_of() -> None:
    committed: list[dict[Any, Any]] = []

    async def commit(offsets: dict[Any, Any]) -> None:
        committed.append(offsets)

    thread = ConsumerThread.__new__(ConsumerThread)
    thread.consumer = SimpleNamespace(log_name="cluster/topic-id")
    thread._ensure_consumer = lambda: SimpleNamespace(
        commit=commit, assignment=lambda: set(TPS[:1])
    )
    assert asyncio.run(thread._commit({TPS[0]: 5, TPS[1]: 6}))
    ((at, what),) = committed[0].items()
    assert (at.topic, at.partition) == TPS[0]
    assert (what.offset, what.metadata) == (5, "cluster/topic-id")


class Rebalanced(Reading):
    """A consumer whose flow stops while a fetch is on its way, and goes on later."""

    def __init__(self, fetched: dict[TP, list[Stretch]]) -> None:
        super().__init__(fetched)
        self.can_resume_flow = asyncio.Event()
        self.suspend_flow = asyncio.Event()
        self._stopped, self._crashed = asyncio.Event(), asyncio.Event()
        self._crash_reason = self._loop = None
        self.stops = True
        self.done: list[str] = []

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> dict[TP, Any]:
        self.done.append("fetch")
        if self.stops:
            self.stops = False
            self.stop_flow()
        return await super()._getmany(active_partitions, timeout)

    async def perform_seek(self) -> None:
        self.done.append("seek")


def test_what_a_stopped_flow_drops_is_read_again_though_no_record_follows_it() -> None:
    async def two_fetches() -> list[TP]:
        consumer = Rebalanced({TPS[0]: [stretch(batch_of([b"a"]))]})
        assert [found async for found in consumer.getmany(0.1)] == []
        consumer.resume_flow()
        found = [tp async for tp, _ in consumer.getmany(0.1)]
        assert [tp async for tp, _ in consumer.getmany(0.1)] == found
        assert consumer.done == ["fetch", "seek", "fetch", "fetch"]
        return found

    assert asyncio.run(two_fetches()) == [TPS[0]]


def test_reading_waits_for_a_stopped_flow_before_it_reads_again_what_was_dropped() -> None:
    async def stopped_then_resumed() -> list[str]:
        consumer = Rebalanced({TPS[0]: [stretch(batch_of([b"a"]))]})
        assert [found async for found in consumer.getmany(0.1)] == []
        consumer.done.clear()

        async def second() -> None:
            async for _ in consumer.getmany(0.1):
                pass

        reading = asyncio.create_task(second())
        await asyncio.sleep(0.05)
        assert consumer.done == [], "nothing is sought while the flow is stopped"
        consumer.resume_flow()
        await asyncio.wait_for(reading, 5)
        return consumer.done

    assert asyncio.run(stopped_then_resumed()) == ["seek", "fetch"]


@pytest.mark.parametrize("buffered", [False, True])
def test_of_a_partition_that_is_not_read_nothing_is_handed_out(buffered: bool) -> None:
    """Unless it only left the fetches for a moment, because its stream was full."""

    class Fetched(Reading):
        async def _getmany(self, active_partitions: set[TP], timeout: float) -> dict[TP, Any]:
            return self.fetched

    consumer = Fetched({tp: [stretch(batch_of([b"a"]))] for tp in TPS})
    consumer._active_partitions = set(TPS[:1])
    if buffered:
        consumer._buffered_partitions = {TPS[2]}
    assert [tp for tp, _ in consumer.messages()] == ([TPS[0], TPS[2]] if buffered else TPS[:1])


def test_what_is_sought_is_what_is_recovered_and_assigned() -> None:
    class Seeking(Reading):
        sought: ClassVar[list[Any]] = []

        def assignment(self) -> set[TP]:
            return {TPS[0], TPS[1]}

        async def seek_wait(self, positions: Any) -> None:
            self.sought.append(positions)

    consumer = Seeking({})
    consumer.positions = lambda: {TPS[1]: 7, TPS[2]: 9}
    asyncio.run(consumer.perform_seek())
    assert consumer.sought == [{TPS[1]: 7}]
    assert consumer.epoch == 3
    consumer.positions = lambda: {TPS[2]: 9}
    asyncio.run(consumer.perform_seek())
    assert consumer.sought == [{TPS[1]: 7}], "to seek nothing would wait for nothing"
    assert consumer.epoch == 4


def made_consumer() -> Consumer:
    """A consumer as Faust makes it, which is never started."""
    app = faust.App("unit-test", broker="kafka://127.0.0.1:9", web_enabled=False)

    async def nothing(*_: Any) -> None:
        """Never called."""

    return Consumer(
        app.transport,
        callback=nothing,
        on_partitions_revoked=nothing,
        on_partitions_assigned=nothing,
        commit_interval=7.0,
    )


def test_a_consumer_begins_with_nothing_checkpointed_and_a_thread_of_ours() -> None:
    async def made() -> None:
        consumer = made_consumer()
        assert (consumer.epoch, consumer.checkpointed, consumer.positions()) == (0, {}, {})
        assert consumer.commit_interval == 7.0
        thread = consumer._new_consumer_thread()
        assert isinstance(thread, ConsumerThread)
        assert thread.consumer is consumer

    asyncio.run(made())


def test_what_is_checkpointed_can_be_committed_by_topic_and_by_partition() -> None:
    async def made() -> None:
        consumer = made_consumer()
        consumer.checkpoint(TPS[0], 5)
        consumer.checkpoint(TP("other", 1), 9)
        assert set(consumer._filter_tps_with_pending_acks()) == {TPS[0], TP("other", 1)}
        assert list(consumer._filter_tps_with_pending_acks({TPS[0], TPS[1]})) == [TPS[0]]
        assert list(consumer._filter_tps_with_pending_acks({"other"})) == [TP("other", 1)]
        assert list(consumer._filter_tps_with_pending_acks({"none"})) == []
        assert (consumer._new_offset(TPS[0]), consumer._new_offset(TPS[1])) == (5, None)

    asyncio.run(made())


def test_partitions_are_flushed_and_then_forgotten_when_they_are_revoked() -> None:
    async def made() -> None:
        consumer = made_consumer()
        consumer.checkpoint(TPS[0], 5)
        consumer.checkpoint(TPS[1], 6)
        seen: list[tuple[set[TP], dict[TP, int]]] = []

        async def before_revoke(revoked: set[TP]) -> None:
            seen.append((revoked, dict(consumer.checkpointed)))

        consumer.before_revoke = before_revoke
        await consumer.on_partitions_revoked({TPS[0], TPS[2]})
        assert seen == [({TPS[0], TPS[2]}, {TPS[0]: 5, TPS[1]: 6})]
        assert consumer.checkpointed == {TPS[1]: 6}

    asyncio.run(made())


class NotAcked:
    """A message that was handed out."""

    acked = False


def test_an_acknowledged_message_is_so_once() -> None:
    async def made() -> None:
        consumer = made_consumer()
        message: Any = NotAcked()
        consumer._unacked_messages = WeakSet([message])
        assert consumer.ack(message)
        assert message.acked
        assert not consumer._unacked_messages
        assert not consumer.ack(message)

    asyncio.run(made())


def test_a_commit_that_fails_is_told_and_ends_nothing() -> None:
    async def commit(offsets: dict[Any, Any]) -> None:
        raise RuntimeError("the coordinator is away")

    thread = ConsumerThread.__new__(ConsumerThread)
    thread.consumer = SimpleNamespace(log_name="cluster/topic-id")
    thread._ensure_consumer = lambda: SimpleNamespace(commit=commit, assignment=lambda: set(TPS))
    assert asyncio.run(thread._commit({TPS[0]: 5})) is False

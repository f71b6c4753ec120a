"""The meter where batches, look-ups, flushes and rebalances cross, over a database in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from schemas.measures import MEASURES
from schemas.metering_rules import MeteringRules
from services.aggregator.core.continuity import RecordsReplacedError
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState, Snapshot
from services.aggregator.core.slices import SliceRows, SliceStore, TotalTooLargeError
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.errors import DatabaseWentBackError, LogReplacedError, LogRewrittenError
from services.aggregator.meter import Meter
from services.aggregator.recovery import Keep
from services.aggregator.storage.retry import AbandonedError
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log

NOW_MS = 1_773_576_000_000  # 2026-03-15T12:00:00Z
LABELS = Labels()
LOG = Log("cluster", "topic-id", "usage", 1)
EVENT = (
    b'{"id":"%d","source":"s","tenant":"t","time":"2026-03-15T12:00:00Z","region":"r",'
    b'"provider":"p","model":"m","input_tokens":%d,"output_tokens":0}'
)


class Database:
    """`ClickHouseSink` and its thread at once: remembers what was written, in order."""

    def __init__(self) -> None:
        self.away = False
        self.offset: int | None = None
        self.written: list[tuple[str, int]] = []
        #: Called before a call is answered, and may do anything, such as raise.
        self.before: Callable[[str], Any] = lambda call: None

    async def call(self, work: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        return work(self)

    def write_rows(self, snapshots: Iterable[Snapshot]) -> None:
        self.before("rows")
        self.written += [("rows", snapshot.checkpoint.next_offset) for snapshot in snapshots]

    def write_checkpoints(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        self.before("checkpoints")
        self.offset = checkpoints[0].next_offset
        self.written.append(("checkpoint", self.offset))

    def read_offsets(self) -> dict[int, int]:
        found = {} if self.offset is None else {0: self.offset}
        self.before("offsets")
        return found

    def look_up(self, family: str, partition: int, keys: Any) -> Any:
        self.before("look up")
        return SliceRows(np.empty(0, np.int64), np.empty((0, len(MEASURES)), np.int64)), keys[:0]


class Inline:
    """`IdCalls` that are done at once."""

    async def call(self, work: Callable[[], Any]) -> Any:
        return work()


class Metering:
    """A meter that owns partition 0, its states made by hand instead of recovered."""

    def __init__(
        self,
        pending_rows_max: int = 1000,
        check_log: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.database = Database()
        self.acknowledged: list[tuple[int, int]] = []
        edges: Any = type("Edges", (), {"keep": Keep(3_600_000, 3_600_000, 100), "log": LOG})()
        self.meter = Meter(
            edges,
            self.database,
            self.database,
            pending_rows_max,
            lambda partition, offset: self.acknowledged.append((partition, offset)),
            check_log,
            ids=Inline(),
            tidier=Inline(),
        )
        self.state = self.take_over(Checkpoint(0, 0))

    def take_over(self, checkpoint: Checkpoint, loaded_from_ms: int = 0) -> PartitionState:
        slices = SliceStore({"minute": loaded_from_ms, "hour": loaded_from_ms})
        rules = RuleBook(((0, MeteringRules()),))
        state = PartitionState(
            *(0, rules, checkpoint, slices, SeenIds(), checkpoint.next_offset, Decoder(LABELS))
        )
        self.meter.states[0] = state
        return state

    async def consume(
        self,
        first: int,
        count: int = 1,
        tokens: int = 1,
        markers: int = 0,
        batches: Sequence[BatchMark] = (),
    ) -> bool:
        values = [EVENT % (first + number, tokens) for number in range(count)]
        offsets = np.arange(first, first + count)
        records = Records(offsets, np.full(count, NOW_MS), values)
        return await self.meter.consume(0, first, records, first + count + markers, batches=batches)


#: After it every window of `EVENT` is old, so its slices have to be looked up.
LATER_MS = NOW_MS + 10 * 24 * 3_600_000


def test_rows_come_before_their_checkpoint_and_the_commit_last() -> None:
    async def run() -> Metering:
        metering = Metering()
        await metering.consume(0, 3)
        await metering.meter.flush()
        return metering

    metering = asyncio.run(run())
    assert metering.database.written == [("rows", 3), ("checkpoint", 3)]
    assert metering.acknowledged == [(0, 3)]


def test_a_refused_insert_leaves_no_checkpoint_and_is_tried_again() -> None:
    async def run() -> Metering:
        metering = Metering()
        refusals = [UnavailableError("too many parts")]

        def refuse(call: str) -> None:
            if call == "rows" and refusals:
                assert not metering.database.written
                raise refusals.pop()

        metering.database.before = refuse
        await metering.consume(0)
        await metering.meter.flush()
        return metering

    assert asyncio.run(run()).database.written == [("rows", 1), ("checkpoint", 1)]


def test_the_log_is_looked_at_when_all_that_is_written_was_fetched() -> None:
    """What comes after the question may be of another log, so a later flush writes it."""

    async def run() -> Metering:
        async def look() -> None:
            await metering.consume(1, 4)

        metering = Metering(check_log=look)
        await metering.consume(0)
        await metering.meter.flush()
        return metering

    metering = asyncio.run(run())
    assert metering.database.written == [("rows", 1), ("checkpoint", 1)]
    assert metering.meter.positions() == {0: 5}


def test_nothing_is_written_of_another_log() -> None:
    async def run() -> Metering:
        async def look() -> None:
            raise LogReplacedError("the topic is another log")

        metering = Metering(check_log=look)
        await metering.consume(0)
        with pytest.raises(LogReplacedError):
            await metering.meter.flush()
        return metering

    metering = asyncio.run(run())
    assert metering.database.written == []
    assert metering.meter.states == {}, "what was taken for writing is not in it any more"


def test_what_is_committed_is_what_was_checkpointed_not_what_was_read() -> None:
    async def run() -> Metering:
        metering = Metering()
        await metering.consume(0)
        reading: list[asyncio.Task[bool]] = []

        def read_on(call: str) -> None:
            if call == "rows":
                reading.append(asyncio.ensure_future(metering.consume(1, 4)))

        metering.database.before = read_on
        await metering.meter.flush()
        await asyncio.gather(*reading)
        return metering

    metering = asyncio.run(run())
    assert metering.acknowledged == [(0, 1)]
    assert metering.meter.positions() == {0: 5}


def test_a_snapshot_waits_for_the_batch_that_is_being_looked_up() -> None:
    async def run() -> Metering:
        metering = Metering()
        metering.state = metering.take_over(Checkpoint(0, 0), LATER_MS)
        batch = asyncio.ensure_future(metering.consume(0))
        flush = asyncio.ensure_future(metering.meter.flush())
        await asyncio.gather(batch, flush)
        return metering

    assert asyncio.run(run()).database.written == [("rows", 1), ("checkpoint", 1)]


def test_a_flush_beside_a_look_up_is_no_database_that_went_back() -> None:
    """The look-up reads the checkpoint, the flush writes a newer one, then the answer is judged."""

    async def run() -> None:
        metering = Metering()
        await metering.consume(0)
        metering.state.slices.evict([("minute", LATER_MS), ("hour", LATER_MS)])
        for slices in metering.state.slices.families.values():
            slices.loaded_from = slices.family.window_number(LATER_MS)

        def flush_meanwhile(call: str) -> None:
            if call == "offsets":
                metering.database.before = lambda call: None
                snapshot = metering.state.snapshot()
                assert snapshot is not None
                metering.database.write_checkpoints({0: snapshot.checkpoint})
                metering.state.flushed(snapshot)

        metering.database.before = flush_meanwhile
        other = EVENT.replace(b'"m"', b'"n"') % (1, 1)
        records = Records(np.array([1]), np.array([NOW_MS]), [other])
        assert await metering.meter.consume(0, 1, records, 2)
        assert metering.meter.states[0] is metering.state

    asyncio.run(run())


def test_a_look_up_in_a_database_that_went_back_drops_the_state() -> None:
    async def run() -> None:
        metering = Metering()
        await metering.consume(0)
        await metering.meter.flush()
        metering.database.offset = None
        for slices in metering.state.slices.families.values():
            slices.loaded_from = slices.family.window_number(LATER_MS)
        other = EVENT.replace(b'"m"', b'"n"') % (1, 1)
        records = Records(np.array([1]), np.array([NOW_MS]), [other])
        with pytest.raises(DatabaseWentBackError):
            await metering.meter.consume(0, 1, records, 2)
        assert metering.meter.states == {}

    asyncio.run(run())


def test_a_flush_into_a_database_that_went_back_writes_no_checkpoint() -> None:
    async def run() -> Metering:
        metering = Metering()
        await metering.consume(0)
        await metering.meter.flush()
        await metering.consume(1)
        metering.database.offset, metering.database.written = None, []
        with pytest.raises(DatabaseWentBackError):
            await metering.meter.flush()
        return metering

    metering = asyncio.run(run())
    assert metering.database.written == [("rows", 2)]
    assert metering.meter.states == {}


def test_a_flush_from_before_a_restore_is_refused_though_another_state_has_recovered() -> None:
    """Its clean rows are in no table any more, whatever the new state has found there."""

    async def run() -> Metering:
        metering = Metering()
        await metering.consume(0)
        await metering.meter.flush()
        await metering.consume(1)

        def restore(call: str) -> None:
            if call == "rows":
                metering.database.offset = None
                metering.take_over(Checkpoint(0, 0))

        metering.database.before = restore
        metering.database.written = []
        with pytest.raises(DatabaseWentBackError):
            await metering.meter.flush()
        return metering

    metering = asyncio.run(run())
    assert metering.database.written == [("rows", 2)]
    assert metering.meter.states[0] is not metering.state, "the new state stays"


def test_an_abandoned_look_up_leaves_the_state_that_took_over() -> None:
    async def run() -> None:
        metering = Metering()
        metering.take_over(Checkpoint(0, 0), LATER_MS)
        successors = []

        def rebalance(call: str) -> None:
            if call == "look up":
                successors.append(metering.take_over(Checkpoint(0, 0)))
                raise UnavailableError("away for a moment")

        metering.database.before = rebalance
        with pytest.raises(AbandonedError):
            await metering.consume(0)
        assert metering.meter.states == {0: successors[0]}
        metering.database.before = lambda call: None
        assert await metering.consume(0)
        assert metering.meter.positions() == {0: 1}

    asyncio.run(run())


def test_a_batch_half_done_takes_its_state_with_it() -> None:
    async def run() -> None:
        metering = Metering()
        metering.take_over(Checkpoint(0, 0), LATER_MS)

        def fail(call: str) -> None:
            raise RuntimeError("for good")

        metering.database.before = fail
        with pytest.raises(RuntimeError):
            await metering.consume(0)
        assert metering.meter.states == {}, "it has seen ids that it has not counted"

    asyncio.run(run())


def test_a_batch_behind_a_gap_is_not_metered() -> None:
    async def run() -> None:
        metering = Metering()
        assert not await metering.consume(1)
        assert metering.meter.positions() == {0: 0}
        assert await metering.consume(0, 2)
        assert metering.meter.positions() == {0: 2}

    asyncio.run(run())


def test_a_recovery_forgets_what_is_not_assigned_any_more() -> None:
    async def run() -> Metering:
        metering = Metering()
        await metering.consume(0)
        await metering.meter.recover([], lambda: False)
        return metering

    assert asyncio.run(run()).meter.states == {}


def test_what_lies_behind_a_batch_and_is_no_record_is_passed_over() -> None:
    """Such as the end of a transaction: no gap, and part of what a checkpoint covers."""

    async def run() -> Metering:
        metering = Metering()
        await metering.consume(0, 2, markers=1)
        assert metering.meter.positions() == {0: 3}
        assert await metering.consume(3)
        await metering.meter.flush()
        return metering

    assert asyncio.run(run()).database.written == [("rows", 4), ("checkpoint", 4)]


def test_a_sum_that_would_wrap_is_not_written() -> None:
    async def run() -> None:
        metering = Metering()
        await metering.consume(0, tokens=10**9)
        register = metering.state.slices.families["register"]
        register._totals[0, MEASURES.index("input_tokens")] = 2**63 - 10**9
        with pytest.raises(TotalTooLargeError, match="register"):
            await metering.consume(1, tokens=10**9)
        assert metering.meter.states == {}

    asyncio.run(run())


def test_reading_waits_while_the_database_is_away() -> None:
    metering = Metering()
    assert not metering.meter.held
    metering.database.away = True
    assert metering.meter.held


def test_reading_goes_on_while_what_filled_the_room_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows handed to a flush leave room for as much again, and for no more than that."""

    async def run() -> None:
        metering = Metering(pending_rows_max=2)
        meter, database = metering.meter, metering.database
        writes, may_write = asyncio.Event(), asyncio.Event()
        at_once = database.call

        async def held(work: Callable[[Any], Any]) -> Any:
            writes.set()
            await may_write.wait()
            return await at_once(work)

        monkeypatch.setattr(database, "call", held)
        await metering.consume(0)
        assert meter.full.is_set() and meter.held
        flush = asyncio.create_task(meter.flush())
        await writes.wait()
        assert not meter.full.is_set() and not meter.held
        assert await metering.consume(1)
        assert meter.full.is_set(), "what is being written still takes memory"
        third = asyncio.create_task(metering.consume(2))
        await asyncio.sleep(0.01)
        assert not third.done()
        may_write.set()
        await flush
        await asyncio.sleep(0.01)
        assert not third.done(), "the second lot waits for a flush of its own"
        await meter.flush()
        assert await third

    asyncio.run(run())


def test_reading_pauses_where_dead_letters_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows, but large ones: while the database is away they must not grow without end."""

    async def run() -> None:
        metering = Metering()
        monkeypatch.setattr("services.aggregator.meter.HELD_BYTES_MAX", 10_000)
        poison = Records(np.arange(2), np.full(2, LATER_MS), [b"x" * 6_000] * 2)
        assert await metering.meter.consume(0, 0, poison, 2)
        assert not metering.meter._room.is_set()
        await metering.meter.flush()
        assert metering.meter._room.is_set()

    asyncio.run(run())


def test_a_checkpoint_says_which_batch_ends_there_and_a_worker_begins_with_it() -> None:
    async def run() -> None:
        metering = Metering()
        batches = [BatchMark(0, 2, 5, 1), BatchMark(2, 3, 6, 1)]
        assert await metering.consume(0, 3, batches=batches)
        assert metering.meter.read_next() == {0: 3}
        await metering.meter.flush()
        checkpoint = metering.state.checkpoint
        assert checkpoint.last_batch == batches[-1]

        metering.take_over(checkpoint)
        assert metering.meter.positions() == {0: 3}
        assert metering.meter.read_next() == {0: 2}
        # Fetched by others' seeks; nothing of it is metered, and nothing written.
        assert not await metering.consume(3, 2, batches=[BatchMark(3, 5, 7, 1)])
        assert await metering.consume(2, 3, batches=[batches[-1], BatchMark(3, 5, 7, 1)])
        assert metering.meter.positions() == metering.meter.read_next() == {0: 5}
        await metering.meter.flush()
        assert metering.state.checkpoint.received == 3
        assert metering.meter.states[0].checkpoint.received == 5

    asyncio.run(run())


def test_below_the_checkpoint_no_other_record_may_lie() -> None:
    async def run() -> Metering:
        metering = Metering()
        metering.take_over(Checkpoint(3, 0, received=3, last_batch=BatchMark(2, 3, 6)))
        with pytest.raises(LogRewrittenError, match="partition 0 of usage: .* below offset 3 "):
            await metering.consume(2, 3, batches=[BatchMark(2, 5, 7, 2)])
        return metering

    assert asyncio.run(run()).meter.states == {}


def test_what_the_log_lost_above_the_checkpoint_is_not_written() -> None:
    async def run() -> Metering:
        metering = Metering()
        assert await metering.consume(0, 3, batches=[BatchMark(0, 3, 5, 1)])
        assert not await metering.consume(3, 2, batches=[BatchMark(3, 5, 6, 2)])
        # In doubt: it may be lost.
        await metering.meter.flush()
        assert metering.database.written == []
        assert metering.meter.read_next() == {0: 2}
        with pytest.raises(RecordsReplacedError):
            await metering.consume(2, 3, batches=[BatchMark(1, 5, 6, 2)])
        return metering

    assert asyncio.run(run()).meter.states == {}


def test_what_was_looked_up_and_is_not_there_is_not_asked_again() -> None:
    async def run() -> list[str]:
        metering, calls = Metering(), list[str]()
        metering.take_over(Checkpoint(0, 0), LATER_MS)
        metering.database.before = calls.append
        assert await metering.consume(0, 2)
        asked = calls.count("look up")
        assert asked > 0
        assert await metering.consume(2, 2)
        assert calls.count("look up") == asked
        return calls

    asyncio.run(run())

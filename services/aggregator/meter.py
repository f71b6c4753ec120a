"""The partitions that this worker meters: batches in, flushes out, recovery between.

Everything here runs on one event loop. Locks keep the order: a batch is folded whole before a
snapshot is taken, flushes follow one another, and so do recoveries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.continuity import RecordsReplacedError
from services.aggregator.core.dedup import Sightings
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import PartitionState, Sifted, Snapshot
from services.aggregator.core.runs import Settled
from services.aggregator.core.slices import SliceRows
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.columns import Decoded
from services.aggregator.errors import LogRewrittenError
from services.aggregator.flush import Flusher, check_not_back
from services.aggregator.handover import Handover
from services.aggregator.metrics import (
    BATCHES,
    EVENTS_AS_OTHER,
    GAPS,
    LOOK_UPS,
    PARTITIONS,
    PENDING_ROWS,
    RECORDS,
    RECOVERIES,
    SEEN_IDS,
    SLICES,
)
from services.aggregator.recovery import Edges, recover
from services.aggregator.spans import about_flush, about_recovered, about_recovery
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.id_threads import IdCalls
from services.aggregator.storage.retry import AbandonedError, persist
from services.aggregator.storage.sink_thread import SinkCalls
from services.platform.log import get_logger
from services.platform.tracing import NO_TRACES, Traces

logger = get_logger(__name__)

#: So many ids seen since the last run become one before the next flush comes; as many as may be in
#: memory, where those are fewer.
UNWRITTEN_IDS_MAX = 1_000_000
#: So many times the ids that are to be in memory may be there, while the disk takes none or the
#: database no checkpoint; then reading pauses.
IDS_MAX_FACTOR = 5
#: But a few batches in any case.
IDS_MAX_LEAST = 200_000
#: Dead letters and adjustments, a batch's more or less, that wait in memory for the database; then
#: reading pauses.
HELD_BYTES_MAX = 32 * 1024 * 1024

#: What a flush takes, by partition, and the ids to be written with it.
Taken = dict[int, tuple[PartitionState, Snapshot]]
Unwritten = list[tuple[PartitionState, Sightings]]


class Acknowledge(Protocol):
    """Told, after each flush, below which offset a partition is in the database."""

    def __call__(self, partition: int, next_offset: int) -> None:
        """Take note; must not fail."""


class Meter:
    """States of the partitions at hand, and the edges they are read from and written to.

    Reading and writing have a connection each: a look-up of an old window must not wait behind a
    large insert; and so it is with writing ids to disk and tidying up there. ``check_log`` is asked
    before each flush whether what was read may be written; it raises where not.
    """

    def __init__(
        self,
        edges: Edges,
        reader: SinkCalls,
        writer: SinkCalls,
        pending_rows_max: int,
        acknowledge: Acknowledge,
        check_log: Callable[[], Awaitable[None]] | None = None,
        *,
        ids: IdCalls,
        tidier: IdCalls,
        traces: Traces = NO_TRACES,
    ) -> None:
        self.states: dict[int, PartitionState] = {}
        self._edges = edges
        self._reader = reader
        self._writer = writer
        self._flusher = Flusher(writer, traces)
        self._traces = traces
        self._pending_rows_max = pending_rows_max
        self._acknowledge = acknowledge
        self._check_log = check_log
        self._ids = ids
        self._tidier = tidier
        self._batch_lock = asyncio.Lock()
        self._flush_lock = asyncio.Lock()
        self._recovery_lock = asyncio.Lock()
        self.last_flush_seconds = 0.0
        self._ids_max = max(IDS_MAX_FACTOR * edges.keep.ids, IDS_MAX_LEAST)
        self._room = asyncio.Event()
        self._room.set()
        #: Set while so much waits for a flush that it is to come at once: rows, bytes of dead
        #: letters and adjustments, ids in memory.
        self.full = asyncio.Event()

    def positions(self) -> dict[int, int]:
        """Up to which offset each partition is metered, in memory."""
        return {partition: state.next_offset for partition, state in self.states.items()}

    def read_next(self) -> dict[int, int]:
        """The offset to read from, by partition."""
        return {partition: state.read_next for partition, state in self.states.items()}

    def settled(self) -> dict[int, Settled]:
        """What lies below each partition's checkpoint, which is in the database."""
        return {partition: state.settled for partition, state in self.states.items()}

    @property
    def in_doubt(self) -> list[int]:
        """The partitions whose last batch has to be compared, as another leader goes on."""
        return [number for number, state in self.states.items() if state.continuity.in_doubt]

    def believe(self, log_starts: Mapping[int, int]) -> None:
        """Compare nothing that lies before where these partitions of the log begin."""
        for number, log_start in log_starts.items():
            if number in self.states:
                self.states[number].continuity.believe(log_start)

    @property
    def pending_rows(self) -> int:
        """Rows changed and not yet handed to a flush."""
        return sum(state.pending_rows for state in self.states.values())

    @property
    def ids_in_memory(self) -> int:
        """Ids in memory, all partitions together."""
        return sum(len(state.seen) for state in self.states.values())

    @property
    def held(self) -> bool:
        """Whether reading waits on purpose: for room, an old window's look-up, or the database."""
        away = self._reader.away or self._writer.away
        return away or not self._room.is_set() or self._batch_lock.locked()

    async def recover(self, partitions: Sequence[int], abandoned: Callable[[], bool]) -> None:
        """Build the states of these partitions; forget those of all others.

        Retries while ClickHouse or Kafka is away. Raises `AbandonedError` when ``abandoned()``
        says so, and `MeteringStoppedError`.
        """
        # A rebalance, a flush and a look-up may each ask for it: what one has recovered, it keeps.
        async with self._recovery_lock:
            self.drop(set(self.states) - set(partitions))
            missing = [partition for partition in partitions if partition not in self.states]
            if not missing:
                return

            handover = Handover()

            def attempt(sink: ClickHouseSink) -> dict[int, PartitionState]:
                # All of them share what memory there is, also with those that are here already.
                sharing = len(partitions)
                return handover.offer(
                    partial(recover, self._edges, sink, missing, abandoned, sharing=sharing)
                )

            async def traced() -> dict[int, PartitionState]:
                with self._traces.span("attempt"):
                    return await self._reader.call(attempt)

            with self._traces.span("recover", lambda: about_recovery(self._edges.log, missing)):
                try:
                    states = await persist("recover", traced, abandoned)
                    if abandoned():
                        raise AbandonedError("recover")
                except BaseException:
                    # The thread may still be at it: what it builds has to be let go all the same.
                    handover.refuse()
                    raise
                self._traces.note(partial(about_recovered, states))
            self.states.update(states)
            RECOVERIES.inc(len(states))
            self._measure()

    def drop(self, partitions: set[int]) -> None:
        """Forget partitions. What was not flushed is read again by whoever recovers them."""
        for partition in partitions:
            state = self.states.pop(partition, None)
            if state is not None:
                state.seen.close()
        self._measure()

    async def consume(
        self,
        partition: int,
        first_offset: int,
        records: Records,
        next_offset: int,
        decoded: Decoded | None = None,
        batches: Sequence[BatchMark] = (),
    ) -> bool:
        """Meter a batch: all that the log holds from ``first_offset`` to below ``next_offset``.

        ``decoded`` is what the records say, where that was found out ahead; ``batches`` are the
        Kafka batches that they came in.

        Waits while too much is unwritten. Batches of lost partitions are void. False where records
        before it are missing, dropped on their way by a rebalance say, or in doubt: then it is not
        metered, and the partition must be read again from its position.

        Raises `DatabaseWentBackError` when a look-up shows that, `IdsUnreadableError` when the disk
        lost ids, `RecordsReplacedError` when the log lost what was read; the partition is dropped
        then. And `LogRewrittenError`.
        """
        await self._room.wait()
        async with self._batch_lock:
            state = self.states.get(partition)
            if state is None:
                return True
            if first_offset > state.next_offset:
                return False
            if not self._continues(partition, state, first_offset, batches):
                return False
            if len(records) and records.offsets[0] > state.next_offset:
                GAPS.inc()
                logger.warning(
                    "offsets skipped",
                    partition=partition,
                    expected=state.next_offset,
                    found=int(records.offsets[0]),
                )
            try:
                sifted = state.sift(records, decoded)
                await self._look_up(partition, state, sifted)
                state.fold(sifted)
                state.pass_over(next_offset, batches)
            except BaseException:
                # Half done: this state has seen ids that it has not counted. Meanwhile the
                # partition may have gone and come back, with a new state that is whole.
                self._drop_same({partition: state})
                raise
        BATCHES.inc()
        RECORDS.inc(len(records))
        EVENTS_AS_OTHER.inc(sifted.as_other)
        held_bytes = sum(state.held_bytes for state in self.states.values())
        if self.pending_rows >= self._pending_rows_max or held_bytes >= HELD_BYTES_MAX:
            self.full.set()
            self._room.clear()
        elif self._too_many_ids:
            logger.warning("reading pauses: too many ids are in memory", ids=self.ids_in_memory)
            self.full.set()
            self._room.clear()
        return True

    def _continues(
        self,
        partition: int,
        state: PartitionState,
        first_offset: int,
        batches: Sequence[BatchMark],
    ) -> bool:
        try:
            return state.continuity.continues(first_offset, batches)
        except RecordsReplacedError as error:
            # Nothing of it may be written any more.
            self._drop_same({partition: state})
            if error.offset > state.checkpoint.next_offset:
                raise
            raise LogRewrittenError(
                f"partition {partition} of {self._edges.log.topic}: {error}, and those are metered:"
                " the log lost its end and grew again."
                " See docs/runbook.md, 'Checkpoint ahead of the log'"
            ) from error

    async def _look_up(self, partition: int, state: PartitionState, sifted: Sifted) -> None:
        for name, keys in state.unknown_slices(sifted).items():
            found = await persist(
                "look up slices",
                partial(self._look_up_once, name, state, keys),
                lambda: self.states.get(partition) is not state,
            )
            state.learn(name, keys, *found)
            LOOK_UPS.inc(len(keys))

    async def _look_up_once(
        self, family: str, state: PartitionState, keys: Ints
    ) -> tuple[SliceRows, Ints]:
        # As of now: a flush may write a newer checkpoint while the question is under way, which the
        # answer does not know.
        written = state.written_offset
        found, stored = await self._reader.call(partial(look_up, family, state.partition, keys))
        # In a database that was restored meanwhile, what is missing may yet exist.
        check_not_back({state.partition: written}, stored)
        return found

    async def flush(self, abandoned: Callable[[], bool] = lambda: False) -> None:
        """Write what changed, as `services.aggregator.flush` says.

        Cancelled or abandoned in the middle, the partitions concerned are dropped: their dirty
        rows were handed over, so only a recovery makes them whole.
        """
        async with self._flush_lock:
            began_ns = time.time_ns()
            async with self._batch_lock:
                taken = self._snapshots()
                unwritten = self._unwritten_ids()
            # What is handed over leaves room for as much again, read while this is written.
            self.full.clear()
            self._open_room()
            # Where there is nothing to write, there is nothing to tell of.
            traces = self._traces if taken else NO_TRACES
            try:
                with traces.span(
                    "flush",
                    lambda: about_flush(self._edges.log, snapshots_of(taken)),
                    began_ns=began_ns,
                ):
                    with traces.span("snapshot", began_ns=began_ns):
                        pass
                    await self._write(taken, unwritten, abandoned, traces)
            except BaseException:
                self._drop_same({number: state for number, (state, _) in taken.items()})
                raise
            if not taken:
                return
            async with self._batch_lock:
                # Never between a batch's look-up and its fold: it would lose what it looked up.
                self._evict()
            self._measure()

    async def _write(
        self,
        taken: Taken,
        unwritten: Unwritten,
        abandoned: Callable[[], bool],
        traces: Traces,
    ) -> None:
        """Write what a flush took, and say so to its partitions and the consumer."""
        started = time.monotonic()
        if unwritten:
            with traces.span("write ids"):
                await self._ids.call(partial(write_ids, unwritten))
        self._make_room()
        if not taken:
            return
        if self._check_log is not None:
            # After the snapshot: what is in it was fetched before this question.
            with traces.span("look at the log"):
                await persist("look at the log", self._check_log, abandoned)
        await self._flusher.write(snapshots_of(taken), abandoned)
        self.last_flush_seconds = time.monotonic() - started
        with traces.span("commit"):
            for partition, (state, snapshot) in taken.items():
                state.flushed(snapshot)
                if self.states.get(partition) is state:
                    self._acknowledge(partition, snapshot.checkpoint.next_offset)

    def release(self) -> None:
        """Let a waiting batch go on, because the partitions are being taken away."""
        self.full.clear()
        self._room.set()

    def _snapshots(self) -> Taken:
        taken: Taken = {}
        for partition, state in self.states.items():
            snapshot = state.snapshot()
            if snapshot is not None:
                taken[partition] = (state, snapshot)
        return taken

    def _drop_same(self, states: Mapping[int, PartitionState]) -> None:
        """Drop these very states, and none that took their place."""
        self.drop({number for number, state in states.items() if self.states.get(number) is state})

    def _unwritten_ids(self) -> Unwritten:
        found = [(state, state.unwritten_ids()) for state in self.states.values()]
        return [(state, sightings) for state, sightings in found if sightings is not None]

    def _make_room(self) -> None:
        """Forget the ids that are too many for memory and on disk; let a waiting batch go on."""
        share = max(1, self._edges.keep.ids // max(1, len(self.states)))
        for state in self.states.values():
            state.seen.make_room(share)
        self._open_room()

    async def write_ids(self, many: int | None = None) -> None:
        """Write runs of the ids seen, if there are as many as that, ahead of the flush.

        What a run takes to be written is of its size, and what no run has must stay in memory. A
        crash before the flush drops it again.
        """
        if many is None:
            many = min(UNWRITTEN_IDS_MAX, self._edges.keep.ids)
        if sum(state.seen.since_last_cut for state in self.states.values()) < many:
            return
        async with self._batch_lock:
            unwritten = self._unwritten_ids()
        await self._ids.call(partial(write_ids, unwritten))
        self._make_room()

    async def tidy(self) -> None:
        """Delete ids on disk that matter no more, and merge runs of them until none are left to."""
        for partition, state in list(self.states.items()):
            while self.states.get(partition) is state:
                if not await self._tidier.call(partial(state.seen.tidy, state.settled)):
                    break

    def _open_room(self) -> None:
        if not self._too_many_ids and not self.full.is_set():
            self._room.set()

    @property
    def _too_many_ids(self) -> bool:
        """Whether too many ids are in memory.

        Not while a partition's ids on disk are lost: it takes a batch to find that out and recover
        the partition, which makes room; until then none of its ids can be moved.
        """
        lost = any(state.seen.lost for state in self.states.values())
        return self.ids_in_memory >= self._ids_max and not lost

    def _evict(self) -> None:
        for state in self.states.values():
            keep_from = self._edges.keep.loaded_from_ms(state.checkpoint.newest_event_ms)
            state.slices.evict(keep_from.items())

    def _measure(self) -> None:
        PARTITIONS.set(len(self.states))
        PENDING_ROWS.set(self.pending_rows)
        SEEN_IDS.set(sum(len(state.seen) for state in self.states.values()))
        SLICES.set(sum(len(state.slices) for state in self.states.values()))


def snapshots_of(taken: Taken) -> list[Snapshot]:
    """What of it is written."""
    return [snapshot for _, snapshot in taken.values()]


def write_ids(unwritten: Unwritten) -> None:
    """Write runs of ids. What the disk does not take stays in memory, and is in the next runs."""
    for state, sightings in unwritten:
        state.seen.keep(sightings)


def look_up(
    family: str, partition: int, keys: Ints, sink: ClickHouseSink
) -> tuple[tuple[SliceRows, Ints], dict[int, int]]:
    """Read slices with their versions, and then the checkpoints."""
    return sink.look_up(family, partition, keys), sink.read_offsets()

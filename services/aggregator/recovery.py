"""Recovery: what a worker must know of a partition before it reads its first record.

1. Where the log starts now, and what the group committed; then, from ClickHouse, the metering
   rules and the checkpoint ``c`` (none yet: where `migrate` saw the partition begin); then where
   the log ends. In this order, for all of them only ever grow: a worker that was thought dead may
   move on meanwhile, and must not make a checkpoint look ahead of its log or behind its commits.
2. Stop where these contradict one another.
3. The slices: every register, and the windows that late events are likely to touch; and which
   series are admitted (`core.series_limit`).
4. The runs of ids seen that end at ``c`` or below it, on disk or as copies, and the offset from
   which the ids of the dedup horizon before ``c`` that they lack are read again: where they end, or
   Kafka finds it by time.
5. Where the log follows another, the ids of that one, unless runs have them (`inheritance`).

Reading then begins at (4), but with the batch that ends at ``c`` at the latest: it must be the one
that was metered (`core.continuity`). Records below ``c`` are read for their ids only; a slice whose
version is above an event's offset already has that event (`core.slices`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from schemas.measures import INPUT, OUTPUT
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import IdsUnreadableError, OlderIds, SeenIds
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.runs import BEFORE_INHERITED, INHERITED, Settled
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slices import FamilySlices, SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import HOUR, MINUTE, REGISTER, UNIT
from services.aggregator.decoding.columns import Decoder
from services.aggregator.errors import (
    CheckpointAheadError,
    ContradictionError,
    DatabaseBehindError,
    EventsLostError,
    RulesMissingError,
)
from services.aggregator.kafka.log_offsets import LogOffsets
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.id_copies import IdCopies
from services.aggregator.storage.seen_place import Copies
from services.aggregator.succession.inheritance import Heir
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log
from services.platform.log import get_logger

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much stays in memory: event time behind the newest event of a partition, and ids."""

    minutes_ms: int
    hours_ms: int
    #: Ids seen, all partitions together; more go to disk.
    ids: int

    def loaded_from_ms(self, newest_event_ms: int) -> dict[str, int]:
        """From the window of which time on each family is in memory whole."""
        return {
            MINUTE.name: max(0, newest_event_ms - self.minutes_ms),
            HOUR.name: max(0, newest_event_ms - self.hours_ms),
            UNIT.name: max(0, newest_event_ms - self.hours_ms),
        }


class Stores(Protocol):
    """Where the ids seen are kept on disk."""

    def open(
        self, partition: int, settled: Settled, start: int, copies: Copies | None = None
    ) -> OlderIds:
        """Open a partition's runs as far as they are of use at a checkpoint.

        ``start`` is the first offset that can be read, as `core.runs.usable` has it. Runs that are
        missing may be had as copies.
        """


class Inherited(Protocol):
    """The logs before this one, whose ids belong to it."""

    @property
    def floor_ms(self) -> int:
        """Where log time begins."""

    def enter(self, heirs: Mapping[int, Heir], abandoned: Callable[[], bool]) -> None:
        """Enter their ids for these partitions."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What a recovery reads from, and how much it keeps. Synchronous."""

    log: Log
    offsets: LogOffsets
    stores: Stores
    keep: Keep
    #: For batches that nobody decodes ahead.
    decoder: Decoder
    #: None where the log follows no other.
    inherited: Inherited | None = None
    #: None where runs of ids are not copied.
    copies: IdCopies | None = None


def recover(
    edges: Edges,
    sink: ClickHouseSink,
    partitions: Sequence[int],
    abandoned: Callable[[], bool] = lambda: False,
    *,
    sharing: int = 1,
) -> dict[int, PartitionState]:
    """Build the states of these partitions, in the order of the module's docstring.

    At least ``sharing`` partitions share the memory that ids may have.

    Raises `UnavailableError` when a retry may help, `MeteringStoppedError` when going on would
    be guessing, `AbandonedError` when ``abandoned()`` says so in the midst of long work.
    """
    log, offsets = edges.log, edges.offsets
    starts, committed = offsets.starts(partitions), offsets.committed(partitions)
    rules, begins = sink.read_rules(partitions), sink.read_starts(partitions)
    stored = sink.read_checkpoints(partitions)
    ends = offsets.ends(partitions)
    floor_ms = edges.inherited.floor_ms if edges.inherited is not None else 0
    checkpoints: dict[int, Checkpoint] = {}
    for partition in partitions:
        check_migrated(log, partition, rules, begins)
        begin = begins[partition]
        checkpoint = stored.get(partition, Checkpoint(begin, begin, last_append_ms=floor_ms))
        check_against_log(log, partition, checkpoint, starts[partition], ends[partition])
        if starts[partition] >= checkpoint.next_offset:
            # Retention took it: there is nothing to compare, and nothing that could be another.
            checkpoint = replace(checkpoint, last_batch=None)
        checkpoints[partition] = checkpoint
    check_against_commits(log, checkpoints, committed)
    slices = load_slices(sink, checkpoints, edges.keep)
    admitted = load_admissions(sink, checkpoints, slices)
    sharing = max(sharing, len(partitions))
    stores: dict[int, OlderIds] = {}
    try:
        past_ms = {
            number: one.settled(rules[number]).past_ms for number, one in checkpoints.items()
        }
        for partition, checkpoint in checkpoints.items():
            inherits = edges.inherited is not None and past_ms[partition] < floor_ms
            start = BEFORE_INHERITED if inherits else starts[partition]
            settled = checkpoint.settled(rules[partition])
            copies = None if edges.copies is None else edges.copies.of(sink, partition, abandoned)
            stores[partition] = edges.stores.open(partition, settled, start, copies)
        read_from = rebuild_from(offsets, checkpoints, rules, starts, stores, floor_ms)
        cuts = {number: Cut(one.offset, one.log_ms) for number, one in read_from.items()}
        if edges.inherited is not None:
            seen = inherit(
                edges.inherited, stores, cuts, past_ms, edges.keep.ids // sharing, abandoned
            )
        else:
            seen = {number: SeenIds(store, cuts[number]) for number, store in stores.items()}
        states = {
            partition: PartitionState(
                partition,
                rules[partition],
                checkpoints[partition],
                slices[partition],
                seen[partition],
                read_from[partition].offset,
                edges.decoder,
                read_from[partition].log_ms,
                admitted[partition],
            )
            for partition in partitions
        }
    except BaseException:
        for store in stores.values():
            store.close()
        raise
    for partition, state in states.items():
        logger.info(
            "partition recovered",
            partition=partition,
            checkpoint=checkpoints[partition].next_offset,
            read_from=read_from[partition].offset,
            log_end=ends[partition],
            slices=len(state.slices),
        )
    return states


def inherit(
    inherited: Inherited,
    stores: Mapping[int, OlderIds],
    begins: Mapping[int, Cut],
    past_ms: Mapping[int, int],
    memory_max: int,
    abandoned: Callable[[], bool],
) -> dict[int, SeenIds]:
    """The ids seen, with those of the logs before for the partitions whose runs do not have them.

    ``begins`` is where reading begins, ``past_ms`` until when ids matter no more. Raises
    `UnavailableError` where the disk lost some meanwhile, and what `Inherited.enter` does.
    """
    lacking = {
        number
        for number, store in stores.items()
        if store.end is None and past_ms[number] < inherited.floor_ms
    }
    seen = {
        number: SeenIds(
            store, Cut(INHERITED, past_ms[number]) if number in lacking else begins[number]
        )
        for number, store in stores.items()
    }
    heirs = {
        number: Heir(seen[number], max(0, past_ms[number]), max(1, memory_max))
        for number in lacking
    }
    try:
        inherited.enter(heirs, abandoned)
    except IdsUnreadableError as error:
        # What was entered so far is lost with the run: tried again, it is entered anew.
        raise UnavailableError(f"ids of the log before: {error}") from error
    for number in heirs:
        # Runs of their own: what comes behind them may be dropped again without them.
        seen[number].cut(begins[number].offset, begins[number].log_ms)
        seen[number].write()
    return seen


def check_migrated(
    log: Log, partition: int, rules: Mapping[int, RuleBook], begins: Mapping[int, int]
) -> None:
    """Stop where nobody said by which rules and from where a partition is metered."""
    if partition not in rules or partition not in begins:
        raise RulesMissingError(
            f"partition {partition} of {log.topic} (log {log.name}) has no metering rules:"
            " run `wattoken migrate`"
        )


def check_against_log(
    log: Log, partition: int, checkpoint: Checkpoint, start: int, end: int
) -> None:
    """Stop where the log no longer holds what the checkpoint expects."""
    if start > checkpoint.next_offset:
        raise EventsLostError(
            f"partition {partition} of {log.topic}: the log starts at {start}, but only"
            f" {checkpoint.next_offset} was metered, so {start - checkpoint.next_offset} records"
            " were deleted unmetered. Restore them to the log, or accept the loss:"
            " docs/runbook.md, 'Retention overtook the meter'"
        )
    if checkpoint.next_offset > end:
        raise CheckpointAheadError(
            f"partition {partition} of {log.topic}: the checkpoint is {checkpoint.next_offset},"
            f" but the log ends at {end}: the log lost records or was restored older than"
            " ClickHouse. See docs/runbook.md, 'Checkpoint ahead of the log'"
        )


def check_against_commits(
    log: Log, checkpoints: Mapping[int, Checkpoint], committed: Mapping[int, int]
) -> None:
    """Stop where Kafka knows of a later checkpoint than the database, which may be a stale replica.

    The commit itself is never used. Raises `DatabaseBehindError`, which a retry may fix: a
    replica catches up.
    """
    behind = {
        partition: offset
        for partition, offset in committed.items()
        if offset > checkpoints[partition].next_offset
    }
    if behind:
        partition, offset = min(behind.items())
        raise DatabaseBehindError(
            f"partition {partition} of {log.topic}: the checkpoint is"
            f" {checkpoints[partition].next_offset}, but this group committed {offset}"
            f" ({len(behind)} partitions are so): ClickHouse answers from a replica that is behind,"
            " or was restored from a backup. If it was restored, run `wattoken accept-restore`:"
            " docs/runbook.md, 'Restoring a backup'"
        )


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the reading of ids begins, and which log time it is there at least.

    What was seen before bears no later time.
    """

    offset: int
    log_ms: int


def rebuild_from(
    offsets: LogOffsets,
    checkpoints: Mapping[int, Checkpoint],
    rules: Mapping[int, RuleBook],
    starts: Mapping[int, int],
    seen: Mapping[int, OlderIds],
    floor_ms: int,
) -> dict[int, Beginning]:
    """Find from where ids have to be read again: where the runs end, or where ids begin to matter.

    That is at the first record appended at or after a time, however the clock stepped: log time is
    below that time before this record and not below it from there on. But a log that follows
    another has all that was appended before the other's end at the log time of that end, so these
    records are not found by their append time: they are its first. Of a log that begins behind
    the runs by now, what lies between is gone.
    """
    begins: dict[int, Beginning] = {}
    asked: dict[int, int] = {}
    floors_ms: dict[int, int] = {}
    for partition, checkpoint in checkpoints.items():
        end, start = seen[partition].end, starts[partition]
        if end is not None and end.offset >= start:
            begins[partition] = Beginning(end.offset, end.log_ms)
            continue
        floors_ms[partition] = floor_ms if end is None else max(floor_ms, end.log_ms)
        if checkpoint.next_offset > start:
            past_ms = checkpoint.settled(rules[partition]).past_ms
            asked[partition] = past_ms if past_ms > floors_ms[partition] else 0
    found = offsets.at(asked) if asked else {}
    for partition, lowest_ms in floors_ms.items():
        begins[partition] = beginning(
            found.get(partition, -1),
            starts[partition],
            checkpoints[partition],
            max(lowest_ms, asked.get(partition, 0)),
        )
    return begins


def beginning(found: int, start: int, checkpoint: Checkpoint, lowest_ms: int) -> Beginning:
    """Say where reading begins, by the first record that is young enough; -1 where none is.

    ``lowest_ms`` is the log time there at least. Below the checkpoint there must be such a record,
    whose append time is log time there. Where there is none, that record was deleted, and a
    broker's clock has been behind ever since: all that is left below the checkpoint bears the
    checkpoint's log time, so it is read from its first record on.

    Raises `UnavailableError` where nothing was deleted: then the answer is wrong, and to take it
    for a fact would give old ids a new time. (Where no record came yet but markers of transactions,
    log time is where it began.)
    """
    end = checkpoint.next_offset
    if start >= end:
        return Beginning(end, lowest_ms)
    if 0 <= found < end:
        return Beginning(max(found, start), lowest_ms)
    if checkpoint.last_append_ms > lowest_ms and start <= checkpoint.start_offset:
        raise UnavailableError(
            f"Kafka finds no record below offset {end} that is as young as the last of them"
            f" (its answer: {found}), though the log still begins at {start}"
        )
    return Beginning(start, checkpoint.last_append_ms)


def load_slices(
    sink: ClickHouseSink, checkpoints: Mapping[int, Checkpoint], keep: Keep
) -> dict[int, SliceStore]:
    """Read the slices of these partitions into memory."""
    stores = {}
    for partition, checkpoint in checkpoints.items():
        loaded_from_ms = keep.loaded_from_ms(checkpoint.newest_event_ms)
        store = stores[partition] = SliceStore(loaded_from_ms)
        for slices in store.families.values():
            check_agreement(sink, slices, partition)
            rows, versions = sink.read_slices(slices.family, partition, slices.loaded_from)
            slices.load(rows.keys, rows.totals, versions, checkpoint.next_offset)
    return stores


def load_admissions(
    sink: ClickHouseSink, checkpoints: Mapping[int, Checkpoint], slices: Mapping[int, SliceStore]
) -> dict[int, list[Admission]]:
    """Read which series these partitions had admitted at their checkpoints.

    A register that is level with its checkpoint and not among them is of a version of Wattoken that
    had no limit: it was admitted, and that is written down before anything else is.
    """
    stored = sink.read_admissions(list(checkpoints))
    admitted: dict[int, list[Admission]] = {}
    for partition, checkpoint in checkpoints.items():
        everyone = stored.get(partition, [])
        listed = {one.series for one in everyone}
        older = [
            Admission(number, used, 0)
            for number, used in registers(slices[partition].families[REGISTER.name])
            if number not in listed
        ]
        sink.write_admissions(partition, older)
        below = [one for one in everyone if one.offset < checkpoint.next_offset]
        admitted[partition] = [*older, *below]
    return admitted


def registers(slices: FamilySlices) -> Iterator[tuple[int, bool]]:
    """Registers that are level with the checkpoint: series, by number, and whether with tokens."""
    rows = slices.level_rows()
    used = rows.totals[:, INPUT] + rows.totals[:, OUTPUT] > 0
    return zip(rows.keys.tolist(), used.tolist(), strict=True)


def check_agreement(sink: ClickHouseSink, slices: FamilySlices, partition: int) -> None:
    """Stop where two rows of one slice and version disagree: one was not made from this log."""
    contradiction = sink.find_contradiction(slices.family, partition, slices.loaded_from)
    if contradiction is not None:
        raise ContradictionError(
            f"partition {partition}: slices_{slices.family.name} holds different totals for"
            f" {contradiction}: rows were changed by hand or by another program."
            " See docs/runbook.md, 'Two rows disagree'"
        )

"""What the worker knows of one log partition, and how a batch of records changes it.

::

    decode ─▶ judge ─▶ dedup ─▶ count ─▶ limit series ─▶ [look up old windows] ─▶ add to slices

The state is a pure function of the log up to `next_offset`. Records below the checkpoint are
read only to know the ids seen within the horizon; they change no total and no count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from schemas.measures import INPUT, OUTPUT
from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.additions import Additions, additions
from services.aggregator.core.continuity import Continuity
from services.aggregator.core.dead_letters import DeadLetter, UnwrittenLetters
from services.aggregator.core.dedup import SeenIds, Sightings
from services.aggregator.core.judging import Columns, Judged, Records, judge
from services.aggregator.core.kept_events import (
    MeteredEvent,
    UnwrittenEvents,
    belated,
    metered_events,
)
from services.aggregator.core.log_time import LogTime
from services.aggregator.core.runs import Settled
from services.aggregator.core.series_limit import Admission, SeriesLimit
from services.aggregator.core.slices import SliceRows, SliceStore
from services.aggregator.core.timing import RuleBook, duplicate_within_ms
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.columns import Decoded, Decoder


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a partition is metered, and its absolute counts up to there."""

    next_offset: int
    start_offset: int
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: tuple[tuple[str, int], ...] = ()
    newest_event_ms: int = 0
    #: Log time of the last record below.
    last_append_ms: int = 0
    #: The Kafka batch that ends there; None where that is not known.
    last_batch: BatchMark | None = None

    def settled(self, rules: RuleBook) -> Settled:
        """What dedup has to know of it."""
        return Settled(self.next_offset, self.last_append_ms, rules.keep_ms(self.next_offset))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a flush writes for one partition; the version of every row is its next offset."""

    partition: int
    rows: dict[str, SliceRows]
    dead_letters: list[DeadLetter]
    checkpoint: Checkpoint
    #: The checkpoint that must be in the database, for the rows not taken are from below it.
    written_offset: int
    #: Series admitted by events below the checkpoint, those that no earlier snapshot has.
    admissions: list[Admission] = field(default_factory=list)
    adjustments: list[MeteredEvent] = field(default_factory=list)
    #: Usage that was appended after its month had ended.
    belated: list[MeteredEvent] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        """How many rows it holds, all tables."""
        slices = sum(len(rows) for rows in self.rows.values())
        events = len(self.dead_letters) + len(self.adjustments) + len(self.belated)
        return slices + events + len(self.admissions)


@dataclass(slots=True)
class Sifted:
    """A batch after dedup, not yet added to the slices."""

    next_offset: int
    additions: list[Additions] = field(default_factory=list)
    #: Events that count for ``other``, as the log's limits on series have it.
    as_other: int = 0


class PartitionState:
    """One partition's slices, ids seen, counts and position.

    Protocol, per batch: `sift`, then look up `unknown_slices` and hand what was found to
    `learn`, then `fold`. Between `sift` and `fold` no snapshot may be taken.
    """

    def __init__(
        self,
        partition: int,
        rules: RuleBook,
        checkpoint: Checkpoint,
        slices: SliceStore,
        seen: SeenIds,
        read_from: int,
        decoder: Decoder,
        log_time_floor_ms: int = 0,
        admitted: Iterable[Admission] = (),
    ) -> None:
        if read_from > checkpoint.next_offset:
            raise ValueError("reading must start at or below the checkpoint")
        self.partition = partition
        self.slices = slices
        self.seen = seen
        self.checkpoint = checkpoint
        #: Next offset of the checkpoint in the database; 0 while there is none.
        self.written_offset = checkpoint.next_offset if checkpoint.received else 0
        self.next_offset = read_from
        #: Whether what is read next continues what was read; asked before each batch.
        self.continuity = Continuity(checkpoint.last_batch)
        self._rules = rules
        self._decoder = decoder
        self._series_limit = SeriesLimit(decoder.labels, admitted)
        self._rejected = dict(checkpoint.rejected)
        self._dead_letters = UnwrittenLetters()
        self._adjustments = UnwrittenEvents()
        self._belated = UnwrittenEvents()
        self._live = checkpoint
        # The checkpoint's log time comes in with the first record behind it. All that lies before
        # the first record that is read was appended earlier: it would change nothing. Where a log
        # follows another, it begins where that one's ended.
        self._log_time = LogTime(log_time_floor_ms)
        seen.cut(read_from, log_time_floor_ms)

    @property
    def rebuilding(self) -> bool:
        """Whether the records read next lie below the checkpoint, for their ids only."""
        return self.next_offset < self.checkpoint.next_offset

    @property
    def read_next(self) -> int:
        """The offset to read from: one below the next where the batch before has to be met again.

        A fetch brings whole batches, and records that were read are passed over.
        """
        awaited = self.continuity.awaited
        again = awaited is not None and awaited.next_offset == self.next_offset
        return self.next_offset - again

    @property
    def pending_rows(self) -> int:
        """Rows that the next snapshot would hold: slices, dead letters and events kept whole."""
        events = len(self._dead_letters) + len(self._adjustments) + len(self._belated)
        return self.slices.dirty_count + events + self._series_limit.new_count

    @property
    def held_bytes(self) -> int:
        """About how much memory the events take that the next snapshot would hold whole."""
        kept = self._adjustments.held_bytes + self._belated.held_bytes
        return self._dead_letters.held_bytes + kept

    def sift(self, records: Records, decoded: Decoded | None = None) -> Sifted:
        """Judge and dedup a batch. Records already read are passed over.

        ``decoded`` is the batch as `Decoder` sees it, where somebody has done that ahead.
        """
        start = int(np.searchsorted(records.offsets, self.next_offset))
        whole, records = len(records), records.cut(start, len(records))
        if not len(records):
            return Sifted(self.next_offset)
        if decoded is None:
            decoded = self._decoder.decode(frames_of(records.values))
        else:
            decoded = decoded.cut(start, whole)
        sifted = Sifted(int(records.offsets[-1]) + 1)
        log_ms = self._log_time.of(self._from_checkpoint_on(records))
        for first, last, rules in self._rules.segments(records.offsets):
            self._sift_segment(
                records.cut(first, last),
                log_ms[first:last],
                decoded.cut(first, last),
                rules,
                sifted,
            )
        return sifted

    def _from_checkpoint_on(self, records: Records) -> Ints:
        """Append times, with the checkpoint's log time as the least that comes behind it.

        Of a log that lost what lay before, the records below say too little.
        """
        fresh = int(np.searchsorted(records.offsets, self.checkpoint.next_offset))
        if fresh == len(records) or records.append_ms[fresh] >= self.checkpoint.last_append_ms:
            return records.append_ms
        append_ms = records.append_ms.copy()
        append_ms[fresh] = self.checkpoint.last_append_ms
        return append_ms

    def _sift_segment(
        self, records: Records, log_ms: Ints, decoded: Decoded, rules: MeteringRules, sifted: Sifted
    ) -> None:
        judged = judge(records, log_ms, decoded, rules)
        columns = judged.columns
        counts = ~self.seen.see_all(columns.identities, columns.log_ms, duplicate_within_ms(rules))
        fresh_from = self.checkpoint.next_offset
        received = len(records) - int(np.searchsorted(records.offsets, fresh_from))
        if not received:
            return
        fresh = columns.offsets >= fresh_from
        duplicate = int(np.count_nonzero(fresh & ~counts))
        counts &= fresh
        late_count = int(np.count_nonzero(judged.late & counts))
        self._count(received, judged, duplicate, late_count, int(log_ms[-1]))
        found = self._add(columns.only(counts), rules, sifted)
        adjusting = judged.adjusting[counts]
        if adjusting.any():
            self._adjustments.add(metered_events(records, *found, adjusting, rules))
        late = belated(found[0]) & ~adjusting
        if late.any():
            self._belated.add(metered_events(records, *found, late, rules))

    def _add(self, columns: Columns, rules: MeteringRules, sifted: Sifted) -> tuple[Columns, Ints]:
        """Say what events add to slices, each under the series and price class it counts for.

        Gives the events with those series, and the numbers of those classes.
        """
        labels = self._decoder.labels
        used = columns.measures[:, INPUT] + columns.measures[:, OUTPUT]
        if columns.units.shape[1]:
            used += columns.units.sum(axis=1)
        series, moved = self._series_limit.metered_as(columns.series, used, columns.offsets, rules)
        classes = labels.classes.of(
            columns.tiers, columns.measures[:, INPUT], rules.context_thresholds
        )
        if moved:
            # Nothing prices what has lost its name, so it needs no class.
            classes = np.where(series == columns.series, classes, 0)
            columns = replace(columns, series=series)
            sifted.as_other += moved
        sifted.additions += additions(columns, classes, rules, labels)
        return columns, classes

    def _count(self, received: int, judged: Judged, duplicate: int, late: int, log_ms: int) -> None:
        rejected = 0
        for letter in judged.dead_letters:
            if letter.offset >= self.checkpoint.next_offset:
                rejected += 1
                self._rejected[letter.reason] = self._rejected.get(letter.reason, 0) + 1
                self._dead_letters.add(letter)
        live = self._live
        self._live = replace(
            live,
            received=live.received + received,
            accepted=live.accepted + received - duplicate - rejected,
            duplicate=live.duplicate + duplicate,
            late=live.late + late,
            newest_event_ms=max(live.newest_event_ms, judged.newest_event_ms),
            last_append_ms=log_ms,
        )

    def unknown_slices(self, sifted: Sifted) -> dict[str, Ints]:
        """The slices of old windows that must be looked up before `fold`, by family."""
        unknown: dict[str, Ints] = {}
        for added in sifted.additions:
            name = added.family.name
            keys = self.slices.families[name].unknown(added.keys)
            if len(keys):
                unknown[name] = np.union1d(unknown[name], keys) if name in unknown else keys
        return unknown

    def learn(self, family: str, asked: Ints, found: SliceRows, versions: Ints) -> None:
        """Take over what a look-up found; the rest of what was asked for does not exist."""
        slices = self.slices.families[family]
        slices.load(found.keys, found.totals, versions, self.next_offset)
        slices.learn_absent(asked)

    def fold(self, sifted: Sifted) -> None:
        """Add the batch to the slices, except what they already hold, and move on."""
        for added in sifted.additions:
            slices = self.slices.families[added.family.name]
            missing = slices.missing(added.keys, added.offsets)
            if missing is not None:
                added = added.only(missing)
            slices.add(added.keys, added.measures)
        self.next_offset = sifted.next_offset
        self.slices.reached(self.next_offset)

    def pass_over(self, next_offset: int, batches: Sequence[BatchMark] = ()) -> None:
        """Note that the log holds no more records below an offset, such as a marker at its end.

        ``batches`` are those of the fetch that ends there.
        """
        if next_offset > self.next_offset:
            self.next_offset = next_offset
            self.slices.reached(next_offset)
        self.continuity.read(next_offset, batches)

    def snapshot(self) -> Snapshot | None:
        """Take what a flush has to write; None where nothing was read since the last one.

        And while it is in doubt whether the log still has what was read.
        """
        if self.next_offset <= self.checkpoint.next_offset or self.continuity.awaited is not None:
            return None
        checkpoint = replace(
            self._live,
            next_offset=self.next_offset,
            last_batch=self.continuity.last(self.next_offset),
            rejected=tuple(sorted(self._rejected.items())),
        )
        letters = self._dead_letters.take()
        rows = {name: slices.take_dirty() for name, slices in self.slices.families.items()}
        return Snapshot(
            self.partition,
            rows,
            letters,
            checkpoint,
            self.written_offset,
            self._series_limit.take_new(),
            self._adjustments.take(),
            self._belated.take(),
        )

    def unwritten_ids(self) -> Sightings | None:
        """Take the ids seen since the last run, to be written as the next; None without any.

        Like a snapshot not between `sift` and `fold`; also of what lies below the checkpoint.
        """
        self.seen.cut(self.next_offset, self._log_time.last_ms)
        return self.seen.unwritten()

    @property
    def settled(self) -> Settled:
        """What lies below the checkpoint."""
        return self.checkpoint.settled(self._rules)

    def flushed(self, snapshot: Snapshot) -> None:
        """Note that a snapshot is in the database, checkpoint and all."""
        self.checkpoint = snapshot.checkpoint
        self.written_offset = snapshot.checkpoint.next_offset
        self.seen.settle(self.settled)

"""What the worker knows of one log partition, and how a batch of records changes it.

::

    judge ─▶ see (dedup) ─▶ group ─▶ [look up old windows] ─▶ fold into slices ─▶ next offset

The state is a pure function of the log up to `next_offset`. Records below the checkpoint are
read only to know the ids seen within the horizon; they change no total and no count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate

from schemas.identity import identity_hash
from schemas.metering_rules import MeteringRules
from services.aggregator.core.batch import (
    Accepted,
    DeadLetter,
    Group,
    GroupKey,
    Records,
    group_key,
    grouped,
    judge,
    measures,
    totals_from,
)
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.slices import SliceKey, SliceStore, Totals
from services.aggregator.core.timing import RuleBook


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
    last_append_ms: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a flush writes for one partition; the version of every row is its next offset."""

    partition: int
    rows: dict[str, list[tuple[SliceKey, Totals]]]
    dead_letters: list[DeadLetter]
    checkpoint: Checkpoint

    @property
    def row_count(self) -> int:
        """How many rows it holds, all tables."""
        return len(self.dead_letters) + sum(len(rows) for rows in self.rows.values())


@dataclass(slots=True)
class Sifted:
    """A batch after dedup, not yet folded into the slices."""

    next_offset: int
    accepted: list[Accepted] = field(default_factory=list)
    groups: dict[GroupKey, Group] = field(default_factory=dict)


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
    ) -> None:
        if read_from > checkpoint.next_offset:
            raise ValueError("reading must start at or below the checkpoint")
        self.partition = partition
        self.slices = slices
        self.checkpoint = checkpoint
        self.next_offset = read_from
        self._rules = rules
        self._seen = seen
        self._rejected = dict(checkpoint.rejected)
        self._dead_letters: list[DeadLetter] = []
        self._live = checkpoint
        self._log_time_ms = 0 if read_from < checkpoint.next_offset else checkpoint.last_append_ms

    @property
    def rebuilding(self) -> bool:
        """Whether the records read next lie below the checkpoint, for their ids only."""
        return self.next_offset < self.checkpoint.next_offset

    @property
    def pending_rows(self) -> int:
        """Rows that the next snapshot would hold: slices and dead letters."""
        return self.slices.dirty_count + len(self._dead_letters)

    def sift(self, records: Records) -> Sifted:
        """Decode, judge and dedup a batch. Records already read are passed over."""
        start = 0
        while start < len(records) and records.offsets[start] < self.next_offset:
            start += 1
        records = records.cut(start, len(records))
        if not len(records):
            return Sifted(self.next_offset)
        sifted = Sifted(records.offsets[-1] + 1)
        records = self._on_log_time(records)
        for first, last, rules in self._rules.segments(records.offsets):
            self._sift_segment(records.cut(first, last), rules, sifted)
        sifted.groups = grouped(sifted.accepted)
        return sifted

    def _on_log_time(self, records: Records) -> Records:
        """Keep append times from falling: a broker clock stepped back reads as standing still."""
        if records.offsets[-1] >= self.checkpoint.next_offset:
            self._log_time_ms = max(self._log_time_ms, self.checkpoint.last_append_ms)
        append_ms = list(accumulate(records.append_ms, max, initial=self._log_time_ms))[1:]
        self._log_time_ms = append_ms[-1]
        return Records(records.offsets, append_ms, records.values)

    def _sift_segment(self, records: Records, rules: MeteringRules, sifted: Sifted) -> None:
        judged = judge(records, rules)
        fresh_from = self.checkpoint.next_offset
        duplicate = late = 0
        newest_event_ms = self._live.newest_event_ms
        for offset, append_ms, time_ms, event in judged.events:
            identity = identity_hash(event.tenant, event.source, event.id)
            again = self._seen.see(identity, append_ms, rules.dedup_horizon_ms)
            if offset < fresh_from:
                continue
            if again:
                duplicate += 1
                continue
            late += append_ms - time_ms > rules.late_after_ms
            newest_event_ms = max(newest_event_ms, time_ms)
            key = group_key(event, time_ms, append_ms, rules)
            sifted.accepted.append(Accepted(offset, key, measures(event)))
        self._seen.forget(records.append_ms[-1], rules.dedup_horizon_ms)
        self._count(records, judged.dead_letters, duplicate, late, newest_event_ms)

    def _count(
        self,
        records: Records,
        dead_letters: Iterable[DeadLetter],
        duplicate: int,
        late: int,
        newest_event_ms: int,
    ) -> None:
        fresh_from = self.checkpoint.next_offset
        received = len(records) - bisect_left(records.offsets, fresh_from)
        if not received:
            return
        rejected = 0
        for letter in dead_letters:
            if letter.offset >= fresh_from:
                rejected += 1
                self._rejected[letter.reason] = self._rejected.get(letter.reason, 0) + 1
                self._dead_letters.append(letter)
        live = self._live
        self._live = replace(
            live,
            received=live.received + received,
            accepted=live.accepted + received - duplicate - rejected,
            duplicate=live.duplicate + duplicate,
            late=live.late + late,
            newest_event_ms=newest_event_ms,
            last_append_ms=records.append_ms[-1],
        )

    def unknown_slices(self, sifted: Sifted) -> dict[str, set[SliceKey]]:
        """The slices of old windows that must be looked up before `fold`, by family."""
        unknown: dict[str, set[SliceKey]] = {}
        for group in sifted.groups:
            for family in group.families:
                key = group.slice_key(family)
                if self.slices.families[family.name].is_unknown(key):
                    unknown.setdefault(family.name, set()).add(key)
        return unknown

    def learn(
        self,
        family: str,
        asked: Iterable[SliceKey],
        found: Iterable[tuple[SliceKey, Totals, int]],
    ) -> None:
        """Take over what a look-up found, as (key, totals, version); the rest does not exist."""
        slices = self.slices.families[family]
        for key, totals, version in found:
            slices.load(key, totals, version, self.next_offset)
        for key in asked:
            slices.learn_absent(key)

    def fold(self, sifted: Sifted) -> None:
        """Add the batch to the slices, except what they already hold, and move on."""
        for group_key_, group in sifted.groups.items():
            for family in group_key_.families:
                slices = self.slices.families[family.name]
                key = group_key_.slice_key(family)
                version = slices.version_ahead(key)
                # The skip rule: a slice with version > o already holds the event at offset o.
                if version <= group.first_offset:
                    slices.add(key, group.totals)
                elif version <= group.last_offset:
                    slices.add(key, totals_from(sifted.accepted, group_key_, version))
        self.next_offset = sifted.next_offset
        self.slices.reached(self.next_offset)

    def snapshot(self) -> Snapshot | None:
        """Take what a flush has to write; None where nothing was read since the last one."""
        if self.next_offset <= self.checkpoint.next_offset:
            return None
        checkpoint = replace(
            self._live,
            next_offset=self.next_offset,
            rejected=tuple(sorted(self._rejected.items())),
        )
        letters, self._dead_letters = self._dead_letters, []
        rows = {name: slices.take_dirty() for name, slices in self.slices.families.items()}
        return Snapshot(self.partition, rows, letters, checkpoint)

    def flushed(self, snapshot: Snapshot) -> None:
        """Note that a snapshot is in the database, checkpoint and all."""
        self.checkpoint = snapshot.checkpoint

    def evict(self, loaded_from_ms: dict[str, int]) -> None:
        """Forget written slices of windows before these, by family. Only right after a flush."""
        for name, before_ms in loaded_from_ms.items():
            self.slices.families[name].evict(before_ms)

"""ClickHouse in the model: rows of which the highest version wins, judged as they are written.

Each row is a function of the log below its version, and a checkpoint is never ahead of its rows: so
a wrong one is known at the moment it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from schemas.measures import MEASURES
from services.aggregator.core.partition import Checkpoint
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slice_keys import unpack, varieties
from services.aggregator.core.windows import FAMILIES, FAMILY_BY_NAME, UNIT
from tests.property.concurrent.log import LABELS, ModelLog
from tests.property.concurrent.oracle import NOTHING, Key, Sums

Totals = tuple[int, ...]
FAMILY_NAMES = tuple(family.name for family in FAMILIES)
#: Where among a row's totals the oracle's three are; the others are 0 in what schedules append.
MEASURED = [MEASURES.index(name) for name in ("requests", "input_tokens", "output_tokens")]
_names: dict[tuple[str, int], Key] = {}


def name_of(family_name: str, number: int) -> Key:
    """A slice by name from its number; a number means the same in all schedules."""
    known = _names.get((family_name, number))
    if known is None:
        family = FAMILY_BY_NAME[family_name]
        key = unpack(family, LABELS, np.array([number]))
        tenant, variety = "", ()
        if key.tenants is not None and key.varieties is not None:
            tenant = LABELS.tenants.meaning[int(key.tenants[0])]
            variety = varieties(family, LABELS).meaning[int(key.varieties[0])]
        start_ms = family.window_start_ms(int(key.windows[0]))
        model = LABELS.series.meaning[int(key.series[0])].model
        known = _names[family_name, number] = Key(start_ms, tenant, model, variety)
    return known


class Database:
    """The tables. ``violated`` is told what must never be."""

    def __init__(self, violated: Callable[[str], None]) -> None:
        self._violated = violated
        #: Whether checkpoints may have been later once.
        self.restored = False
        #: By log name and partition; there by family and the slice's number.
        self.slices: dict[tuple[str, int], dict[str, dict[int, tuple[int, Totals]]]] = defaultdict(
            lambda: {name: {} for name in FAMILY_NAMES}
        )
        self.checkpoints: dict[tuple[str, int], Checkpoint] = {}
        self.dead_letters: dict[tuple[str, int], set[int]] = defaultdict(set)
        #: By log name and partition; there by series and whether it has tokens, from which offset.
        self.admissions: dict[tuple[str, int], dict[tuple[int, bool], int]] = defaultdict(dict)

        #: By log name and partition; there by copy, the seals and pieces that are there.
        self.copies: dict[tuple[str, int], dict[Copied, list[tuple[int, bytes]]]] = defaultdict(
            dict
        )

    def copy(self, checkpoints: dict[tuple[str, int], Checkpoint] | None = None) -> Database:
        """The tables as they are now; with checkpoints that were copied before, where given."""
        copied = Database(self._violated)
        for place, families in self.slices.items():
            copied.slices[place] = {name: dict(rows) for name, rows in families.items()}
        copied.checkpoints = dict(self.checkpoints if checkpoints is None else checkpoints)
        for place, offsets in self.dead_letters.items():
            copied.dead_letters[place] = set(offsets)
        for place, admitted in self.admissions.items():
            copied.admissions[place] = dict(admitted)
        for place, copies in self.copies.items():
            copied.copies[place] = dict(copies)
        return copied

    def insert_slice(
        self, log: ModelLog, partition: int, family: str, number: int, version: int, totals: Totals
    ) -> None:
        """Insert a row."""
        self._judge_closed(log, partition, version)
        key = name_of(family, number)
        truth = log.partitions[partition].truth
        wanted, found = truth.sums(family, key, version), measured(family, totals)
        if found != wanted or sum(totals) != sum(found):
            self._violated(
                f"{family} row {key} of partition {partition}, version {version}:"
                f" {found} is written, {wanted} is right"
            )
        rows = self.slices[log.name, partition][family]
        if number not in rows or rows[number][0] <= version:
            rows[number] = (version, totals)

    def insert_dead_letters(self, log: ModelLog, partition: int, offsets: Iterable[int]) -> None:
        """Insert dead letters."""
        refused = log.partitions[partition].truth.rejected_offsets
        for offset in offsets:
            if offset not in refused:
                self._violated(f"offset {offset} of partition {partition} became a dead letter")
            self.dead_letters[log.name, partition].add(offset)

    def insert_admission(self, log: ModelLog, partition: int, admission: Admission) -> None:
        """Insert which series is metered by name, and from where on."""
        admitted = self.admissions[log.name, partition]
        at = admitted.setdefault((admission.series, admission.used), admission.offset)
        if at != admission.offset:
            self._violated(f"series {admission.series} is admitted at {at} and {admission.offset}")

    def insert_copy(
        self, log: ModelLog, partition: int, copied: Copied, sealed: list[tuple[int, bytes]]
    ) -> None:
        """Insert pieces of a copy, from the first on."""
        stored = self.checkpoints.get((log.name, partition))
        if not self.restored and copied.stretch.end.offset > (stored.next_offset if stored else 0):
            self._violated(f"a run up to {copied.stretch.end.offset} is copied, ahead of {stored}")
        self.copies[log.name, partition][copied] = sealed

    def whole_copies(self, log: str, partition: int) -> list[Copied]:
        """The copies of a partition of which all is there."""
        copies = self.copies[log, partition].items()
        return [copied for copied, sealed in copies if len(sealed) == copied.pieces]

    def reach(self, log: str, partition: int, past_ms: int) -> int:
        """Up to which offset copies say all that was seen after a log time; 0 where they do not."""
        stored = self.checkpoints.get((log, partition))
        below = 0 if stored is None else stored.next_offset
        whole = self.whole_copies(log, partition)
        stretches = [one.stretch for one in whole if one.stretch.end.offset <= below]
        ends = {one.begin.offset for one in stretches if one.begin.log_ms <= past_ms}
        for one in sorted(stretches, key=lambda one: one.begin.offset):
            if one.begin.offset in ends:
                ends.add(one.end.offset)
        return max(ends & {one.end.offset for one in stretches}, default=0)

    def insert_checkpoint(self, log: ModelLog, partition: int, checkpoint: Checkpoint) -> None:
        """Insert a checkpoint."""
        self._judge_closed(log, partition, checkpoint.next_offset)
        self._judge_counts(log, partition, checkpoint)
        self._judge_rows(log, partition, checkpoint.next_offset)
        before = self.checkpoints.get((log.name, partition))
        if before is None or before.next_offset <= checkpoint.next_offset:
            self.checkpoints[log.name, partition] = checkpoint

    def _judge_closed(self, log: ModelLog, partition: int, below: int) -> None:
        """What came after partitions were added must not count: keys went elsewhere by then."""
        closed_at = log.partitions[partition].closed_at
        if closed_at is not None and below > closed_at:
            self._violated(
                f"partition {partition} is metered up to {below}, and the topic grew at {closed_at}"
            )

    def _judge_counts(self, log: ModelLog, partition: int, checkpoint: Checkpoint) -> None:
        below = checkpoint.next_offset
        truth = log.partitions[partition].truth.counts(below)
        rejected = sum(count for _, count in checkpoint.rejected)
        found = (
            *(checkpoint.received, checkpoint.accepted, checkpoint.duplicate, checkpoint.late),
            *(rejected, checkpoint.newest_event_ms, checkpoint.last_append_ms),
        )
        if found != tuple(truth):
            self._violated(
                f"checkpoint {below} of partition {partition} says {found}, {truth} is right"
            )

    def _judge_rows(self, log: ModelLog, partition: int, below: int) -> None:
        truth = log.partitions[partition].truth
        for family, keys in truth.slices.items():
            stored = {
                name_of(family, number): version
                for number, (version, _) in self.slices[log.name, partition][family].items()
            }
            for key in keys:
                last = truth.last_change(family, key, below)
                if last >= stored.get(key, 0):
                    self._violated(
                        f"checkpoint {below} of partition {partition} is ahead of its rows:"
                        f" {family} {key} has version {stored.get(key, 0)}, and offset {last}"
                        " is not in it"
                    )
        missing = {offset for offset in truth.rejected_offsets if offset < below}
        missing -= self.dead_letters[log.name, partition]
        if missing:
            self._violated(f"checkpoint {below} of partition {partition}: no letters of {missing}")

    def view(self, family: str) -> dict[Key, Sums]:
        """What a view says: sums over logs and partitions."""
        sums: dict[Key, Sums] = {}
        for families in self.slices.values():
            for number, (_, totals) in families[family].items():
                add(sums, name_of(family, number), measured(family, totals))
        return sums


def measured(family: str, totals: Totals) -> Any:
    """Of a row's totals those that the oracle knows."""
    if family == UNIT.name:
        return (*totals, 0, 0)
    return tuple(totals[at] for at in MEASURED)


def add(sums: dict[Key, Sums], key: Key, more: Sums) -> None:
    """Add to a key's sums."""
    before = sums.get(key, NOTHING)
    sums[key] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])


def true_view(logs: Iterable[ModelLog], family: str) -> dict[Key, Sums]:
    """What a view must say when everything has been metered."""
    sums: dict[Key, Sums] = {}
    for log in logs:
        for partition in log.partitions:
            for key, (_, running) in partition.truth.slices[family].items():
                add(sums, key, running[-1])
    return sums

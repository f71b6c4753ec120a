"""PURE. Slices and views against the recount, each row at its own version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.audit.event import Totals
from services.audit.findings import Difference
from services.audit.recount import REASONS, Counts, Recount, SliceKey
from services.audit.stored_rows import (
    FAMILY_BY_VIEW,
    Checkpoint,
    Family,
    StoredSlice,
    ViewKey,
    view_key,
    view_totals,
)


@dataclass(slots=True)
class StoredFamily:
    """One family as it was read: the audited log's slices, the other logs' share, and the view.

    `view` has the rows that were read at a moment at which nothing under them moved; `moving` are
    the others, of which only the slices can be compared.
    """

    family: Family
    slices: dict[SliceKey, dict[int, StoredSlice]] = field(default_factory=dict)
    others: dict[ViewKey, Totals] = field(default_factory=dict)
    view: dict[ViewKey, Totals] = field(default_factory=dict)
    moving: set[ViewKey] = field(default_factory=set)

    @property
    def keys(self) -> set[ViewKey]:
        """All rows that the view has or should have by its slices."""
        own = {view_key(self.family, key) for key in self.slices}
        return own | self.others.keys() | self.view.keys() | self.moving

    def versions(self, partition: int) -> Iterator[tuple[SliceKey, int]]:
        """Give the version of each slice of a partition."""
        for key, rows in self.slices.items():
            if partition in rows:
                yield key, rows[partition].version


@dataclass(slots=True)
class Expected:
    """What the recount says of every slice, by key and partition."""

    slices: dict[SliceKey, dict[int, Totals]] = field(default_factory=dict)

    def take(self, partition: int, recount: Recount) -> None:
        """Take over what one partition's recount found."""
        for key, totals in recount.slices.items():
            self.slices.setdefault(key, {})[partition] = tuple(totals)


def row_differences(stored: StoredFamily, expected: Expected, log: str) -> Iterator[Difference]:
    """Compare each row of a view, and the slices under it."""
    family = stored.family
    under: dict[ViewKey, list[SliceKey]] = {}
    for one in sorted(stored.slices.keys() | expected.slices.keys()):
        if one.family == family.name:
            under.setdefault(view_key(family, one), []).append(one)
    for key in sorted(stored.keys | under.keys()):
        slices = under.get(key, [])
        counted = [
            (one.entry, totals)
            for one in slices
            for totals in expected.slices.get(one, {}).values()
        ]
        held = [
            (one.entry, row.totals) for one in slices for row in stored.slices.get(one, {}).values()
        ]
        others = stored.others.get(key)
        must = _plus(view_totals(family, counted), others)
        if key in stored.moving:
            found = _plus(view_totals(family, held), others)
        else:
            found = stored.view.get(key, (0,) * len(family.shown))
        below = list(_slice_differences(slices, stored, expected, log))
        if must == found:
            # They make up for each other in the sum, or are of what the view does not show.
            yield from below
        else:
            yield from _view_differences(family, key, must, found, below)


def _view_differences(
    family: Family, key: ViewKey, must: Totals, found: Totals, below: Sequence[Difference]
) -> Iterator[Difference]:
    detail = "; ".join(
        f"partition {one.partition}: {' '.join(filter(None, (one.entry, one.variety)))}"
        f" {one.measure} must be {one.expected} and is {one.found}"
        for one in below[:4]
    )
    for measure, wanted, is_ in zip(family.shown, must, found, strict=True):
        if wanted != is_:
            yield Difference(
                "views = log",
                *(measure, wanted, is_, key.view, _window(key)),
                *(key.region, key.provider, key.model, key.tenant),
                entry=key.entry,
                variety=key.unit,
                detail=detail,
            )


def _slice_differences(
    slices: Iterable[SliceKey], stored: StoredFamily, expected: Expected, log: str
) -> Iterator[Difference]:
    family = stored.family
    for one in slices:
        rows, musts = stored.slices.get(one, {}), expected.slices.get(one, {})
        for partition in sorted(rows.keys() | musts.keys()):
            must = musts.get(partition, family.nothing)
            row = rows.get(partition)
            found = family.nothing if row is None else row.totals
            for measure, wanted, is_ in zip(family.measures, must, found, strict=True):
                if wanted != is_:
                    yield Difference(
                        "slices = log",
                        *(measure, wanted, is_, family.table),
                        one.window if family.has_window else None,
                        *(one.region, one.provider, one.model, one.tenant),
                        entry=one.entry,
                        variety=variety(one),
                        log=log,
                        partition=partition,
                    )


def variety(key: SliceKey) -> str:
    """What else a slice is about, in words: its unit, or its price class."""
    above = f"above {key.context_band}" if key.context_band else ""
    return " ".join(filter(None, (key.unit, key.service_tier, above)))


def _window(key: ViewKey) -> int | None:
    return key.window if FAMILY_BY_VIEW[key.view].has_window else None


def _plus(one: Totals, other: Totals | None) -> Totals:
    return one if other is None else tuple(map(sum, zip(one, other, strict=True)))


def checkpoint_differences(checkpoint: Checkpoint, counts: Counts) -> Iterator[Difference]:
    """Hold a checkpoint against the recount of all that it counts."""
    rejected: dict[str, int] = {}
    for reason, count in checkpoint.rejected.items():
        kind = REASONS.get(reason, reason)
        rejected[kind] = rejected.get(kind, 0) + count
    pairs = [
        ("received", counts.received, checkpoint.received),
        ("accepted", counts.accepted, checkpoint.accepted),
        ("duplicate", counts.duplicate, checkpoint.duplicate),
        ("late", counts.late, checkpoint.late),
        *(
            (f"rejected {kind}", counts.rejected.get(kind, 0), rejected.get(kind, 0))
            for kind in sorted(counts.rejected.keys() | rejected.keys())
        ),
        ("newest_event ms", counts.newest_event_ms, checkpoint.newest_event_ms),
        ("last_append ms", counts.last_append_ms, checkpoint.last_append_ms),
    ]
    for measure, must, found in pairs:
        if must != found:
            yield Difference(
                *("checkpoints = log", measure, must, found),
                log=checkpoint.log,
                partition=checkpoint.partition,
            )


def letter_differences(
    log: str, partition: int, expected: Mapping[int, str], found: Mapping[int, str]
) -> Iterator[Difference]:
    """Hold the dead letters of an offset range against the records that were to be refused."""
    for offset in sorted(expected.keys() | found.keys()):
        must, is_ = expected.get(offset, ""), REASONS.get(found.get(offset, ""), "")
        if must != is_:
            yield Difference(
                *("dead letters = log", f"letters {must or is_}", int(bool(must)), int(bool(is_))),
                log=log,
                partition=partition,
                offset=offset,
                detail=f"must be {must or 'none'} and is {found.get(offset, 'none')}",
            )


class Sightings:
    """Where every accepted event lies, to find one that was accepted in two partitions.

    Dedup is per partition, so a resend that a sender put elsewhere counts again. 36 bytes an event.
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self._places: list[np.ndarray] = []
        self._offsets: list[int] = []
        self._times_ms: list[int] = []
        self._partition = 0

    def begin(self, partition: int) -> None:
        """Note which partition the next sightings are of."""
        self._close()
        self._partition = partition

    def add(self, digest: bytes, offset: int, log_ms: int) -> None:
        """Note one accepted event."""
        self._digests += digest
        self._offsets.append(offset)
        self._times_ms.append(log_ms)

    def _close(self) -> None:
        if self._offsets:
            part = np.empty(
                len(self._offsets),
                [("id", "V16"), ("offset", "u8"), ("ms", "i8"), ("partition", "u4")],
            )
            part["id"] = np.frombuffer(bytes(self._digests), "V16")
            part["offset"], part["ms"] = self._offsets, self._times_ms
            part["partition"] = self._partition
            self._places.append(part)
        self._digests, self._offsets, self._times_ms = bytearray(), [], []

    def doubled(self, log: str, horizon_ms: int) -> Iterator[Difference]:
        """Name the events that were accepted in two partitions within a horizon."""
        self._close()
        if len(self._places) < 2:
            return
        whole = np.concatenate(self._places)
        halves = np.frombuffer(whole["id"].tobytes(), "u8").reshape(-1, 2)
        order = np.lexsort((whole["ms"], halves[:, 1], halves[:, 0]))
        whole, halves = whole[order], halves[order]
        same = (halves[1:] == halves[:-1]).all(axis=1)
        near = whole["ms"][1:] - whole["ms"][:-1] < horizon_ms
        apart = whole["partition"][1:] != whole["partition"][:-1]
        for at in np.flatnonzero(same & near & apart).tolist():
            first, second = whole[at], whole[at + 1]
            yield Difference(
                *("an event is in one partition", "accepted", 1, 2),
                log=log,
                partition=int(second["partition"]),
                offset=int(second["offset"]),
                detail=f"the same event as partition {first['partition']}, offset"
                f" {first['offset']}: a sender chose another partition for a resend",
            )

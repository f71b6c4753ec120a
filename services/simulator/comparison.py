"""PURE. Compares what the meter shows with what the ledger says it must show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from services.simulator.expected import Bounds, Key, LedgerTotals, Rows, ViewShape

Kind = Literal["missing", "extra", "different"]


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row of a view that is not as it must be; `columns` are (name, expected, found)."""

    view: str
    key: Key
    kind: Kind
    columns: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A count that is not as it must be."""

    name: str
    expected: Bounds
    found: int


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """What the checkpoints count, summed over the log's partitions."""

    received: int
    accepted: int
    duplicate: int
    late: int
    rejected: Mapping[str, int]
    #: Rows of the table dead_letters, by reason.
    dead_letters: Mapping[str, int]


def row_differences(shape: ViewShape, expected: Rows, found: Rows) -> Iterator[RowDifference]:
    """Compare both ways; totals are in the order of the view's columns."""
    for key in sorted(expected.keys() | found.keys()):
        must, is_ = expected.get(key), found.get(key)
        if must == is_:
            continue
        zeros = (0,) * len(shape.columns)
        kind: Kind = "missing" if is_ is None else "extra" if must is None else "different"
        columns = zip(shape.columns, must or zeros, is_ or zeros, strict=True)
        yield RowDifference(shape.view, key, kind, tuple(c for c in columns if c[1] != c[2]))


def count_differences(expected: LedgerTotals, found: MeterCounts) -> Iterator[CountDifference]:
    """Compare the checkpoints' counts, the dead letters, and what must be zero."""
    none = Bounds(0, 0)
    reasons = sorted(expected.rejected.keys() | found.rejected.keys() | found.dead_letters.keys())
    pairs: list[tuple[str, Bounds, int]] = [
        ("received", expected.received, found.received),
        ("accepted", expected.accepted, found.accepted),
        ("duplicate", expected.duplicate, found.duplicate),
        ("late", expected.late, found.late),
        *(
            (f"rejected {reason}", expected.rejected.get(reason, none), count)
            for reason in reasons
            for count in [found.rejected.get(reason, 0)]
        ),
        *(
            (f"dead letters {reason}", expected.rejected.get(reason, none), count)
            for reason in reasons
            for count in [found.dead_letters.get(reason, 0)]
        ),
        ("received - accepted - duplicate - rejected", none, _unaccounted(found)),
        ("events never acknowledged nor refused", none, expected.unresolved),
        ("valid events that ingest refused", none, expected.wrongly_refused),
        ("poison that ingest accepted", none, expected.wrongly_taken),
    ]
    for name, bounds, count in pairs:
        if not bounds.hold(count):
            yield CountDifference(name, bounds, count)


def _unaccounted(found: MeterCounts) -> int:
    return found.received - found.accepted - found.duplicate - sum(found.rejected.values())

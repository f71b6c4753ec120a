"""Debits, credits and belated usage that count are kept whole, each once, as what they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from schemas.metering_rules import DAY_MS, HOUR_MS, MeteringRules
from schemas.price_class import PriceClass
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Columns
from services.aggregator.core.kept_events import belated
from services.aggregator.core.partition import Checkpoint, PartitionState, Snapshot
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels, Series
from tests.property.world import T0_MS, event
from tests.unit.services.aggregator.core.test_partition import feed, records, taken

LABELS = Labels()
DECODER = Decoder(LABELS)
CREDIT: dict[str, Any] = {"entry": "credit", "adjusts": "id-1", "reason": "broke off"}


def state(
    rules: MeteringRules | None = None, checkpoint: Checkpoint | None = None, read_from: int = 0
) -> PartitionState:
    book = RuleBook(((0, rules or MeteringRules()),))
    held = checkpoint or Checkpoint(0, 0)
    return PartitionState(3, book, held, SliceStore({}), SeenIds(), read_from, DECODER)


def kept(snapshot: Snapshot) -> list[tuple[int, str]]:
    return [(one.offset, one.event.id) for one in snapshot.adjustments]


def test_only_those_that_count_are_kept_and_each_once() -> None:
    partition = state()
    feed(
        partition,
        event(1, T0_MS, 10),
        event(2, T0_MS, 4, **CREDIT),
        event(2, T0_MS, 4, **CREDIT),
        event(3, T0_MS, 4, **CREDIT | {"reason": None}),
        event(4, T0_MS - 36 * DAY_MS, 4, **CREDIT),
        b"{",
        event(5, T0_MS, 4, **CREDIT | {"entry": "debit"}),
    )
    assert partition.pending_rows == len(partition.slices.families["hour"]) * 3 + 3 + 2 + 3
    assert partition.held_bytes > 2000
    snapshot = taken(partition)
    assert kept(snapshot) == [(1, "id-2"), (6, "id-5")]
    first = snapshot.adjustments[0]
    assert (first.append_ms, first.event.reason, first.event.adjusts) == (
        T0_MS,
        "broke off",
        "id-1",
    )
    assert LABELS.series.meaning[first.series] == Series("credit", "eu", "p", "m-2")
    feed(partition, event(6, T0_MS, 1))
    assert kept(taken(partition)) == [], "handed over once"


def test_a_batch_cut_by_rules_and_read_from_its_middle_keeps_the_right_events() -> None:
    values = [event(number, T0_MS, number, **CREDIT) for number in range(6)]
    partition = state(checkpoint=Checkpoint(2, 0, received=2))
    partition.next_offset = 2
    book = ((0, MeteringRules()), (4, MeteringRules(context_thresholds=(3,))))
    partition._rules = RuleBook(book)
    partition.fold(partition.sift(records(0, values)))
    found = taken(partition).adjustments
    assert [(one.offset, one.event.input_tokens) for one in found] == [
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 5),
    ]
    classes = [LABELS.classes.meaning[one.price_class] for one in found]
    assert classes == [PriceClass("", 0), PriceClass("", 0), PriceClass("", 3), PriceClass("", 3)]


def test_what_lies_below_the_checkpoint_was_kept_before() -> None:
    partition = state(checkpoint=Checkpoint(2, 0, received=2))
    feed(partition, *(event(number, T0_MS, 4, **CREDIT) for number in range(3)))
    assert kept(taken(partition)) == [(2, "id-2")]


def test_what_counts_for_other_is_kept_as_other_without_a_class() -> None:
    partition = state(MeteringRules(series_max=1, unused_series_max=1))
    tier = {"service_tier": "batch"}
    feed(partition, event(1, T0_MS, 4, **CREDIT), event(2, T0_MS, 4, **CREDIT, **tier))
    named, other = taken(partition).adjustments
    assert LABELS.series.meaning[named.series].model == "m-1"
    assert LABELS.series.meaning[other.series] == Series("credit", "other", "other", "other")
    assert LABELS.classes.meaning[other.price_class] == PriceClass("", 0)
    assert other.event.model == "m-2"


def test_what_the_hours_leave_out_is_left_out() -> None:
    rules = MeteringRules(hour_retention_ms=2 * HOUR_MS)
    partition = state(rules)
    ages = (0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 4 * HOUR_MS)
    feed(
        partition,
        *(event(number, T0_MS - age, 4, **CREDIT) for number, age in enumerate(ages)),
    )
    snapshot = taken(partition)
    assert len(snapshot.adjustments) == len(snapshot.rows["hour"]) == 3


def test_plain_usage_keeps_nothing() -> None:
    partition = state()
    feed(partition, *(event(number, T0_MS, 1) for number in range(50)))
    assert partition.held_bytes == 0
    snapshot = taken(partition)
    assert (snapshot.adjustments, snapshot.belated) == ([], [])


def test_memory_is_counted_with_the_texts_of_each() -> None:
    """A reason may be long, and many of them wait where the database is away."""

    def held_bytes(*reasons: str) -> int:
        partition = state()
        credits = [CREDIT | {"reason": reason} for reason in reasons]
        feed(partition, *(event(n, T0_MS, 4, **fields) for n, fields in enumerate(credits)))
        return partition.held_bytes

    one = held_bytes("x")
    assert held_bytes("x" * 101) == one + 100
    assert held_bytes("x", "x") == 2 * one


def test_one_that_the_hours_leave_out_hides_none_behind_it() -> None:
    partition = state(MeteringRules(hour_retention_ms=2 * HOUR_MS))
    feed(partition, event(1, T0_MS - 4 * HOUR_MS, 4, **CREDIT), event(2, T0_MS, 4, **CREDIT))
    assert kept(taken(partition)) == [(1, "id-2")]


#: T0 is noon of 15 March: 14.5 days after the month before had ended.
FEBRUARY_END_MS = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1000


def test_usage_of_a_month_that_had_ended_is_kept_whole() -> None:
    partition = state()
    feed(
        partition,
        event(1, FEBRUARY_END_MS - 1, 10),
        event(2, FEBRUARY_END_MS, 10),
        event(3, FEBRUARY_END_MS - 20 * DAY_MS, 10, output_tokens=3),
        event(3, FEBRUARY_END_MS - 20 * DAY_MS, 10, output_tokens=3),
        event(4, FEBRUARY_END_MS - 22 * DAY_MS, 10),
        event(5, FEBRUARY_END_MS - DAY_MS, 4, **CREDIT),
    )
    assert partition.held_bytes > 2000
    rows = partition.pending_rows
    snapshot = taken(partition)
    assert rows == snapshot.row_count
    assert kept(snapshot) == [(5, "id-5")]
    assert [(one.offset, one.event.id) for one in snapshot.belated] == [(0, "id-1"), (2, "id-3")]
    assert snapshot.belated[0].append_ms == T0_MS
    slices = sum(map(len, snapshot.rows.values()))
    assert snapshot.row_count == slices + len(snapshot.admissions) + 1 + 2 + 1
    assert taken_again(partition) == []


def taken_again(partition: PartitionState) -> list[int]:
    feed(partition, event(90, T0_MS, 1))
    return [one.offset for one in taken(partition).belated]


@pytest.mark.parametrize("late_ms", [0, 3_600_000, 3_600_001, 86_400_000])
@pytest.mark.parametrize("end", [(2026, 1, 1), (2024, 3, 1), (2026, 12, 1), (2000, 1, 1)])
def test_an_hour_after_the_month_it_is_belated(end: tuple[int, int, int], late_ms: int) -> None:
    end_s = int(datetime(*end, tzinfo=UTC).timestamp())
    seconds = np.array([end_s - 1, end_s - 86_400, end_s])
    append_ms = np.full(3, end_s * 1000 + late_ms)
    none, units = np.zeros(3, np.int64), np.zeros((3, 0), np.int64)
    hashes = np.zeros((3, 2), np.uint64)
    columns = Columns(none, append_ms, append_ms, seconds, none, none, none, hashes, none, units)
    assert belated(columns).tolist() == [late_ms > 3_600_000] * 2 + [False]


def test_what_came_in_its_own_month_is_late_but_not_belated() -> None:
    partition = state()
    feed(partition, event(1, T0_MS - 10 * DAY_MS, 10))
    snapshot = taken(partition)
    assert (snapshot.checkpoint.late, snapshot.belated) == (1, [])

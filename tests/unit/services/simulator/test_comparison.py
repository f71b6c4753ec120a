"""The comparison finds every row and count that is not as it must be, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.simulator.comparison import MeterCounts, count_differences, row_differences
from services.simulator.expected import (
    REGISTERS,
    USAGE_HOUR_ENTRIES,
    USAGE_MINUTE,
    USAGE_UNIT_HOURS,
    Bounds,
    LedgerTotals,
    ViewShape,
)

ROW = (2, 0, 200, 0, 0, 20, 0, 0, 0, 0)
KEY = ("eu", "openai", "luna")


def test_equal_rows_differ_in_nothing() -> None:
    assert list(row_differences(REGISTERS, {KEY: ROW}, {KEY: ROW})) == []


def test_missing_row() -> None:
    (found,) = row_differences(REGISTERS, {KEY: ROW}, {})
    assert (found.kind, found.key) == ("missing", KEY)
    assert found.columns == (("requests", 2, 0), ("input_tokens", 200, 0), ("output_tokens", 20, 0))


def test_extra_row() -> None:
    (found,) = row_differences(REGISTERS, {}, {KEY: ROW})
    assert found.kind == "extra"
    assert ("requests", 0, 2) in found.columns


def test_extra_row_of_zeros_is_found_too() -> None:
    (found,) = row_differences(REGISTERS, {}, {KEY: (0,) * 10})
    assert found.kind == "extra"


@pytest.mark.parametrize("column", range(10))
def test_a_change_of_one_in_any_column(column: int) -> None:
    changed = tuple(value + (place == column) for place, value in enumerate(ROW))
    (found,) = row_differences(USAGE_MINUTE, {(60, *KEY): ROW}, {(60, *KEY): changed})
    assert found.kind == "different"
    assert len(found.columns) == 1
    assert found.columns[0][2] - found.columns[0][1] == 1


@pytest.mark.parametrize("shape", [USAGE_HOUR_ENTRIES, USAGE_UNIT_HOURS])
def test_columns_are_those_of_the_view(shape: ViewShape) -> None:
    row = tuple(range(len(shape.columns)))
    (found,) = row_differences(shape, {KEY: row}, {KEY: (*row[:-1], 99)})
    assert found.view == shape.view
    assert found.columns == ((shape.columns[-1], row[-1], 99),)


EXPECTED = LedgerTotals(
    sent=110,
    unique=100,
    unresolved=0,
    refused=2,
    wrongly_refused=0,
    wrongly_taken=0,
    received=Bounds(108, 108),
    accepted=Bounds(100, 100),
    duplicate=Bounds(5, 5),
    late=Bounds(7, 7),
    rejected={"invalid_json": Bounds(3, 3)},
)
FOUND = MeterCounts(108, 100, 5, 7, {"invalid_json": 3}, {"invalid_json": 3})


def names(expected: LedgerTotals, found: MeterCounts) -> list[str]:
    return [difference.name for difference in count_differences(expected, found)]


def test_equal_counts_differ_in_nothing() -> None:
    assert names(EXPECTED, FOUND) == []


@pytest.mark.parametrize("name", ["received", "accepted", "duplicate"])
def test_a_count_off_by_one(name: str) -> None:
    found = replace(FOUND, **{name: getattr(FOUND, name) + 1})
    # Received is also the sum of the others, so that is off, too.
    assert names(EXPECTED, found) == [name, "received - accepted - duplicate - rejected"]


def test_late_off_by_one() -> None:
    assert names(EXPECTED, replace(FOUND, late=8)) == ["late"]


def test_rejections_of_a_reason_nobody_expected() -> None:
    found = replace(FOUND, rejected={"invalid_json": 2, "too_old": 1})
    assert names(EXPECTED, found) == ["rejected invalid_json", "rejected too_old"]


def test_a_dead_letter_too_few() -> None:
    assert names(EXPECTED, replace(FOUND, dead_letters={})) == ["dead letters invalid_json"]


@pytest.mark.parametrize("name", ["unresolved", "wrongly_refused", "wrongly_taken"])
def test_what_must_be_zero(name: str) -> None:
    wrong: Any = {name: 1}
    assert len(names(replace(EXPECTED, **wrong), FOUND)) == 1

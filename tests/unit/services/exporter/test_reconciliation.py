"""What grows between two looks is no difference; what lies outside is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exporter.reconciliation import comparable, difference


@pytest.mark.parametrize(
    ("before", "between", "after", "expected"),
    [
        (10, 10, 10, 0),
        (10, 12, 15, 0),
        (10, 15, 15, 0),
        (10, 7, 15, 3),
        (10, 17, 15, -2),
    ],
)
def test_only_what_lies_outside_counts(
    before: int, between: int, after: int, expected: int
) -> None:
    assert difference(before, between, after) == expected


@given(st.lists(st.integers(0, 2**64), min_size=3, max_size=3))
def test_a_meter_that_grows_never_differs(readings: list[int]) -> None:
    assert difference(*sorted(readings)) == 0


def test_hours_are_compared_until_some_may_be_gone() -> None:
    today = date(2026, 3, 15)
    assert comparable(date(1970, 1, 1), today)
    assert comparable(date(2025, 3, 16), today)
    assert not comparable(date(2025, 3, 15), today)

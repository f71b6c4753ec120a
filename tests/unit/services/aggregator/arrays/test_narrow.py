"""Rows whose last columns may be left out: with them or without they are the same rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import narrowed, no_rows, stacked, widened

ROWS = arrays.arrays(
    np.int64,
    st.tuples(st.integers(0, 4), st.integers(0, 5)),
    elements=st.sampled_from([0, 0, 0, 1, 7]),
)


@given(ROWS, st.integers(0, 7))
def test_wider_rows_end_in_zeros(rows: Ints, width: int) -> None:
    found = widened(rows, width)
    assert found.shape == (len(rows), max(width, rows.shape[1]))
    assert (found[:, : rows.shape[1]] == rows).all()
    assert not found[:, rows.shape[1] :].any()


@given(ROWS, st.integers(0, 7))
def test_nothing_is_left_out_but_zeros(rows: Ints, width: int) -> None:
    found = narrowed(rows, width)
    assert (widened(found, rows.shape[1]) == rows).all()
    assert found.shape[1] <= width or rows[:, width:].any()


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_stacked_rows_are_those_of_all(parts: list[Ints]) -> None:
    width = max(part.shape[1] for part in parts)
    expected = [[*row, *[0] * (width - len(row))] for part in parts for row in part.tolist()]
    assert stacked(parts).tolist() == expected


def test_rows_are_laid_out_by_column_and_stay_so() -> None:
    assert no_rows(5, 3).flags.f_contiguous
    assert widened(no_rows(5, 3), 6).flags.f_contiguous

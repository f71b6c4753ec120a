"""Rows as they are read: what counts as tokens, what no checkpoint covers, and which is newest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exporter.rows import (
    REGISTER_COLUMNS,
    CheckpointRow,
    EndedLog,
    LogEnds,
    RegisterRow,
    Series,
)


def register(**totals: int) -> RegisterRow:
    values = dict.fromkeys(REGISTER_COLUMNS, 0) | totals
    return RegisterRow(Series("eu", "p", "m"), tuple(values.values()))


def checkpoint(log: str, partition: int, next_offset: int = 0) -> CheckpointRow:
    return CheckpointRow(log, partition, "usage", next_offset, 0, 0, 0, 0, {}, 1, 1)


def test_tokens_are_input_and_output_and_their_parts_are_not_counted_twice() -> None:
    totals = {column: 10**place for place, column in enumerate(REGISTER_COLUMNS)}
    assert register(**totals).tokens == totals["input_tokens"] + totals["output_tokens"]


@pytest.mark.parametrize("column", REGISTER_COLUMNS)
def test_a_label_set_is_used_once_it_has_a_token_of_any_kind(column: str) -> None:
    """Requests cost whoever invents names nothing; tokens and adjustments do."""
    assert register(**{column: 1}).used == (column not in {"requests", "failed_requests"})
    assert not register().used


def test_what_lies_before_the_first_record_is_no_lag() -> None:
    ends = LogEnds("c/now", {0: 40, 1: 40}, {0: 100, 1: 40})
    assert ends.lag([]) == {0: 60, 1: 0}
    # Checkpoints of another log, or of a partition that is not there, cover nothing.
    assert ends.lag([checkpoint("c/else", 0, 90), checkpoint("c/now", 7, 90)]) == {0: 60, 1: 0}


def test_a_partition_that_is_only_of_a_log_before_shows_until_it_is_metered() -> None:
    ends = LogEnds("c/now", {0: 0}, {0: 5}, (EndedLog("c/before", ((2, 10), (4, 20))),))
    assert ends.lag([checkpoint("c/before", 0, 7)]) == {0: 5 + 3, 1: 16}
    assert ends.lag([checkpoint("c/before", 0, 10), checkpoint("c/before", 1, 20)]) == {0: 5}


_offsets = st.lists(st.integers(0, 50), min_size=3, max_size=3)


@given(_offsets, _offsets, st.data())
def test_lag_is_never_negative_and_falls_by_what_is_metered(
    starts: list[int], lengths: list[int], data: st.DataObject
) -> None:
    places = dict(enumerate(zip(starts, lengths, strict=True)))
    ends = LogEnds(
        "c/now",
        {partition: start for partition, (start, _) in places.items()},
        {partition: start + length for partition, (start, length) in places.items()},
    )
    assert ends.lag([]) == dict(enumerate(lengths))
    metered = [data.draw(st.integers(0, length + 5)) for length in lengths]
    rows = [
        checkpoint("c/now", partition, start + metered[partition])
        for partition, (start, _) in places.items()
    ]
    assert ends.lag(rows) == {
        partition: max(0, length - metered[partition]) for partition, (_, length) in places.items()
    }


_NOW, _SECOND, _FIRST = (
    checkpoint("c/now", 0),
    checkpoint("c/second", 1),
    checkpoint("c/first", 2),
)


@given(
    st.permutations(
        [
            *(_NOW, _SECOND, _FIRST),
            *(checkpoint("c/second", 0), checkpoint("c/first", 0), checkpoint("c/first", 1)),
            # Of a log that is none of these, and of a partition that the log of now has not.
            *(checkpoint("c/else", 2), checkpoint("c/else", 3), checkpoint("c/first", 9)),
        ]
    )
)
def test_the_newest_row_of_a_partition_is_that_of_the_latest_log_in_whatever_order(
    rows: list[CheckpointRow],
) -> None:
    predecessors = (EndedLog("c/first", ()), EndedLog("c/second", ()))
    ends = LogEnds("c/now", {}, dict.fromkeys(range(4), 9), predecessors)
    assert ends.newest_rows(rows) == [_NOW, _SECOND, _FIRST]

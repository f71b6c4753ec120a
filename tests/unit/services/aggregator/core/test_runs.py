"""Which runs may be used, and which are merged: against what the ranges of offsets say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.runs import (
    BEFORE_INHERITED,
    FAN_IN,
    INHERITED,
    SMALL_IDS,
    Settled,
    Stretch,
    disjoint,
    level_of,
    to_merge,
    usable,
)

KEEP_MS = 8_000
#: Ids matter that were seen after 2,000.
NOW = Settled(offset=1000, log_ms=10_000, keep_ms=KEEP_MS)


@dataclass(frozen=True)
class Run:
    stretch: Stretch


def run(begin: int, end: int, *, count: int = 10, per_offset_ms: int = 10) -> Run:
    """A run of some offsets, at each of which log time is ten times as much."""
    begin_ms, end_ms = (max(0, offset) * per_offset_ms for offset in (begin, end))
    return Run(Stretch(Cut(begin, begin_ms), Cut(end, end_ms), begin_ms, end_ms, count))


def ranges(runs: list[Run]) -> list[tuple[int, int]]:
    return [(one.stretch.begin.offset, one.stretch.end.offset) for one in runs]


def test_runs_that_join_up_to_a_gap_are_of_use() -> None:
    runs = [run(600, 700), run(0, 300), run(300, 500)]
    assert ranges(usable(runs, NOW, 0)) == [(0, 300), (300, 500)]


def test_a_run_beyond_the_checkpoint_is_of_no_use() -> None:
    runs = [run(0, 900), run(900, 1000), run(1000, 1001)]
    assert ranges(usable(runs, NOW, 0)) == [(0, 900), (900, 1000)]
    assert ranges(usable(runs, replace(NOW, offset=999), 0)) == [(0, 900)]


@pytest.mark.parametrize(
    ("begin", "start", "of_use"),
    [
        (200, 0, True),
        (201, 0, False),
        (201, 200, False),
        (201, 201, True),
        (500, 600, True),
    ],
    ids=["past before", "not past", "can be read", "gone before", "gone in the middle"],
)
def test_what_lies_before_the_first_run_must_be_past_or_gone(
    begin: int, start: int, of_use: bool
) -> None:
    runs = [run(begin, 900)]
    assert usable(runs, NOW, start) == (runs if of_use else [])


def test_a_gap_that_is_past_or_gone_is_none() -> None:
    runs = [run(0, 100), run(150, 400), run(500, 900)]
    assert ranges(usable(runs, NOW, 0)) == [(0, 100), (150, 400)]
    assert ranges(usable(runs, NOW, 500)) == [(0, 100), (150, 400), (500, 900)]


def test_a_longer_horizon_needs_what_came_before() -> None:
    assert usable([run(200, 900)], replace(NOW, keep_ms=KEEP_MS + 1), 0) == []


def test_runs_of_long_ago_are_of_no_use() -> None:
    """To read on from their end would be to read far more than matters."""
    assert usable([run(0, 200)], NOW, 0) == []
    assert ranges(usable([run(0, 201)], NOW, 0)) == [(0, 201)]


def test_a_merged_run_stands_for_what_it_was_made_of() -> None:
    runs = [run(0, 100), run(100, 200), run(200, 300), run(0, 200)]
    assert ranges(disjoint(runs, 1000)) == [(0, 200), (200, 300)]
    assert ranges(disjoint(runs, 150)) == [(0, 100)], "but not where it is of no use"


def test_what_was_inherited_is_of_use_as_a_whole() -> None:
    """Where it matters, the log's own beginning is no beginning."""
    first = Run(Stretch(Cut(INHERITED, 2000), Cut(INHERITED + 1, 2500), 2000, 2500, 9))
    last = Run(Stretch(Cut(INHERITED + 1, 2500), Cut(0, 3000), 2500, 3000, 9))
    own = Run(Stretch(Cut(0, 3000), Cut(500, 5000), 3000, 5000, 9))
    assert usable([first, last, own], NOW, BEFORE_INHERITED) == [first, last, own]
    assert usable([first], NOW, BEFORE_INHERITED) == []
    assert usable([first, own], NOW, BEFORE_INHERITED) == []
    assert usable([last, own], NOW, BEFORE_INHERITED) == []
    assert usable([own], NOW, 0) == [own], "once what was inherited is past"
    longer = replace(NOW, keep_ms=KEEP_MS + 1)
    assert usable([first, last, own], longer, BEFORE_INHERITED) == []


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=12),
    st.integers(0, 25),
    st.integers(0, 25),
    st.integers(0, 25),
)
def test_all_that_matters_and_can_be_read_is_in_runs_up_to_where_they_end(
    drawn: list[tuple[int, int]], checkpoint: int, start: int, past: int
) -> None:
    settled = Settled(checkpoint, 10 * checkpoint, 10 * (checkpoint - past))
    found = usable([run(begin, begin + size) for begin, size in drawn], settled, start)
    assert found == sorted(found, key=lambda one: one.stretch.begin.offset)
    end = found[-1].stretch.end.offset if found else 0
    assert end <= checkpoint
    covered = [offset for begin, end in ranges(found) for offset in range(begin, end)]
    assert len(covered) == len(set(covered))
    # The record at an offset bears the log time of the cut behind it.
    matters = {offset for offset in range(end) if 10 * (offset + 1) > settled.past_ms}
    assert {offset for offset in matters if offset >= start} <= set(covered)


def in_a_row(*counts: int, size: int = 10, first: int = 0) -> list[Run]:
    return [
        run(first + size * n, first + size * (n + 1), count=count) for n, count in enumerate(counts)
    ]


def test_so_many_runs_of_one_size_are_merged_the_oldest_first() -> None:
    small = in_a_row(*[5] * (FAN_IN + 2))
    assert list(to_merge(small, NOW)) == small[:FAN_IN]
    assert list(to_merge(small[: FAN_IN - 1], NOW)) == []


def test_a_larger_run_is_left_alone_until_there_are_as_many_of_its_size() -> None:
    large = 5 * SMALL_IDS
    runs = in_a_row(large, large, *[5] * FAN_IN)
    assert list(to_merge(runs, NOW)) == runs[2:]
    runs = in_a_row(*[large] * (FAN_IN - 1), 5)
    assert list(to_merge(runs, NOW)) == runs, "a small one among them goes along"


def test_only_neighbours_below_the_checkpoint_are_merged() -> None:
    runs = in_a_row(*[5] * FAN_IN)
    assert list(to_merge(runs, replace(NOW, offset=10 * FAN_IN - 1))) == []
    apart = [*runs[:4], *in_a_row(*[5] * (FAN_IN - 4), first=41)]
    assert list(to_merge(apart, NOW)) == []


def test_no_merged_run_is_of_more_than_a_part_of_the_time() -> None:
    """And where the next would be too much, what there is becomes one, however few."""
    runs = [run(n * 40, n * 40 + 40) for n in range(3)]
    assert [one.stretch.first_ms for one in runs] == [0, 400, 800]
    assert NOW.span_max_ms == 1000
    assert list(to_merge(runs, NOW)) == runs[:2]
    merged = run(0, 80)
    assert list(to_merge([merged, runs[2]], NOW)) == []


def test_what_was_inherited_is_merged_with_its_like() -> None:
    inherited = [
        Run(Stretch(Cut(INHERITED + n, 0), Cut(INHERITED + n + 1, 0), 0, 0, 5)) for n in range(5)
    ]
    last = Run(Stretch(Cut(INHERITED + 5, 0), Cut(0, 0), 0, 0, 5))
    runs = [*inherited, last, *in_a_row(*[5] * 5)]
    assert list(to_merge(runs, NOW)) == []


@given(st.lists(st.integers(0, 60), min_size=1, max_size=200))
def test_few_runs_are_left_however_many_came(counts: list[int]) -> None:
    runs: list[Run] = []
    for n, count in enumerate(counts):
        runs += in_a_row(count * SMALL_IDS, size=1, first=n)
        while group := list(to_merge(runs, Settled(1000, 10_000, 10**9))):
            at = runs.index(group[0])
            assert runs[at : at + len(group)] == group, "neighbours"
            whole = run(
                group[0].stretch.begin.offset,
                group[-1].stretch.end.offset,
                count=sum(one.stretch.count for one in group),
            )
            runs[at : at + len(group)] = [whole]
    most = max(level_of(one) for one in runs)
    assert len(runs) <= (FAN_IN - 1) * (most + 1)


def test_levels_are_steps_of_size() -> None:
    counts = (0, SMALL_IDS, SMALL_IDS + 1, FAN_IN * SMALL_IDS, FAN_IN**2 * SMALL_IDS)
    assert [level_of(run(0, 1, count=count)) for count in counts] == [0, 0, 1, 1, 2]


def test_what_was_inherited_is_of_use_before_this_log_has_any_run() -> None:
    first = Run(Stretch(Cut(INHERITED, 2000), Cut(INHERITED + 1, 2500), 2000, 2500, 9))
    last = Run(Stretch(Cut(INHERITED + 1, 2500), Cut(0, 3000), 2500, 3000, 9))
    assert usable([first, last], NOW, BEFORE_INHERITED) == [first, last]
    assert BEFORE_INHERITED < INHERITED < -(10**15), "as many runs as come have room below 0"


def test_a_merged_run_may_be_of_the_whole_part_of_the_time() -> None:
    """And of no more: runs would come to their end later than ids matter."""
    runs = [run(n * 50, n * 50 + 50) for n in range(3)]
    assert [one.stretch.last_ms for one in runs] == [500, 1000, 1500]
    assert NOW.span_max_ms == 1000
    assert list(to_merge(runs, NOW)) == runs[:2]
    assert list(to_merge(runs, replace(NOW, keep_ms=KEEP_MS - 8))) == []

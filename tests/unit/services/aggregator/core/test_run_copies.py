"""Which runs are copied, and which of runs and copies are used: against what ranges say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.run_copies import (
    DUE_IDS,
    IDS_A_RECORD,
    REPLACED_MIN,
    Copied,
    best,
    complete,
    to_copy,
)
from services.aggregator.core.runs import BEFORE_INHERITED, INHERITED, Settled, Stretch, usable

KEEP_MS = 8_000
#: Ids matter that were seen after 2,000; log time is ten times the offset.
NOW = Settled(offset=1000, log_ms=10_000, keep_ms=KEEP_MS)
LONG_AGO, ALL = -1, 1 << 60


@dataclass(frozen=True)
class Run:
    stretch: Stretch


def stretch(begin: int, end: int, count: int = 10) -> Stretch:
    begin_ms, end_ms = (max(0, offset) * 10 for offset in (begin, end))
    return Stretch(Cut(begin, begin_ms), Cut(end, end_ms), begin_ms, end_ms, count)


def run(begin: int, end: int, count: int = 10) -> Run:
    return Run(stretch(begin, end, count))


def copy(begin: int, end: int, count: int = 10) -> Copied:
    return Copied(stretch(begin, end, count), 7, 1, 100)


def fetched(run: Run | Copied) -> int:
    return run.stretch.count if isinstance(run, Copied) else 0


def chosen(
    runs: Sequence[Run], copies: Sequence[Copied], settled: Settled = NOW, start: int = 0
) -> list[tuple[str, int, int]]:
    both: list[Run | Copied] = [*runs, *copies]
    return [
        (
            "copy" if isinstance(one, Copied) else "run",
            one.stretch.begin.offset,
            one.stretch.end.offset,
        )
        for one in best(both, settled, start, fetched)
    ]


def test_runs_and_copies_that_join_are_one_chain() -> None:
    found = chosen([run(400, 700)], [copy(100, 400), copy(700, 1000)])
    assert found == [("copy", 100, 400), ("run", 400, 700), ("copy", 700, 1000)]


def test_of_one_that_is_both_the_run_here_is_used() -> None:
    runs, copies = [run(0, 500), run(500, 1000)], [copy(0, 500), copy(500, 1000)]
    assert chosen(runs, copies) == [("run", 0, 500), ("run", 500, 1000)]


def test_copies_that_are_past_are_not_fetched() -> None:
    assert chosen([], [copy(0, 100), copy(100, 200), copy(200, 1000)]) == [("copy", 200, 1000)]


def test_a_copy_beyond_the_checkpoint_is_of_no_use() -> None:
    copies = [copy(0, 900), copy(900, 1001)]
    assert chosen([], copies) == [("copy", 0, 900)]
    assert chosen([], copies, replace(NOW, offset=1001)) == [("copy", 0, 900), ("copy", 900, 1001)]


def test_runs_that_overlap_are_gone_round() -> None:
    """The larger of two that begin at one place may lead nowhere."""
    copies = [copy(0, 600), copy(0, 500), copy(500, 1000)]
    assert chosen([], copies) == [("copy", 0, 500), ("copy", 500, 1000)]


def test_a_little_log_is_read_rather_than_much_fetched() -> None:
    runs, copies = [run(0, 990, 5000)], [copy(0, 500, 5000), copy(500, 1000, 5000)]
    assert chosen(runs, copies) == [("run", 0, 990)]
    assert chosen([run(0, 10, 5000)], copies) == [("copy", 0, 500), ("copy", 500, 1000)]
    assert 10 * IDS_A_RECORD < 10_000 < 990 * IDS_A_RECORD


def test_what_reaches_back_comes_before_what_the_log_has() -> None:
    """The log begins at 600: runs from there on say as much as it does, copies say all."""
    runs, copies = [run(600, 1000)], [copy(100, 500), copy(500, 900)]
    assert chosen(runs, copies, start=600) == [("copy", 100, 500), ("copy", 500, 900)]


def test_what_ends_before_the_log_begins_leaves_a_gap() -> None:
    runs, copies = [run(600, 1000)], [copy(100, 500)]
    assert chosen(runs, copies, start=600) == [("copy", 100, 500), ("run", 600, 1000)]
    assert chosen([], copies, start=600) == [("copy", 100, 500)]


def test_what_the_log_has_is_not_used_behind_a_gap() -> None:
    assert chosen([run(600, 1000)], [copy(100, 500)]) == [("copy", 100, 500)]
    assert chosen([run(600, 1000)], []) == []


def test_inherited_ids_are_used_as_a_whole() -> None:
    cuts = [Cut(INHERITED, 2_000), Cut(INHERITED + 5, 5_000), Cut(0, 6_000), Cut(1000, 10_000)]
    whole = [
        Copied(Stretch(begin, end, begin.log_ms, end.log_ms, 1), 7, 1, 100)
        for begin, end in pairwise(cuts)
    ]
    assert len(chosen([], whole, start=BEFORE_INHERITED)) == 3
    assert chosen([], whole[:1], start=BEFORE_INHERITED) == []
    assert chosen([], whole[1:], start=BEFORE_INHERITED) == []
    assert len(chosen([], whole[:2], start=BEFORE_INHERITED)) == 2


def test_long_ago_nothing_is_of_use() -> None:
    assert chosen([], [copy(0, 100)]) == []


@pytest.mark.parametrize(
    ("runs", "is_complete"),
    [
        ([], False),
        ([run(200, 1000)], True),
        ([run(201, 1000)], False),
        ([run(100, 999)], False),
        ([run(100, 500), run(500, 1000)], True),
        ([run(100, 500), run(501, 1000)], False),
    ],
)
def test_what_is_complete(runs: list[Run], is_complete: bool) -> None:
    assert complete(runs, NOW) == is_complete


RANGES = st.tuples(st.integers(0, 11), st.integers(1, 6)).map(
    lambda drawn: (100 * drawn[0], 100 * (drawn[0] + drawn[1]))
)


@given(st.lists(RANGES, max_size=5), st.lists(RANGES, max_size=6), st.integers(0, 10))
def test_what_is_used_says_as_much_as_any_that_joins(
    here: list[tuple[int, int]], copied: list[tuple[int, int]], start: int
) -> None:
    """Against all chains there are."""
    start *= 100
    runs: list[Run | Copied] = [*(run(*one) for one in here), *(copy(*one) for one in copied)]
    found = best(runs, NOW, start, fetched)
    assert all(one.stretch.end.offset <= NOW.offset for one in found)
    assert all(
        one.stretch.end.offset <= after.stretch.begin.offset for one, after in pairwise(found)
    )
    chains = all_chains([one for one in runs if one.stretch.end.offset <= NOW.offset])
    exact = [
        chain
        for chain in chains
        if chain[0].stretch.begin.log_ms <= NOW.past_ms
        and max(start, 201) <= chain[-1].stretch.end.offset
    ]
    if exact:
        # From where ids begin to matter on all is known, or on the log.
        assert known(found) >= known(min(exact, key=cost)) & set(range(200, start))
        assert found[0].stretch.begin.offset <= 200
        assert all(one.stretch.end == after.stretch.begin for one, after in pairwise(found))
        assert cost(found) == min(map(cost, exact))
    # Where none says all, what is known is of use as far as it goes.
    assert found or not usable(runs, NOW, start)


def offsets(one: Run | Copied) -> range:
    return range(one.stretch.begin.offset, one.stretch.end.offset, 100)


def known(runs: Sequence[Run | Copied]) -> set[int]:
    return {at for one in runs for at in offsets(one)}


def cost(chain: Sequence[Run | Copied]) -> int:
    return sum(map(fetched, chain)) + IDS_A_RECORD * (NOW.offset - chain[-1].stretch.end.offset)


def all_chains(runs: Sequence[Run | Copied]) -> list[list[Run | Copied]]:
    found: list[list[Run | Copied]] = [[one] for one in runs]
    for chain in found:
        end = chain[-1].stretch.end
        found += [[*chain, one] for one in runs if one.stretch.begin == end]
    return found


def next_range(
    runs: Sequence[Run], copies: Sequence[Copied], until_ms: int, settled: Settled = NOW
) -> tuple[int, int] | None:
    found = to_copy(runs, copies, settled, until_ms)
    return None if found is None else (found.stretch.begin.offset, found.stretch.end.offset)


def test_the_oldest_is_copied_first_and_what_is_young_is_not_yet() -> None:
    runs = [run(700, 1000), run(200, 300), run(300, 700)]
    assert next_range(runs, [], 10_000) == (200, 300)
    assert next_range(runs, [copy(200, 300)], 10_000) == (300, 700)
    assert next_range(runs, [copy(200, 300)], 2_999) is None
    assert next_range(runs, [copy(200, 300)], 3_000) == (300, 700)
    assert next_range(runs, [copy(200, 300), copy(300, 700)], 6_999) is None


def test_many_ids_are_due_however_young() -> None:
    assert next_range([run(0, 1000, DUE_IDS - 1)], [], LONG_AGO) is None
    assert next_range([run(0, 1000, DUE_IDS)], [], LONG_AGO) == (0, 1000)
    part = copy(0, 500, 10)
    assert next_range([run(0, 1000, DUE_IDS + 9)], [part], LONG_AGO) is None
    assert next_range([run(0, 1000, DUE_IDS + 10)], [part], LONG_AGO) == (0, 1000)


def test_nothing_is_copied_beyond_the_checkpoint_or_that_is_past() -> None:
    assert next_range([run(900, 1001)], [], ALL) is None
    assert next_range([run(0, 200), run(200, 300)], [], ALL) == (200, 300)
    assert next_range([run(0, 201)], [], ALL) == (0, 201)


def test_copies_beyond_the_checkpoint_do_not_count() -> None:
    """Of a backup that was restored they may be ahead, and are of no use yet."""
    assert next_range([run(0, 1000)], [copy(0, 1001)], ALL) == (0, 1000)


def test_a_run_of_which_a_part_is_copied_is_copied_whole() -> None:
    assert next_range([run(0, 1000)], [copy(0, 500)], 4_999) is None
    assert next_range([run(0, 1000)], [copy(0, 500)], 5_000) == (0, 1000)
    assert next_range([run(0, 1000)], [copy(500, 1000)], 0) == (0, 1000)
    assert next_range([run(0, 1000)], [copy(0, 500), copy(500, 1000)], ALL) is None
    assert next_range([run(100, 900)], [copy(0, 1000)], ALL) is None
    assert next_range([run(100, 900)], [copy(0, 800)], ALL) == (100, 900)


def test_copies_count_as_far_as_they_join() -> None:
    runs = [run(0, 300), run(300, 500)]
    assert next_range(runs, [copy(0, 500)], ALL) is None
    assert next_range(runs, [copy(0, 400)], ALL) == (0, 300)
    assert next_range(runs, [copy(0, 400), copy(0, 300)], ALL) == (300, 500)
    assert next_range(runs, [copy(0, 400), copy(400, 500)], ALL) is None


def test_a_run_takes_the_place_of_many_copies() -> None:
    many = [copy(at, at + 10) for at in range(0, 10 * REPLACED_MIN, 10)]
    whole = run(0, 10 * REPLACED_MIN)
    assert next_range([whole], many, ALL) == (0, 10 * REPLACED_MIN)
    assert next_range([run(10, 10 * REPLACED_MIN)], many, ALL) is None
    assert next_range([whole], [*many, copy(0, 10 * REPLACED_MIN)], ALL) is None


@given(st.lists(RANGES, max_size=6), st.lists(RANGES, max_size=6))
def test_copying_comes_to_an_end_where_all_is_copied(
    here: list[tuple[int, int]], copied: list[tuple[int, int]]
) -> None:
    runs, copies = [run(*one) for one in here], [copy(*one) for one in copied]
    for _ in runs:
        wanted = to_copy(runs, copies, NOW, ALL)
        if wanted is None:
            break
        assert wanted.stretch.end.offset <= NOW.offset
        copies.append(copy(wanted.stretch.begin.offset, wanted.stretch.end.offset))
    assert to_copy(runs, copies, NOW, ALL) is None
    # Whoever has copies alone knows as much as who has the runs.
    of_use = usable(runs, NOW, 0)
    below = [one for one in of_use if one.stretch.end.log_ms > NOW.past_ms]
    assert known(best(copies, NOW, 0, fetched)) >= known(below) & set(range(200, 1000))

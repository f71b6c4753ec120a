from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import SeenIds, Sightings, repetitions
from services.aggregator.core.runs import Settled
from tests.property.world import ModelStore, ModelStores

HORIZON_MS = 1000


def ids_of(*numbers: int) -> Words:
    """Ids by number, some alike in their first half or in their second."""
    halves = [(number // 2, 7 + number % 2) for number in numbers]
    return np.array(halves, np.uint64).reshape(-1, 2)


def see(seen: SeenIds, number: int, append_ms: int) -> bool:
    [duplicate] = see_all(seen, [number], np.array([append_ms]))
    return bool(duplicate)


def see_all(seen: SeenIds, numbers: Sequence[int], times_ms: Ints) -> list[bool]:
    """See ids at times that are both when they ask and when they are seen."""
    flags: list[bool] = seen.see_all(ids_of(*numbers), times_ms, HORIZON_MS).tolist()
    return flags


def settled(log_ms: int, offset: int = 1000) -> Settled:
    return Settled(offset, log_ms, HORIZON_MS)


def by_the_rule(numbers: Sequence[int], times_ms: Sequence[int]) -> list[bool]:
    """Which are duplicates, by looking at all that came before."""
    history: list[tuple[int, int]] = []
    duplicates = []
    for number, now_ms in zip(numbers, times_ms, strict=True):
        duplicates.append(any(then == number and now_ms - at < HORIZON_MS for then, at in history))
        history.append((number, now_ms))
    return duplicates


A, B = 0, 1
#: The id seen, and how long after the one before.
SCHEDULES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0, 0, 0, 0, 1, 999, 1000, 1001])), max_size=40
)


def test_a_resend_within_the_horizon_is_a_duplicate() -> None:
    seen = SeenIds()
    assert not see(seen, A, 0)
    assert see(seen, A, HORIZON_MS - 1)
    assert not see(seen, B, HORIZON_MS - 1)


def test_at_the_horizon_it_counts_again() -> None:
    seen = SeenIds()
    see(seen, A, 0)
    assert not see(seen, A, HORIZON_MS)


def test_a_duplicate_is_a_sighting_too() -> None:
    seen = SeenIds()
    for time_ms in (0, 900, 1800):
        again = see(seen, A, time_ms)
    assert again


def test_within_one_batch() -> None:
    times_ms = np.array([0, 0, 900, 1900, 2899, 2899])
    duplicates = see_all(SeenIds(), [A, A, A, A, A, B], times_ms)
    assert duplicates == [False, True, True, False, True, False]


def test_a_batch_leaves_its_last_sightings_behind() -> None:
    seen = SeenIds()
    see_all(seen, [A, B, A], np.array([0, 10, 900]))
    assert see_all(seen, [B, A], np.array([1010, 1899])) == [False, True]


@given(SCHEDULES)
def test_forgetting_changes_no_answer(schedule: list[tuple[int, int]]) -> None:
    seen, now_ms = SeenIds(), 0
    history: list[tuple[int, int]] = []
    for number, pause_ms in schedule:
        now_ms += pause_ms
        seen.settle(settled(now_ms))
        expected = any(then == number and now_ms - at < HORIZON_MS for then, at in history)
        history.append((number, now_ms))
        assert see(seen, number, now_ms) == expected
        recent = {then for then, at in history if now_ms - at < HORIZON_MS}
        seen.cut(len(history), now_ms)
        assert len(seen) == len(recent), "forgets all that is past, and nothing else"


@given(SCHEDULES, st.integers(1, 40))
def test_batches_of_any_size_give_the_same_answers(
    schedule: list[tuple[int, int]], size: int
) -> None:
    numbers = [number for number, _ in schedule]
    times_ms = np.cumsum([pause_ms for _, pause_ms in schedule], dtype=np.int64)
    seen, found = SeenIds(), list[bool]()
    for start in range(0, len(numbers), size):
        end = start + size
        found += see_all(seen, numbers[start:end], times_ms[start:end])
        assert len(seen) == len(set(numbers[:end]))
    assert found == by_the_rule(numbers, times_ms.tolist())


@given(SCHEDULES, st.integers(1, 7), st.integers(1, 4), st.integers(1, 3))
def test_where_ids_are_kept_changes_no_answer(
    schedule: list[tuple[int, int]], size: int, memory_max: int, batches: int
) -> None:
    """Runs are written after some batches, and memory is made room in."""
    numbers = [number for number, _ in schedule]
    times_ms = np.cumsum([pause_ms for _, pause_ms in schedule], dtype=np.int64)
    seen, found = SeenIds(ModelStore(ModelStores(), "log")), list[bool]()
    for start in range(0, len(numbers), size):
        end = min(start + size, len(numbers))
        found += see_all(seen, numbers[start:end], times_ms[start:end])
        if (start // size) % batches == 0:
            here = settled(int(times_ms[end - 1]), end)
            seen.cut(end, here.log_ms)
            assert seen.write()
            seen.make_room(memory_max)
            seen.settle(here)
            seen.tidy(here)
            assert len(seen) <= max(memory_max, size)
    assert found == by_the_rule(numbers, times_ms.tolist())


class Kept:
    """A store that says what it was given, if it takes it."""

    def __init__(self, *, full: bool = False) -> None:
        self.end: Cut | None = None
        self.lost = False
        self.full = full
        self.runs: list[Sightings] = []
        self.asked: list[tuple[list[list[int]], int]] = []
        self.tidied: list[Settled] = []
        self.closed = False

    def last_seen(self, ids: Words, below: int) -> Ints:
        self.asked.append((ids.tolist(), below))
        return np.full(len(ids), -1)

    def keep(self, sightings: Sightings) -> bool:
        if not self.full:
            self.runs.append(sightings)
            self.end = sightings.end
        return not self.full

    def tidy(self, settled: Settled) -> bool:
        self.tidied.append(settled)
        return True

    def close(self) -> None:
        self.closed = True

    @property
    def ranges(self) -> list[tuple[int, int]]:
        return [(run.begin.offset, run.end.offset) for run in self.runs]

    @property
    def rows(self) -> list[dict[int, int]]:
        """The sightings of each run, as numbers and times."""
        return [
            {
                2 * int(high) + int(low) - 7: at
                for (high, low), at in zip(run.ids, run.seen_ms.tolist(), strict=True)
            }
            for run in self.runs
        ]


def seen_in_two_parts(store: Kept) -> SeenIds:
    """Ids 0 to 3 below offset 10, and 4, 0 and 5 below 20."""
    seen = SeenIds(store)
    see_all(seen, [0, 1, 2, 3], np.array([0, 10, 20, 30]))
    seen.cut(10, 30)
    assert seen.write() == (not store.full)
    see_all(seen, [4, 0, 5], np.array([40, 50, 60]))
    seen.cut(20, 60)
    return seen


def test_a_run_has_what_was_seen_in_its_range_and_each_last_sighting_there() -> None:
    store = Kept()
    seen = seen_in_two_parts(store)
    assert seen.write()
    assert store.rows == [{0: 0, 1: 10, 2: 20, 3: 30}, {4: 40, 0: 50, 5: 60}]
    assert [(run.begin, run.end) for run in store.runs] == [
        (Cut(), Cut(10, 30)),
        (Cut(10, 30), Cut(20, 60)),
    ]
    assert seen.unwritten() is None and seen.write()


def test_what_the_disk_refuses_is_in_the_next_run() -> None:
    store = Kept(full=True)
    seen = seen_in_two_parts(store)
    assert not seen.write()
    seen.make_room(1)
    assert len(seen) == 6, "it stays in memory"
    store.full = False
    assert seen.write()
    assert store.ranges == [(0, 20)]
    assert store.rows == [{1: 10, 2: 20, 3: 30, 4: 40, 0: 50, 5: 60}]


def test_what_was_taken_stays_as_it_was_whatever_comes() -> None:
    store = Kept()
    seen = SeenIds(store)
    see_all(seen, [0, 1], np.array([0, 10]))
    seen.cut(10, 10)
    taken = seen.unwritten()
    assert taken is not None
    see_all(seen, [1, 2], np.array([20, 30]))
    assert seen.keep(taken)
    seen.cut(20, 30)
    assert seen.write()
    assert store.rows == [{0: 0, 1: 10}, {1: 20, 2: 30}]


def test_a_range_in_which_nothing_was_seen_is_written_too() -> None:
    store = Kept()
    seen = SeenIds(store, Cut(5, 50))
    seen.cut(9, 90)
    assert seen.write()
    assert (store.rows, store.runs[0].begin, store.runs[0].end) == ([{}], Cut(5, 50), Cut(9, 90))


def test_room_is_made_of_what_runs_have_the_oldest_first() -> None:
    store = Kept()
    seen = seen_in_two_parts(store)
    seen.make_room(6)
    assert len(seen) == 6, "no more than that are left alone"
    seen.make_room(1)
    assert len(seen) == 3, "and what is in no run"
    seen.write()
    seen.make_room(1)
    assert len(seen) == 0
    SeenIds().make_room(1)


def test_runs_are_asked_for_what_memory_has_not_and_only_those_before_it() -> None:
    store = Kept()
    seen = seen_in_two_parts(store)
    seen.make_room(4)
    store.asked.clear()
    see_all(seen, [5, 1, 6], np.array([60, 60, 60]))
    assert store.asked == [(ids_of(1, 6).tolist(), 10)]


def test_where_runs_were_there_already_the_next_begins_behind_them() -> None:
    store = Kept()
    store.end = Cut(100, 1000)
    seen = SeenIds(store, Cut(100, 1000))
    see(seen, A, 1000)
    assert store.asked == [(ids_of(A).tolist(), 100)]
    seen.cut(101, 1000)
    seen.write()
    assert store.ranges == [(100, 101)]
    behind = SeenIds(store, Cut(150, 1000))
    assert behind.written == Cut(150, 1000), "a gap, where something was not read"


def test_what_is_forgotten_and_in_no_run_leaves_a_gap() -> None:
    store = Kept(full=True)
    seen = seen_in_two_parts(store)
    seen.settle(settled(HORIZON_MS + 29))
    assert len(seen) == 6, "up to a cut"
    seen.settle(settled(HORIZON_MS + 30))
    assert len(seen) == 3
    store.full = False
    seen.write()
    assert (store.ranges, store.rows) == ([(10, 20)], [{4: 40, 0: 50, 5: 60}])


def test_what_is_forgotten_and_in_a_run_leaves_none() -> None:
    store = Kept()
    seen = seen_in_two_parts(store)
    seen.settle(settled(HORIZON_MS + 30))
    seen.write()
    assert store.ranges == [(0, 10), (10, 20)]


def test_ranges_of_inherited_ids_only_have_an_order() -> None:
    store = Kept()
    seen = SeenIds(store, Cut(-1000, 5))
    for number in range(3):
        see(seen, number, 10 * number)
        seen.cut_inherited(10 * number)
        seen.write()
    seen.cut(0, 20)
    seen.write()
    assert store.ranges == [(-1000, -999), (-999, -998), (-998, -997), (-997, 0)]


def test_how_much_came_since_the_last_cut() -> None:
    seen = SeenIds()
    see_all(seen, [0, 1, 0], np.array([0, 0, 0]))
    assert seen.since_last_cut == 2
    see(seen, 0, 0)
    assert seen.since_last_cut == 3
    seen.cut(4, 0)
    assert seen.since_last_cut == 0


def test_what_a_store_does_is_done_through_it() -> None:
    store = Kept()
    seen = SeenIds(store)
    assert seen.tidy(settled(5)) and store.tidied == [settled(5)]
    assert not seen.lost
    store.lost = True
    assert seen.lost
    seen.close()
    assert store.closed
    without = SeenIds()
    without.close()
    without.cut(9, 9)
    assert without.unwritten() is None and not without.tidy(settled(5)) and not without.lost


@given(st.lists(st.integers(0, 12), max_size=30))
def test_repetitions(numbers: list[int]) -> None:
    repeated = repetitions(ids_of(*numbers))
    if len(set(numbers)) == len(numbers):
        # Halves may be alike where ids are not: then groups of one are found.
        assert repeated is None or len(repeated[1]) == len(numbers)
        return
    assert repeated is not None
    order, begins = repeated
    groups = [group.tolist() for group in np.split(order, begins[1:])]
    assert sorted(index for group in groups for index in group) == list(range(len(numbers)))
    for group in groups:
        assert group == sorted(group), "each in its own order"
        assert len({numbers[index] for index in group}) == 1
    assert len(groups) == len(set(numbers))


def test_no_repetitions_mostly() -> None:
    distinct = np.random.default_rng(1).integers(0, 2**64, (1000, 2), np.uint64)
    assert repetitions(distinct) is None
    assert repetitions(distinct[:1]) is None
    assert repetitions(distinct[:0]) is None

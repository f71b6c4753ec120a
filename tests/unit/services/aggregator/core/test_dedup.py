from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import LONG_AGO, SeenIds, Settled, Sightings, Stamp, repetitions
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


def moving_all_along(
    schedule: list[tuple[int, int]], size: int, memory_max: int, most: int, first_ms: int = 0
) -> tuple[list[bool], list[bool]]:
    """What is said while ids move to a store after each batch, and what should be."""
    numbers = [number for number, _ in schedule]
    times_ms = first_ms + np.cumsum([pause_ms for _, pause_ms in schedule], dtype=np.int64)
    seen, found = SeenIds(ModelStore(ModelStores(), "log")), list[bool]()
    for start in range(0, len(numbers), size):
        end = start + size
        found += see_all(seen, numbers[start:end], times_ms[start:end])
        seen.spill(settled(int(times_ms[:end][-1])), memory_max, most)
    return found, by_the_rule(numbers, times_ms.tolist())


@given(
    SCHEDULES, st.integers(1, 7), st.integers(1, 4), st.integers(1, 5), st.sampled_from([0, 10**12])
)
# Some of the ids of time 0 are moved, and of time 0 is what stays: nobody asked the store for them,
# because the time before which it is complete was taken for that of an empty one.
@example([(0, 0), (1, 0), (2, 0), (3, 1), (0, 0)], 4, 2, 1, 0)
def test_where_ids_are_kept_changes_no_answer(
    schedule: list[tuple[int, int]], size: int, memory_max: int, most: int, first_ms: int
) -> None:
    found, expected = moving_all_along(schedule, size, memory_max, most, first_ms)
    assert found == expected


class Kept:
    """A store that says what it was given, if it takes it."""

    def __init__(self, *, empty: bool = True, full: bool = False) -> None:
        self.complete_before_ms = LONG_AGO
        self.complete_below = Cut()
        self.empty = empty
        self.lost = False
        self.full = full
        self.moved: list[Sightings] = []
        self.past_ms: list[int] = []
        self.asked: list[Words] = []
        self.closed = False

    def last_seen(self, ids: Words) -> Ints:
        self.asked.append(ids)
        return np.full(len(ids), -1)

    def keep(self, sightings: Sightings) -> bool:
        if not self.full:
            self.moved.append(sightings)
        return not self.full

    def forget(self, past_ms: int) -> None:
        self.past_ms.append(past_ms)

    def close(self) -> None:
        self.closed = True

    @property
    def rows(self) -> list[list[tuple[int, int]]]:
        """The sightings of each move, as numbers and times."""
        return [
            [
                (2 * int(high) + int(low) - 7, at)
                for (high, low), at in zip(move.ids, move.seen_ms.tolist(), strict=True)
            ]
            for move in self.moved
        ]


def filled(store: Kept) -> SeenIds:
    """Ids 0 to 4, seen every 10 ms, and 0 once more at 50."""
    seen = SeenIds(store)
    see_all(seen, [0, 1, 2, 3, 4, 0], np.array([0, 10, 20, 30, 40, 50]))
    return seen


def test_the_oldest_move_and_the_store_is_complete_up_to_the_next() -> None:
    store = Kept()
    seen = filled(store)
    assert not seen.spill(settled(1005), memory_max=3, most=100)
    assert store.rows == [[(1, 10), (2, 20)]]
    [move] = store.moved
    assert (move.complete_before_ms, move.settled.offset) == (30, 1000)
    assert store.past_ms == [5]
    assert len(seen) == 3


def test_only_so_many_move_at_once() -> None:
    store = Kept()
    seen = filled(store)
    assert seen.spill(settled(1005), memory_max=1, most=3), "one more has to"
    assert not seen.spill(settled(1005), memory_max=1, most=3)
    assert store.rows == [[(1, 10), (2, 20), (3, 30)], [(4, 40)]]


@pytest.mark.parametrize(
    ("log_ms", "moved", "complete_before_ms"),
    [
        (40, [(0, 0), (1, 10), (2, 20), (3, 30)], 40),
        (31, [(0, 0), (1, 10), (2, 20), (3, 30)], 31),
        (30, [(0, 0), (1, 10), (2, 20)], 30),
        (11, [(0, 0), (1, 10)], 11),
        (10, [(0, 0)], 10),
    ],
)
def test_what_may_have_been_seen_beyond_the_checkpoint_stays(
    log_ms: int, moved: list[tuple[int, int]], complete_before_ms: int
) -> None:
    """But 0 was seen below it as well, and that a crash would leave alone."""
    store = Kept()
    seen = filled(store)
    seen.spill(settled(log_ms), memory_max=1, most=100)
    assert store.rows == [moved]
    assert store.moved[0].complete_before_ms == complete_before_ms
    assert len(seen) == 6 - len(moved), "0 is in memory still, by its later sighting"


def test_where_log_time_stands_still_the_order_tells_what_is_below_the_checkpoint() -> None:
    store = Kept()
    seen = SeenIds(store)
    for number in range(4):
        see(seen, number, 70)
    seen.cut(1001, 70)
    see(seen, 4, 70)
    seen.spill(settled(70), memory_max=1, most=100)
    assert store.moved == [], "the checkpoint does not hold yet"
    beyond = replace(settled(70), offset=1001)
    seen.spill(beyond, memory_max=1, most=100)
    assert store.rows == [[(number, 70) for number in range(4)]]
    assert store.moved[0].complete_before_ms == 70, "not of that time: more may have come then"


def cut_and_seen(store: Kept, log_ms: int) -> SeenIds:
    """Ids 0 to 5 at one log time, with a cut before every second of them, and 0 once more."""
    seen = SeenIds(store)
    for number in range(6):
        if number % 2 == 0:
            seen.cut(1000 + 10 * number, log_ms - 1)
        see(seen, number, log_ms)
    seen.cut(1060, log_ms)
    see(seen, 0, log_ms)
    return seen


@pytest.mark.parametrize(
    ("checkpoint", "moved", "complete"),
    [
        (1060, [0, 1, 2, 3, 4, 5], Cut(1060, 70)),
        (1059, [0, 1, 2, 3], Cut(1040, 69)),
        (1040, [0, 1, 2, 3], Cut(1040, 70)),
        (1025, [0, 1], Cut(1020, 69)),
        (1999, [1, 2, 3, 4, 5], Cut(1060, 70)),
    ],
)
def test_the_store_is_complete_below_the_cut_before_the_next(
    checkpoint: int, moved: list[int], complete: Cut
) -> None:
    """Though all is of one log time; what was seen again beyond the checkpoint goes along."""
    store = Kept()
    seen = cut_and_seen(store, 70)
    if checkpoint == 1999:
        seen.cut(1070, 70)
        see(seen, 6, 70)
    seen.spill(
        replace(settled(70), offset=checkpoint), memory_max=2 if checkpoint > 1060 else 1, most=9
    )
    assert sorted(store.rows[0]) == [(number, 70) for number in moved]
    assert store.moved[0].complete_below == complete


def test_of_a_move_in_pieces_each_says_how_far_it_came() -> None:
    store = Kept()
    seen = cut_and_seen(store, 70)
    while seen.spill(replace(settled(70), offset=1060), memory_max=1, most=2):
        pass
    assert [move.complete_below.offset for move in store.moved] == [1020, 1040, 1060]


def test_without_a_cut_no_offset_is_told() -> None:
    store = Kept()
    seen = filled(store)
    seen.spill(replace(settled(1005), offset=2000), memory_max=3, most=100)
    assert store.moved[0].complete_below == Cut()


def test_of_times_that_no_record_tells_the_store_is_told_nothing() -> None:
    """Until all that bears them has been moved."""
    store = Kept()
    seen = SeenIds(store, unsure_until_ms=30)
    see_all(seen, [0, 1, 2, 3, 4, 5], np.array([30, 30, 30, 30, 40, 50]))
    for _ in range(2):
        seen.spill(settled(1005), memory_max=1, most=2)
    assert [len(move.ids) for move in store.moved] == [2, 2]
    assert [move.complete_before_ms for move in store.moved] == [LONG_AGO, 40]


def test_with_nothing_surely_below_the_checkpoint_nothing_moves() -> None:
    store = Kept()
    filled(store).spill(settled(0), memory_max=1, most=100)
    assert store.moved == []


def test_a_sighting_that_was_replaced_moves_once() -> None:
    store = Kept()
    seen = filled(store)
    for _ in range(2):
        seen.spill(settled(20), memory_max=1, most=1)
    assert store.rows == [[(0, 0)], [(1, 10)]]
    assert [move.complete_before_ms for move in store.moved] == [10, 20]


def test_a_sighting_replaced_below_the_checkpoint_stays_out() -> None:
    store = Kept()
    seen = filled(store)
    see(seen, 0, 60)
    seen.spill(settled(51), memory_max=1, most=100)
    assert store.rows == [[(1, 10), (2, 20), (3, 30), (4, 40), (0, 50)]]


def test_of_a_sighting_replaced_in_memory_before_the_batch_the_same_holds() -> None:
    store = Kept()
    seen = SeenIds(store)
    for number, at_ms in ((0, 0), (1, 10), (2, 20), (0, 30)):
        see(seen, number, at_ms)
    seen.spill(settled(15), memory_max=1, most=100)
    assert store.rows == [[(0, 0), (1, 10)]]


def test_a_store_that_cannot_take_ids_leaves_them_in_memory() -> None:
    store = Kept(full=True)
    seen = filled(store)
    assert not seen.spill(settled(45), memory_max=1, most=2), "and not again at once"
    assert len(seen) == 5
    store.full = False
    while seen.spill(settled(45), memory_max=1, most=2):
        pass
    assert store.rows == [[(0, 0), (1, 10)], [(2, 20), (3, 30)], [(4, 40)]]


def test_no_more_than_fit_are_left_alone() -> None:
    store = Kept()
    seen = filled(store)
    assert not seen.spill(settled(1005), memory_max=5, most=100)
    assert store.moved == []
    assert store.past_ms == [5], "but the store's buckets come to their end"
    assert not SeenIds().spill(settled(1005), 1, 100), "nor is there anything to do without one"


def test_the_store_is_asked_for_what_is_not_in_memory() -> None:
    empty, full = Kept(), Kept(empty=False)
    for store in (empty, full):
        seen = filled(store)
        see_all(seen, [5, 1, 6], np.array([60, 60, 60]))
    assert empty.asked == [], "with nothing in it there is nothing to ask"
    assert [ids.tolist() for ids in full.asked[1:]] == [ids_of(5, 6).tolist()]


def test_what_the_store_knows_makes_duplicates() -> None:
    store = ModelStore(ModelStores(), "log")
    store.keep(moved((A, 0), (B, 10), complete_before_ms=11))
    seen = SeenIds(store)
    times_ms = np.array([HORIZON_MS, HORIZON_MS])
    assert see_all(seen, [A, B], times_ms) == [False, True]
    assert see_all(seen, [A, B], times_ms) == [True, True]


def test_closing_lets_go_of_the_store() -> None:
    store = Kept()
    SeenIds(store).close()
    SeenIds().close()
    assert store.closed


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


def moved(*sightings: tuple[int, int], complete_before_ms: int, offset: int = 7) -> Sightings:
    numbers, times_ms = zip(*sightings, strict=True)
    return Sightings(
        ids_of(*numbers), np.array(times_ms), complete_before_ms, Cut(), settled(2000, offset)
    )


def test_a_store_is_used_only_from_its_checkpoint_on() -> None:
    both = moved((A, 5), (B, 9), complete_before_ms=9)
    stamp = Stamp().before_moving(both).after_moving(both)
    assert stamp.may_be_used(settled(2000, 7))
    assert not stamp.may_be_used(settled(2000, 6)), "it may know what was seen beyond"
    assert not stamp.may_be_used(settled(1999, 8)), "it may have forgotten what matters"
    assert Stamp().may_be_used(settled(0, 0))


def test_a_move_cut_short_is_known_by_its_first_stamp() -> None:
    late = moved((B, 9), complete_before_ms=9)
    assert not Stamp().before_moving(late).may_be_used(settled(2000, 6))
    assert Stamp().before_moving(late).complete_before_ms == LONG_AGO


def test_a_stamp_goes_up_only() -> None:
    early = moved((A, 5), complete_before_ms=6, offset=3)
    late = moved((B, 9), complete_before_ms=10)
    stamp = Stamp().before_moving(late).after_moving(late).before_moving(early)
    assert (stamp.below_offset, stamp.complete_before_ms) == (7, 10)

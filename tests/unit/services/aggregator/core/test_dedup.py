from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.core.byte_spans import Words
from services.aggregator.core.dedup import SeenIds, Sightings, Stamp, repetitions
from tests.property.world import ModelStore, ModelStores

HORIZON_MS = 1000


def ids_of(*numbers: int) -> Words:
    """Ids by number, some alike in their first half or in their second."""
    halves = [(number // 2, 7 + number % 2) for number in numbers]
    return np.array(halves, np.uint64).reshape(-1, 2)


def see(seen: SeenIds, number: int, append_ms: int) -> bool:
    [duplicate] = seen.see_all(ids_of(number), np.array([append_ms]), HORIZON_MS)
    return bool(duplicate)


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
    duplicates = SeenIds().see_all(ids_of(A, A, A, A, A, B), times_ms, HORIZON_MS)
    assert duplicates.tolist() == [False, True, True, False, True, False]


def test_a_batch_leaves_its_last_sightings_behind() -> None:
    seen = SeenIds()
    seen.see_all(ids_of(A, B, A), np.array([0, 10, 900]), HORIZON_MS)
    assert seen.see_all(ids_of(B, A), np.array([1010, 1899]), HORIZON_MS).tolist() == [False, True]


@given(SCHEDULES)
def test_forgetting_changes_no_answer(schedule: list[tuple[int, int]]) -> None:
    seen, now_ms = SeenIds(), 0
    history: list[tuple[int, int]] = []
    for number, pause_ms in schedule:
        now_ms += pause_ms
        seen.forget(now_ms, HORIZON_MS)
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
        found += seen.see_all(ids_of(*numbers[start:end]), times_ms[start:end], HORIZON_MS).tolist()
        assert len(seen) == len(set(numbers[:end]))
    assert found == by_the_rule(numbers, times_ms.tolist())


@given(SCHEDULES, st.integers(1, 7), st.integers(1, 4), st.integers(1, 5))
def test_where_ids_are_kept_changes_no_answer(
    schedule: list[tuple[int, int]], size: int, memory_max: int, most: int
) -> None:
    numbers = [number for number, _ in schedule]
    times_ms = np.cumsum([pause_ms for _, pause_ms in schedule], dtype=np.int64)
    seen, found = SeenIds(ModelStore(ModelStores(), "log"), memory_max), list[bool]()
    for start in range(0, len(numbers), size):
        end = start + size
        found += seen.see_all(ids_of(*numbers[start:end]), times_ms[start:end], HORIZON_MS).tolist()
        now_ms = int(times_ms[:end][-1])
        seen.forget(now_ms, HORIZON_MS)
        seen.spill(now_ms, HORIZON_MS, most)
    assert found == by_the_rule(numbers, times_ms.tolist())


class Kept:
    """A store that says what it was given; complete from the beginning, if told so."""

    def __init__(self, complete_before_ms: int = 0) -> None:
        self.complete_before_ms = complete_before_ms
        self.moved: list[Sightings] = []
        self.forgotten_before_ms: list[int] = []
        self.asked: list[Words] = []
        self.closed = False

    def last_seen(self, ids: Words) -> np.typing.NDArray[np.int64]:
        self.asked.append(ids)
        return np.full(len(ids), -1)

    def keep(self, sightings: Sightings) -> None:
        self.moved.append(sightings)

    def forget(self, before_ms: int) -> None:
        self.forgotten_before_ms.append(before_ms)

    def close(self) -> None:
        self.closed = True


def filled(store: Kept, memory_max: int) -> SeenIds:
    """Ids 0 to 4, seen every 10 ms, and 0 once more at 50."""
    seen = SeenIds(store, memory_max)
    seen.see_all(ids_of(0, 1, 2, 3, 4, 0), np.array([0, 10, 20, 30, 40, 50]), HORIZON_MS)
    return seen


def test_the_oldest_move_and_the_store_is_complete_up_to_the_next() -> None:
    store = Kept()
    seen = filled(store, memory_max=3)
    assert not seen.spill(below_ms=1050, horizon_ms=HORIZON_MS, most=100)
    [move] = store.moved
    assert move.ids.tolist() == ids_of(1, 2).tolist()
    assert move.last_seen_ms.tolist() == [10, 20]
    assert (move.newest_ms, move.complete_before_ms) == (20, 30)
    assert store.forgotten_before_ms == [50]
    assert len(seen) == 3


def test_only_so_many_move_at_once() -> None:
    store = Kept()
    seen = filled(store, memory_max=1)
    assert seen.spill(below_ms=1050, horizon_ms=HORIZON_MS, most=3), "one more has to"
    assert not seen.spill(below_ms=1050, horizon_ms=HORIZON_MS, most=3)
    assert [move.last_seen_ms.tolist() for move in store.moved] == [[10, 20, 30], [40]]


@pytest.mark.parametrize(
    ("below_ms", "moved_ms", "complete_before_ms"),
    [(30, [10, 20], 30), (29, [10, 20], 29), (21, [10, 20], 21), (20, [10], 20), (10, [], 0)],
)
def test_what_may_have_been_seen_beyond_the_checkpoint_stays(
    below_ms: int, moved_ms: list[int], complete_before_ms: int
) -> None:
    store = Kept()
    filled(store, memory_max=1).spill(below_ms, HORIZON_MS, most=100)
    assert [moved.last_seen_ms.tolist() for moved in store.moved] == (
        [moved_ms] if moved_ms else []
    )
    if moved_ms:
        assert store.moved[0].complete_before_ms == complete_before_ms


def test_no_more_than_fit_are_left_alone() -> None:
    store = Kept()
    seen = filled(store, memory_max=5)
    assert not seen.spill(below_ms=1050, horizon_ms=HORIZON_MS, most=100)
    assert store.moved == []
    assert store.forgotten_before_ms == [50], "but the store's buckets come to their end"
    assert not SeenIds().spill(1050, HORIZON_MS, 100), "nor is there anything to do without one"


def test_the_store_is_asked_for_what_is_not_in_memory() -> None:
    empty, full = Kept(), Kept(complete_before_ms=1)
    for store in (empty, full):
        seen = filled(store, memory_max=10)
        seen.see_all(ids_of(5, 1, 6), np.array([60, 60, 60]), HORIZON_MS)
    assert empty.asked == [], "with nothing in it there is nothing to ask"
    assert [ids.tolist() for ids in full.asked[1:]] == [ids_of(5, 6).tolist()]


def test_what_the_store_knows_makes_duplicates() -> None:
    store = ModelStore(ModelStores(), "log")
    store.keep(moved((A, 0), (B, 10), complete_before_ms=11))
    seen = SeenIds(store)
    times_ms = np.array([HORIZON_MS, HORIZON_MS])
    assert seen.see_all(ids_of(A, B), times_ms, HORIZON_MS).tolist() == [False, True]
    assert seen.see_all(ids_of(A, B), times_ms, HORIZON_MS).tolist() == [True, True]


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
    unlike = np.random.default_rng(1).integers(0, 2**64, (1000, 2), np.uint64)
    assert repetitions(unlike) is None
    assert repetitions(unlike[:1]) is None
    assert repetitions(unlike[:0]) is None


def moved(*sightings: tuple[int, int], complete_before_ms: int) -> Sightings:
    numbers, times_ms = zip(*sightings, strict=True)
    return Sightings(ids_of(*numbers), np.array(times_ms), complete_before_ms)


def test_a_store_is_used_only_below_the_checkpoint() -> None:
    both = moved((A, 5), (B, 9), complete_before_ms=9)
    stamp = Stamp().before_moving(both).after_moving(both)
    assert stamp.may_be_used(last_append_ms=10)
    assert not stamp.may_be_used(last_append_ms=9), "B may have been seen beyond the checkpoint"
    assert Stamp().may_be_used(last_append_ms=0)


def test_a_move_cut_short_is_known_by_its_first_stamp() -> None:
    late = moved((B, 9), complete_before_ms=9)
    assert not Stamp().before_moving(late).may_be_used(last_append_ms=9)
    assert Stamp().before_moving(late).complete_before_ms == 0


def test_a_stamp_goes_up_only() -> None:
    early, late = moved((A, 5), complete_before_ms=6), moved((B, 9), complete_before_ms=10)
    stamp = Stamp().before_moving(late).after_moving(late).before_moving(early)
    assert (stamp.newest_ms, stamp.complete_before_ms) == (9, 10)

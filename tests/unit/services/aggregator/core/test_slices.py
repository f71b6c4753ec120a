from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.measures import MEASURES, USUAL
from schemas.metering_rules import MINUTE_MS
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.slice_keys import pack
from services.aggregator.core.slices import FamilySlices, SliceStore, TotalTooLargeError, summed
from services.aggregator.core.windows import MINUTE, REGISTER, UNIT
from services.aggregator.decoding.labels import Labels

ONE = (1, 0, 10, 0, 0, 5, 0, 0)


def ints(*values: int) -> Ints:
    return np.array(values, np.int64)


def key(minute: int, label: int = 7) -> int:
    nobody = ints(0)
    return int(pack(MINUTE, Labels(), ints(minute), nobody, ints(label), nobody)[0])


def add(slices: FamilySlices, *minutes: int) -> None:
    slices.add(ints(*map(key, minutes)), np.array([ONE] * len(minutes), np.int64))


def load(slices: FamilySlices, minute: int, version: int, position: int) -> None:
    slices.load(ints(key(minute)), np.array([ONE], np.int64), ints(version), position)


def taken(slices: FamilySlices) -> dict[int, tuple[int, ...]]:
    return dict(slices.take_dirty().items())


def is_unknown(slices: FamilySlices, minute: int) -> bool:
    return len(slices.unknown(ints(key(minute)))) == 1


def test_adds_up_and_hands_over_what_changed_once() -> None:
    slices = FamilySlices(MINUTE, 0)
    add(slices, 1, 1)
    assert taken(slices) == {key(1): (2, 0, 20, 0, 0, 10, 0, 0)}
    assert taken(slices) == {}
    add(slices, 1)
    assert taken(slices) == {key(1): (3, 0, 30, 0, 0, 15, 0, 0)}


def test_what_was_handed_over_does_not_change_any_more() -> None:
    slices = FamilySlices(MINUTE, 0)
    add(slices, 1)
    rows = slices.take_dirty()
    add(slices, 1)
    assert dict(rows.items()) == {key(1): ONE}


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=600), st.integers(1, 99)
)
def test_equals_a_dict_of_sums(events: list[tuple[int, int]], size: int) -> None:
    slices = FamilySlices(MINUTE, 0)
    expected: dict[int, int] = {}
    for start in range(0, len(events), size):
        part = events[start : start + size]
        measures = np.zeros((len(part), len(MEASURES)), np.int64)
        measures[:, 2] = [tokens for _, tokens in part]
        slices.add(ints(*(key(minute) for minute, _ in part)), measures)
    for minute, tokens in events:
        expected[key(minute)] = expected.get(key(minute), 0) + tokens
    assert {place: totals[2] for place, totals in slices.take_dirty().items()} == expected
    assert len(slices) == len(expected)


def test_sums_by_key_in_order() -> None:
    keys, totals = summed(ints(5, 3, 5), np.array([[1, 10], [2, 20], [3, 30]], np.int64))
    assert keys.tolist() == [3, 5]
    assert totals.tolist() == [[2, 20], [4, 40]]


def test_a_row_ahead_of_the_reader_holds_events_below_its_version() -> None:
    slices = FamilySlices(REGISTER, 0)
    load(slices, 0, version=8, position=5)
    missing = slices.missing(ints(key(0), key(0), key(1)), ints(7, 8, 7))
    assert missing is not None
    assert missing.tolist() == [False, True, True]
    slices.reached(7)
    assert slices.missing(ints(key(0)), ints(7)) is not None
    slices.reached(8)
    assert slices.missing(ints(key(0)), ints(8)) is None


def test_a_row_as_old_as_the_position_is_not_ahead() -> None:
    slices = FamilySlices(REGISTER, 0)
    load(slices, 0, version=5, position=5)
    assert slices.missing(ints(key(0)), ints(5)) is None


def test_loading_many_rows_keeps_them_all() -> None:
    slices = FamilySlices(MINUTE, 0)
    keys = ints(*map(key, range(1000)))
    totals = np.arange(8000, dtype=np.int64).reshape(1000, 8)
    slices.load(keys, totals, np.zeros(1000, np.int64), 0)
    add(slices, 999)
    assert taken(slices) == {key(999): tuple((totals[999] + ONE).tolist())}


def test_old_windows_are_unknown_until_looked_up() -> None:
    slices = FamilySlices(MINUTE, loaded_from_ms=10 * MINUTE_MS)
    assert is_unknown(slices, 9)
    assert not is_unknown(slices, 10)
    slices.learn_absent(ints(key(9)))
    assert not is_unknown(slices, 9)
    assert taken(slices) == {}, "learning of nothing is nothing to write"


def test_a_window_that_is_loaded_in_part_counts_as_loaded_whole() -> None:
    slices = FamilySlices(MINUTE, loaded_from_ms=10 * MINUTE_MS + 1)
    assert slices.loaded_from == 10
    assert not is_unknown(slices, 10)


def test_eviction_keeps_what_is_not_written_yet() -> None:
    slices = FamilySlices(MINUTE, 0)
    add(slices, 1)
    slices.take_dirty()
    add(slices, 2, 4)
    slices.evict(before_ms=3 * MINUTE_MS)
    assert is_unknown(slices, 1)
    assert not is_unknown(slices, 2)
    assert taken(slices) == {key(2): ONE, key(4): ONE}
    assert slices.loaded_from == 3


def test_eviction_never_moves_back() -> None:
    slices = FamilySlices(MINUTE, loaded_from_ms=5 * MINUTE_MS)
    slices.evict(before_ms=2 * MINUTE_MS)
    assert slices.loaded_from == 5


def wide(*totals: int) -> Ints:
    """A row of all measures, the last of them given."""
    return np.array([[*ONE, *[0] * (len(MEASURES) - len(ONE) - len(totals)), *totals]], np.int64)


def test_measures_that_few_have_take_room_when_one_comes() -> None:
    slices = FamilySlices(MINUTE, 0)
    add(slices, 1, 2)
    assert slices.take_dirty().totals.shape == (2, USUAL)
    slices.add(ints(key(2), key(3)), np.concatenate((wide(4), wide(5))))
    add(slices, 1)
    found = slices.take_dirty()
    assert found.totals.shape == (3, len(MEASURES))
    twice = (2, 0, 20, 0, 0, 10, 0, 0)
    assert dict(found.items()) == {
        key(1): (*twice, *[0] * 8),
        key(2): (*twice, *[0] * 7, 4),
        key(3): (*ONE, *[0] * 7, 5),
    }


def test_what_is_loaded_may_be_wider_or_narrower_than_what_is_there() -> None:
    slices = FamilySlices(MINUTE, 0)
    load(slices, 1, version=5, position=5)
    slices.load(ints(key(2)), wide(7), ints(5), 5)
    load(slices, 3, version=5, position=5)
    add(slices, 1, 2, 3)
    twice = (2, 0, 20, 0, 0, 10, 0, 0)
    assert taken(slices) == {
        key(1): (*twice, *[0] * 8),
        key(2): (*twice, *[0] * 7, 7),
        key(3): (*twice, *[0] * 8),
    }


def test_growing_and_forgetting_keep_what_few_have() -> None:
    slices = FamilySlices(MINUTE, 0)
    slices.add(ints(key(1)), wide(7))
    add(slices, *range(2, 200))
    assert taken(slices)[key(1)][-1] == 7
    slices.evict(before_ms=150 * MINUTE_MS)
    slices.add(ints(key(199)), wide(1))
    assert taken(slices) == {key(199): (2, 0, 20, 0, 0, 10, 0, 0, *[0] * 7, 1)}


def test_units_have_one_measure() -> None:
    slices = FamilySlices(UNIT, 0)
    slices.add(ints(5, 5, 6), np.array([[2], [3], [4]], np.int64))
    assert taken(slices) == {5: (5,), 6: (4,)}


def test_the_first_event_of_the_log_is_not_held_by_a_slice_that_is_not_ahead() -> None:
    slices = FamilySlices(REGISTER, 0)
    load(slices, 0, version=8, position=0)
    missing = slices.missing(ints(key(1), key(0)), ints(0, 0))
    assert missing is not None and missing.tolist() == [True, False]


def test_a_sum_may_be_as_large_as_63_bits_and_no_larger() -> None:
    slices = FamilySlices(UNIT, 0)
    slices.add(ints(5), np.array([[2**63 - 2]], np.int64))
    slices.add(ints(5), np.array([[1]], np.int64))
    with pytest.raises(TotalTooLargeError, match="family unit"):
        slices.add(ints(5), np.array([[1]], np.int64))
    assert taken(slices) == {5: (2**63 - 1,)}, "what it was stays"


def test_the_window_that_is_kept_from_on_is_kept() -> None:
    slices = FamilySlices(MINUTE, 0)
    add(slices, 1, 2, 3)
    slices.take_dirty()
    slices.evict(before_ms=3 * MINUTE_MS)
    assert len(slices) == 1
    add(slices, 3)
    assert taken(slices) == {key(3): (2, 0, 20, 0, 0, 10, 0, 0)}


def test_what_is_ahead_is_known_to_be_so_as_long_as_it_is_in_memory() -> None:
    slices = FamilySlices(MINUTE, 0)
    for minute in (1, 2, 5):
        load(slices, minute, version=50, position=7)
    slices.evict(before_ms=5 * MINUTE_MS)
    missing = slices.missing(ints(key(5)), ints(40))
    assert missing is not None and missing.tolist() == [False]
    slices.evict(before_ms=6 * MINUTE_MS)
    assert slices.missing(ints(key(5)), ints(40)) is None, "a look-up will say it again"


def test_all_families_of_a_partition_move_on_together() -> None:
    store = SliceStore({})
    for slices in store.families.values():
        totals = np.ones((1, len(slices.family.measures)), np.int64)
        slices.load(ints(key(1)), totals, ints(8), 5)

    def ahead() -> list[bool]:
        families = store.families.values()
        return [slices.missing(ints(key(1)), ints(6)) is not None for slices in families]

    assert ahead() == [True] * 4
    store.reached(8)
    assert ahead() == [False] * 4
    assert (len(store), store.dirty_count) == (4, 0)
    add(store.families["minute"], 1, 2)
    assert (len(store), store.dirty_count) == (5, 2)

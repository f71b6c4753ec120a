from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.sorted_ids import SortedIds, in_order, latest, together

#: Many alike in one half, some in both.
HALVES = st.tuples(st.integers(0, 3), st.integers(0, 3))
Sighted = dict[tuple[int, int], int]
PARTS = st.lists(st.dictionaries(HALVES, st.integers(0, 99), max_size=12), max_size=5)


def sorted_of(sighted: Sighted) -> SortedIds:
    ids = np.array(list(sighted), np.uint64).reshape(-1, 2)
    return in_order(ids, np.array(list(sighted.values()), np.int64))


def sighted_of(ids: SortedIds) -> Sighted:
    high = ids.high.tolist()
    assert high == sorted(high)
    keys = list(zip(high, ids.low.tolist(), strict=True))
    assert len(set(keys)) == len(keys), "each once"
    return dict(zip(keys, ids.seen_ms.tolist(), strict=True))


@given(PARTS)
def test_of_what_several_parts_have_the_last_counts(parts: list[Sighted]) -> None:
    expected: Sighted = {}
    for part in parts:
        expected |= part
    assert sighted_of(latest([sorted_of(part) for part in parts])) == expected


def test_many_random_ids() -> None:
    rng = np.random.default_rng(7)
    ids = rng.integers(0, 2**64, (5000, 2), np.uint64)
    older = in_order(ids[:3000], np.arange(3000))
    newer = in_order(ids[2000:], np.arange(10_000, 13_000))
    found = sighted_of(latest([older, newer]))
    assert len(found) == 5000
    assert found[(int(ids[0, 0]), int(ids[0, 1]))] == 0
    assert found[(int(ids[2500, 0]), int(ids[2500, 1]))] == 10_500


def test_parts_in_a_row() -> None:
    parts = [sorted_of({(0, 1): 5}), sorted_of({}), sorted_of({(1, 0): 6})]
    assert sighted_of(together(parts)) == {(0, 1): 5, (1, 0): 6}
    assert len(together([])) == 0

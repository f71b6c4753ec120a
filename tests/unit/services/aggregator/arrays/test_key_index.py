from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.key_index import KeyIndex

#: Few distinct keys, so that they meet; and large ones, as packed keys are.
KEYS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**63 - 1)), unique=True)


@given(st.lists(KEYS, max_size=6), KEYS)
def test_knows_the_places_that_a_dict_would(batches: list[list[int]], asked: list[int]) -> None:
    index, expected = KeyIndex(), dict[int, int]()
    for batch in batches:
        keys = np.array(batch, np.int64)
        assert index.find(keys).tolist() == [expected.get(key, -1) for key in batch]
        new = [key for key in batch if key not in expected]
        places = index.add(np.array(new, np.int64))
        assert places.tolist() == list(range(len(expected), len(expected) + len(new)))
        expected |= dict(zip(new, places.tolist(), strict=True))
    assert len(index) == len(expected)
    assert index.find(np.array(asked, np.int64)).tolist() == [expected.get(k, -1) for k in asked]


def test_grows_far_beyond_its_first_slots() -> None:
    index = KeyIndex()
    keys = np.arange(0, 300_000, 3)
    for part in np.array_split(keys, 7):
        index.add(part)
    assert (index.find(keys) == np.arange(len(keys))).all()
    assert (index.find(keys + 1) == -1).all()

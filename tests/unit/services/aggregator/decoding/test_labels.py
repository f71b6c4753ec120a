from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.decoding.labels import Accounts, Unlocked

PAIRS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**31 - 1)), max_size=30)


@given(st.lists(PAIRS, max_size=6))
def test_a_pair_has_one_number_and_a_number_one_pair(batches: list[list[tuple[int, int]]]) -> None:
    accounts = Accounts(Unlocked())
    known: dict[tuple[int, int], int] = {}
    for batch in batches:
        columns = np.array(batch, np.int64).reshape(-1, 2)
        numbers = accounts.number(columns[:, 0], columns[:, 1])
        for pair, number in zip(batch, numbers.tolist(), strict=True):
            assert known.setdefault(pair, number) == number
        tenants, series = accounts.meaning(numbers)
        assert list(zip(tenants.tolist(), series.tolist(), strict=True)) == batch
    assert sorted(known.values()) == list(range(len(accounts))) == list(range(len(known)))


def test_threads_that_share_a_lock_number_alike() -> None:
    accounts = Accounts(Lock())
    tenants = np.arange(20_000, dtype=np.int64)

    def work(seed: int) -> list[int]:
        order = np.random.default_rng(seed).permutation(len(tenants))
        numbers = np.empty(len(tenants), np.int64)
        for part in np.array_split(order, 200):
            numbers[part] = accounts.number(tenants[part], tenants[part] % 7)
        return numbers.tolist()

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(work, range(4))
    assert all(other == first for other in others)
    assert sorted(first) == list(range(len(tenants)))

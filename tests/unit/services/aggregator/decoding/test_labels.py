from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event_rules import TOKENS_MAX
from schemas.price_class import CONTEXT_THRESHOLD_MAX, PLAIN, SERVICE_TIERS, UNITS, PriceClass
from services.aggregator.decoding.labels import (
    CLASSES_MAX,
    Accounts,
    Classes,
    Labels,
    TooManyClassesError,
    Unit,
    Unlocked,
)

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


THRESHOLDS = st.lists(
    st.integers(1, 60) | st.just(CONTEXT_THRESHOLD_MAX), max_size=5, unique=True
).map(lambda drawn: tuple(sorted(drawn)))
EVENTS = st.lists(
    st.tuples(st.integers(0, len(SERVICE_TIERS)), st.integers(0, 61) | st.just(TOKENS_MAX)),
    max_size=20,
)


@given(st.lists(st.tuples(THRESHOLDS, EVENTS), max_size=4))
def test_a_class_is_the_tier_and_the_highest_threshold_that_is_exceeded(
    batches: list[tuple[tuple[int, ...], list[tuple[int, int]]]],
) -> None:
    classes = Classes()
    for thresholds, events in batches:
        columns = np.array(events, np.int64).reshape(-1, 2)
        found = classes.of(columns[:, 0], columns[:, 1], thresholds)
        assert [classes.meaning[number] for number in found.tolist()] == [
            PriceClass(
                "" if tier == 0 else SERVICE_TIERS[tier - 1],
                max((one for one in thresholds if tokens > one), default=0),
            )
            for tier, tokens in events
        ]
    assert classes.number(PLAIN) == 0
    assert len(set(classes.meaning.values())) == len(classes)


def test_classes_have_an_end() -> None:
    classes = Classes()
    for band in range(1, CLASSES_MAX):
        classes.number(PriceClass("", band))
    with pytest.raises(TooManyClassesError, match="context_thresholds"):
        classes.number(PriceClass("flex", 0))
    # Those that are known are known on.
    assert classes.number(PriceClass("", 7)) == 7


def test_units_are_numbered_as_the_decoder_has_them() -> None:
    labels = Labels()
    assert [labels.units.number(Unit(unit)) for unit in UNITS] == list(range(len(UNITS)))

"""Token buckets and distinct values, on a clock that the test turns."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.keys.limits import (
    BURST_SECONDS,
    DISTINCT_WINDOW_SECONDS,
    Allowance,
    Combination,
    DistinctValues,
    KeyUse,
    TokenBucket,
)


def test_a_request_may_take_the_balance_below_zero_and_the_next_waits_for_it() -> None:
    bucket = TokenBucket(10, now=0)
    assert bucket.charge(50, now=0) == 0
    assert bucket.wait_seconds(now=0) == 3
    assert bucket.charge(1, now=2.9) == 1
    assert bucket.wait_seconds(now=2.9) == 1
    assert bucket.charge(1, now=3.1) == 0


def test_what_is_refused_costs_nothing() -> None:
    bucket = TokenBucket(10, now=0)
    bucket.charge(30, now=0)
    for _ in range(100):
        assert bucket.charge(1000, now=0.5)
    assert bucket.charge(1, now=1.1) == 0


def test_a_pause_earns_no_more_than_the_burst() -> None:
    bucket = TokenBucket(10, now=0)
    assert bucket.charge(10 * BURST_SECONDS, now=1000) == 0
    assert bucket.wait_seconds(now=1000) == 1


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), min_size=1, max_size=60))
def test_over_time_no_more_than_the_rate_gets_through(steps: list[tuple[float, int]]) -> None:
    bucket, now, taken, largest = TokenBucket(10, now=0), 0.0, 0, 0
    for pause, amount in steps:
        now += pause
        largest = max(largest, amount)
        if not bucket.charge(amount, now):
            taken += amount
        assert taken <= 10 * (now + BURST_SECONDS) + largest + 1e-6


@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.floats(0, 3), st.integers(0, 3), st.integers(1, 40), st.booleans()),
        min_size=1,
        max_size=60,
    ),
)
def test_a_fleet_lets_through_so_many_times_the_rate(
    processes: int, steps: list[tuple[float, int, int, bool]]
) -> None:
    """The slack that SECURITY.md states: each process has the whole rate, each start a burst."""
    buckets = [TokenBucket(10, now=0) for _ in range(processes)]
    now, taken, largest, starts = 0.0, 0, 0, processes
    for pause, which, amount, restarts in steps:
        now += pause
        which %= processes
        if restarts:
            buckets[which] = TokenBucket(10, now)
            starts += 1
        largest = max(largest, amount)
        if not buckets[which].charge(amount, now):
            taken += amount
        owed = 10 * (processes * now + starts * BURST_SECONDS)
        assert taken <= owed + starts * largest + 1e-6


@given(st.integers(1, 1000), st.floats(0.1, 1000))
def test_the_wait_that_is_told_is_long_enough(amount: int, per_second: float) -> None:
    bucket = TokenBucket(per_second, now=0)
    bucket.charge(amount, now=0)
    if wait_seconds := bucket.wait_seconds(now=0):
        assert bucket.wait_seconds(now=wait_seconds + 1e-6) == 0


def test_known_values_go_on_and_new_ones_beyond_the_limit_do_not() -> None:
    seen = DistinctValues[str](2)
    assert [seen.admit_all({value}, 0.0) for value in "abcab"] == [True, True, False, True, True]
    assert len(seen) == 2


def test_a_value_not_seen_for_a_window_makes_room() -> None:
    seen = DistinctValues[str](2)
    seen.admit_all({"a"}, 0.0)
    seen.admit_all({"b"}, 10.0)
    assert not seen.admit_all({"c"}, DISTINCT_WINDOW_SECONDS - 1)
    assert seen.admit_all({"c"}, DISTINCT_WINDOW_SECONDS)
    assert not seen.admit_all({"a"}, DISTINCT_WINDOW_SECONDS)


def test_of_many_all_are_noted_or_none() -> None:
    seen = DistinctValues[str](2)
    assert not seen.admit_all({"a", "b", "c"}, 0.0)
    assert len(seen) == 0
    assert seen.admit_all({"a", "b"}, 0.0)
    assert not seen.admit_all({"a", "c"}, 1.0)
    assert seen.admit_all({"a", "c"}, DISTINCT_WINDOW_SECONDS)


@pytest.mark.parametrize("values_max", [1, 3])
def test_memory_is_bounded_by_the_limit(values_max: int) -> None:
    seen = DistinctValues[str](values_max)
    for number in range(1000):
        seen.admit_all({str(number)}, float(number))
    assert len(seen) == values_max


def test_names_of_all_keys_may_be_noted_from_two_threads() -> None:
    shared = DistinctValues[Combination](500)
    allowance = Allowance(None, None, 10**6, 10**6, 10**6, 10**6)
    failures: list[BaseException] = []

    def name(prefix: str) -> None:
        use = KeyUse(allowance, 0.0, shared)
        try:
            for number in range(3000):
                # Each is a day and more after the last, so that all before are forgotten.
                at = number * 2 * 24 * 3600.0
                use.exceeded({"eu"}, {("eu", "p", f"{prefix}{number}-{n}") for n in range(3)}, at)
        except BaseException as error:  # It must reach the test.
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=name, args=(prefix,)) for prefix in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert failures == []
    assert len(shared) <= 500


class Counting(dict[str, float]):
    """Says how often it was gone through."""

    looks = 0

    def items(self) -> Any:
        self.looks += 1
        return super().items()


def test_a_full_set_is_not_gone_through_for_each_refusal() -> None:
    """Whoever invents names would make each of them as dear as all that are known."""
    seen = DistinctValues[str](3)
    seen._seen_at = looked = Counting()
    seen.admit_all({"a", "b", "c"}, 10.0)
    for number in range(100):
        assert not seen.admit_all({f"new-{number}"}, 20.0 + number)
    assert looked.looks <= 1
    assert seen.admit_all({"a"}, 500.0)
    late = DISTINCT_WINDOW_SECONDS + 10.0
    assert not seen.admit_all({"x", "y", "z"}, late)
    assert seen.admit_all({"x", "y"}, late)

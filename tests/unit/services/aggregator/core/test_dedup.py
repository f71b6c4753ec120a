from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.core.dedup import SeenIds, Sightings, Stamp, runs

HORIZON_MS = 1000


def see(seen: SeenIds, identity: bytes, append_ms: int) -> bool:
    return bool(seen.see_all([identity], np.array([append_ms]), HORIZON_MS))


A, B = b"a" * 16, b"b" * 16


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


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 999, 1000, 1001])), max_size=30)
)
def test_forgetting_changes_no_answer(schedule: list[tuple[int, int]]) -> None:
    seen, now_ms = SeenIds(), 0
    history: list[tuple[int, int]] = []
    for number, pause_ms in schedule:
        now_ms += pause_ms
        seen.forget(now_ms, HORIZON_MS)
        expected = any(then == number and now_ms - at < HORIZON_MS for then, at in history)
        history.append((number, now_ms))
        assert see(seen, bytes([number]) * 16, now_ms) == expected
        recent = {then for then, at in history if now_ms - at < HORIZON_MS}
        assert len(seen) == len(recent), "forgets all that is past, and nothing else"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 999, 1000])), max_size=20),
    st.integers(1, 20),
)
def test_batches_of_any_size_give_the_same_answers(
    schedule: list[tuple[int, int]], size: int
) -> None:
    times = np.cumsum([pause_ms for _, pause_ms in schedule])
    ids = [bytes([number]) * 16 for number, _ in schedule]
    singly, batched = SeenIds(), SeenIds()
    expected = [
        index for index, identity in enumerate(ids) if see(singly, identity, int(times[index]))
    ]
    found = []
    for start in range(0, len(ids), size):
        part = batched.see_all(ids[start : start + size], times[start : start + size], HORIZON_MS)
        found += [start + index for index in part]
    assert found == expected


def test_runs() -> None:
    assert list(runs(np.array([5, 5, 6, 7, 7]))) == [(0, 2), (2, 3), (3, 5)]
    assert list(runs(np.array([5]))) == [(0, 1)]


def test_a_store_is_used_only_below_the_checkpoint() -> None:
    moved = Sightings({A: 5, B: 9}, complete_before_ms=9)
    stamp = Stamp().before_moving(moved).after_moving(moved)
    assert stamp.may_be_used(last_append_ms=10)
    assert not stamp.may_be_used(last_append_ms=9), "B may have been seen beyond the checkpoint"
    assert Stamp().may_be_used(last_append_ms=0)


def test_a_move_cut_short_is_known_by_its_first_stamp() -> None:
    moved = Sightings({B: 9}, complete_before_ms=9)
    assert not Stamp().before_moving(moved).may_be_used(last_append_ms=9)

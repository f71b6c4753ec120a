from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.core.dedup import SeenIds

HORIZON_MS = 1000
A, B = b"a" * 16, b"b" * 16


def test_a_resend_within_the_horizon_is_a_duplicate() -> None:
    seen = SeenIds()
    assert not seen.see(A, 0, HORIZON_MS)
    assert seen.see(A, HORIZON_MS - 1, HORIZON_MS)
    assert not seen.see(B, HORIZON_MS - 1, HORIZON_MS)


def test_at_the_horizon_it_counts_again() -> None:
    seen = SeenIds()
    seen.see(A, 0, HORIZON_MS)
    assert not seen.see(A, HORIZON_MS, HORIZON_MS)


def test_a_duplicate_is_a_sighting_too() -> None:
    seen = SeenIds()
    for time_ms in (0, 900, 1800):
        again = seen.see(A, time_ms, HORIZON_MS)
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
        assert seen.see(bytes([number]) * 16, now_ms, HORIZON_MS) == expected
        recent = {then for then, at in history if now_ms - at < HORIZON_MS}
        assert len(seen) == len(recent), "forgets all that is past, and nothing else"

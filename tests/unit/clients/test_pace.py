"""How long the client waits between attempts."""

from __future__ import annotations

from wattoken.client.pace import WAIT_SECONDS_MAX, Pace


def test_waits_double_up_to_the_limit_and_start_again() -> None:
    pace = Pace(0.5, 4.0, lambda: 1.0)
    assert [pace.after_failure() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    pace.succeeded()
    assert pace.after_failure() == 0.5


def test_they_are_drawn_at_random() -> None:
    draws = iter([0.0, 0.5, 1.0])
    pace = Pace(1.0, 1.0, lambda: next(draws))
    assert [pace.after_failure() for _ in range(3)] == [0.5, 0.75, 1.0]


def test_what_the_server_asks_for_is_never_cut_short_but_bounded() -> None:
    for draw in (0.0, 1.0):
        pace = Pace(1.0, 1.0, lambda: draw)  # noqa: B023
        assert 7.0 <= pace.after_failure(7.0) <= 7.5
        assert pace.after_failure(10**9) <= WAIT_SECONDS_MAX + 0.5


def test_many_failures_overflow_nothing() -> None:
    pace = Pace(0.5, 30.0, lambda: 1.0)
    assert [pace.after_failure() for _ in range(2_000)][-1] == 30.0

"""How often a worker flushes: at its interval, seldom when behind, at once when caught up."""

from __future__ import annotations

import pytest

from services.aggregator.core.pacing import (
    CATCHING_UP_RECORDS,
    FLUSH_INTERVAL_SECONDS_MAX,
    FlushPacing,
    Pause,
    pause,
)


def test_a_worker_alone_waits_for_its_interval() -> None:
    assert pause(1.0, 1, 0.1) == Pause(shortest=0.25, usual=1.0, longest=1.4)


def test_many_workers_wait_longer_so_that_they_insert_no_more_together() -> None:
    assert pause(1.0, 12, 0.0) == Pause(shortest=3.0, usual=3.0, longest=3.0)


def test_a_long_flush_is_followed_by_a_long_pause_but_not_for_ever() -> None:
    assert pause(1.0, 1, 60.0).longest == 1.0 + FLUSH_INTERVAL_SECONDS_MAX


@pytest.mark.parametrize(
    ("waited", "behind", "over"),
    [(0.9, 0, False), (1.0, 0, True), (1.0, 5, False), (1.4, 5, True)],
)
def test_who_is_behind_reads_on(waited: float, behind: int, over: bool) -> None:
    assert FlushPacing().is_over(pause(1.0, 1, 0.1), waited, behind, full=False) == over


def test_who_has_caught_up_flushes_at_once_and_then_as_usual() -> None:
    pacing, one = FlushPacing(), pause(1.0, 1, 0.1)
    assert not pacing.is_over(one, 0.2, CATCHING_UP_RECORDS, full=False)
    assert not pacing.is_over(one, 0.24, 0, full=False), "sooner than the group may insert"
    assert pacing.is_over(one, 0.25, 0, full=False)
    assert not pacing.is_over(one, 0.25, 0, full=False)


def test_who_is_full_flushes_at_once_whatever_the_group_does() -> None:
    assert FlushPacing().is_over(pause(1.0, 12, 5.0), 0.0, CATCHING_UP_RECORDS, full=True)

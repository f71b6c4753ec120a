"""Which times are refused at once: only those that both clocks refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.errors import EventRejectedError
from services.ingest.times import ANY_TIME, LogClock, TimeLimits

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
AGE, AHEAD = timedelta(days=35), timedelta(minutes=5)
TICK = timedelta(microseconds=1)


def limits(clock: LogClock, now: datetime = NOW, monotonic: float = 0.0) -> TimeLimits:
    return clock.limits(now, monotonic, AGE, AHEAD)


def refused(found: TimeLimits, time: datetime) -> str | None:
    try:
        found.check(time)
    except EventRejectedError as error:
        return error.code
    return None


def ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def test_the_limits_are_those_of_the_rules() -> None:
    found = limits(LogClock())
    assert [refused(found, time) for time in (NOW - AGE, NOW, NOW + AHEAD)] == [None] * 3
    assert refused(found, NOW - AGE - TICK) == "too_old"
    assert refused(found, NOW + AHEAD + TICK) == "too_new"


def test_a_message_says_what_is_metered_now() -> None:
    with pytest.raises(EventRejectedError, match=r"older than 2026-02-08T12:00:00Z"):
        limits(LogClock()).check(NOW - 2 * AGE)
    with pytest.raises(EventRejectedError, match=r"later than 2026-03-15T12:05:00Z"):
        limits(LogClock()).check(NOW + DAY)


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_where_the_clocks_differ_what_either_takes_is_taken(step: timedelta) -> None:
    clock = LogClock()
    clock.note(ms(NOW + step), 100.0)
    found = limits(clock, monotonic=100.0)
    assert refused(found, NOW) is None
    assert refused(found, NOW + step) is None
    assert refused(found, NOW - AGE - 2 * DAY) == "too_old"
    assert refused(found, NOW + 2 * DAY) == "too_new"


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_a_step_of_this_clock_refuses_nothing(step: timedelta) -> None:
    clock = LogClock()
    clock.note(ms(NOW), 100.0)
    assert refused(limits(clock, NOW + step, 160.0), NOW + timedelta(seconds=60)) is None


def test_a_broker_that_does_not_say_teaches_nothing() -> None:
    clock = LogClock()
    clock.note(0, 100.0)
    assert limits(clock, monotonic=500.0) == limits(LogClock())


def test_any_time_is_any() -> None:
    assert refused(ANY_TIME, datetime(2099, 12, 31, tzinfo=UTC)) is None
    assert refused(ANY_TIME, datetime(2000, 1, 1, tzinfo=UTC)) is None

"""Trying without end: what is tried again, how long it waits, and when it is given up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from services.aggregator.metrics import REGISTRY
from services.aggregator.storage.retry import (
    DELAY_SECONDS_MAX,
    DELAY_SECONDS_MIN,
    AbandonedError,
    persist,
)
from services.platform.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    UnavailableError,
)

WHAT: Final = "insert rows"
AWAY: Final = UnavailableError("connection refused")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each pause would have been; nobody waits."""
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return paused


class Work:
    """Fails as often as it was told to, then has a result."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.attempts = 0

    async def attempt(self) -> str:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def never() -> bool:
    return False


def done(work: Work, abandoned: Callable[[], bool] = never) -> str:
    return asyncio.run(persist(WHAT, work.attempt, abandoned))


def retries() -> float:
    return REGISTRY.get_sample_value("wattoken_aggregator_retries_total", {"what": WHAT}) or 0


def test_what_succeeds_is_done_once_and_without_a_pause(pauses: list[float]) -> None:
    work = Work()
    assert done(work) == "done"
    assert (work.attempts, pauses) == (1, [])


def test_what_does_not_answer_is_tried_until_it_does(pauses: list[float]) -> None:
    # A subclass says the same of the database alone.
    work = Work(AWAY, DatabaseUnavailableError("timed out"), *[AWAY] * 98)
    before = retries()
    assert done(work) == "done"
    assert (work.attempts, len(pauses)) == (101, 100)
    assert retries() == before + 100


@pytest.mark.parametrize(
    "fault", [ConfigurationError("no such table"), ValueError("ours"), OSError("not mapped")]
)
def test_what_is_no_passing_fault_is_not_tried_again(fault: Exception, pauses: list[float]) -> None:
    work = Work(AWAY, fault)
    with pytest.raises(type(fault)) as raised:
        done(work)
    assert raised.value is fault
    assert (work.attempts, len(pauses)) == (2, 1)


def test_what_was_given_up_before_is_not_even_begun() -> None:
    work = Work()
    with pytest.raises(AbandonedError, match=WHAT):
        done(work, lambda: True)
    assert work.attempts == 0


def test_what_is_given_up_during_a_pause_is_not_tried_again(pauses: list[float]) -> None:
    work = Work(AWAY, AWAY, AWAY)
    with pytest.raises(AbandonedError, match=WHAT):
        done(work, lambda: len(pauses) == 2)
    assert work.attempts == 2


def test_what_was_done_before_it_was_given_up_is_done(pauses: list[float]) -> None:
    """Whether it is still ours is asked before an attempt, not of its result."""
    work = Work()
    assert done(work, lambda: work.attempts > 0) == "done"


def test_pauses_double_up_to_the_longest(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    done(Work(*[AWAY] * 10))
    grown = [DELAY_SECONDS_MIN * 2**number for number in range(7)]
    assert pauses == [*grown, *[DELAY_SECONDS_MAX] * 3]


def test_pauses_are_spread_and_never_none(pauses: list[float]) -> None:
    done(Work(*[AWAY] * 200))
    longest = pauses[7:]
    assert DELAY_SECONDS_MAX / 10 <= min(longest) < DELAY_SECONDS_MAX / 2
    assert DELAY_SECONDS_MAX / 2 < max(longest) <= DELAY_SECONDS_MAX


def test_each_piece_of_work_begins_with_the_shortest_pause(pauses: list[float]) -> None:
    done(Work(*[AWAY] * 9))
    pauses.clear()
    done(Work(AWAY))
    assert pauses[0] <= DELAY_SECONDS_MIN


def test_the_log_says_what_is_tried_again_and_that_it_succeeded(pauses: list[float]) -> None:
    def said(work: Work) -> list[tuple[Any, ...]]:
        with capture_logs() as entries:
            done(work)
        return [
            (one["log_level"], one["event"], one["what"], one["failures"], one.get("error"))
            for one in entries
        ]

    assert said(Work(AWAY, AWAY)) == [
        ("warning", "retrying", WHAT, 1, "connection refused"),
        ("warning", "retrying", WHAT, 2, "connection refused"),
        ("info", "recovered", WHAT, 2, None),
    ]
    assert said(Work()) == [], "nothing is said of what went as it should"

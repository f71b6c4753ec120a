"""A worker notices that its log was followed, whatever Kafka says or does not say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.aggregator import going_over
from services.aggregator.app import MeterApp
from services.aggregator.errors import SuccessionUnknownError
from services.aggregator.going_over import Found, keep_looking
from services.aggregator.succession.lineage import Lineage
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka_log import Log
from services.platform.succession import Stretch, Succession

LOG = Log("c", "a", "usage", 1)
FOLLOWED = Succession("c/b", "usage.2", 2, "c/a", "usage", (Stretch(0, 7),))


class Look:
    """Answers that come one after the other, the last forever."""

    def __init__(self, *answers: Found | Exception) -> None:
        self._left = list(answers)

    def __call__(self, *_: object) -> Any:
        answer = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class App(SimpleNamespace):
    """As much of a worker as is looked at; each sleep takes a minute and a half."""

    def __init__(self) -> None:
        super().__init__(settings=None, log_read=LOG, should_stop=False, sleeps=0)
        self.lineage = Lineage(LOG, "group", (), None)
        self.failed: list[Exception] = []
        self.began_anew = False
        self.now = 0.0
        self.loop = self

    def time(self) -> float:
        return self.now

    async def run_in_executor(self, _: None, function: Any, *arguments: object) -> Any:
        return function(*arguments)

    async def sleep(self, _: float) -> None:
        self.now += 90
        self.sleeps += 1
        self.should_stop = self.sleeps > 5

    async def fail(self, error: Exception) -> None:
        self.failed.append(error)

    def start_again(self) -> None:
        self.began_anew = True


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def started(look: Look, announced: Look) -> App:
        app = App()
        monkeypatch.setattr(going_over, "SuccessorLook", lambda *_: look)
        monkeypatch.setattr(going_over, "announced_successor", announced)
        asyncio.run(keep_looking(cast("MeterApp", app)))
        return app

    yield started


AWAY = UnavailableError("away")
NOBODY = cast("Found", None)


def test_it_meters_up_to_the_end_and_then_goes_over(run: Any) -> None:
    app = run(Look(Found(None), Found(FOLLOWED, 3), Found(FOLLOWED, 0)), Look(NOBODY))
    assert app.lineage.ends == {0: 7}
    assert app.began_anew and app.sleeps == 3 and not app.failed


def test_with_something_left_it_does_not_go(run: Any) -> None:
    app = run(Look(Found(FOLLOWED, 1)), Look(NOBODY))
    assert app.lineage.ends == {0: 7} and not app.began_anew


def test_kafka_that_does_not_tell_keeps_nobody_from_going_over(run: Any) -> None:
    app = run(Look(Found(None), Found(FOLLOWED, 0)), Look(AWAY))
    assert app.began_anew and not app.failed


def test_a_database_that_is_away_is_asked_again(run: Any) -> None:
    app = run(Look(AWAY, AWAY, Found(FOLLOWED, 0)), Look(NOBODY))
    assert app.began_anew and app.sleeps == 3


def test_a_database_that_is_being_restored_stops_nobody(run: Any) -> None:
    gone = ConfigurationError("no such database")
    app = run(Look(gone, gone, Found(FOLLOWED, 0)), Look(NOBODY))
    assert app.began_anew and not app.failed


def test_a_database_that_never_learns_of_it_is_an_older_one(run: Any) -> None:
    app = run(Look(Found(None)), Look(cast("Found", FOLLOWED)))
    [error] = app.failed
    assert isinstance(error, SuccessionUnknownError) and "wattoken migrate" in str(error)


def test_one_that_learns_of_it_in_time_is_none(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_over, "UNKNOWN_SECONDS", 1_000.0)
    app = run(Look(Found(None), Found(None), Found(FOLLOWED, 0)), Look(cast("Found", FOLLOWED)))
    assert app.began_anew and not app.failed

"""Waiting says what for, ends when it is there, and gives up only when nothing moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.operate.succession.patience import LOOK_SECONDS, NothingMovesError, Patience
from services.platform.errors import ConfigurationError, UnavailableError


class Bench:
    """A clock that only sleeping moves on."""

    def __init__(self, seconds: float) -> None:
        self.now = 100.0
        self.said: list[str] = []
        self.patience = Patience(seconds, self.said.append, self.sleep, lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def looks(*answers: str | None | Exception) -> Iterator[str | None | Exception]:
    """What is seen, look by look; the last forever."""
    yield from answers
    while True:
        yield answers[-1]


def wait(bench: Bench, seen: Iterator[str | None | Exception]) -> None:
    def look() -> str | None:
        answer = next(seen)
        if isinstance(answer, Exception):
            raise answer
        return answer

    bench.patience.wait(look, "do this")


def test_what_is_there_is_not_waited_for() -> None:
    bench = Bench(1)
    wait(bench, looks(None))
    assert bench.now == 100.0 and bench.said == []


def test_it_gives_up_when_nothing_moves() -> None:
    bench = Bench(10)
    with pytest.raises(NothingMovesError, match="5 of it, and nothing moved for 10 s: do this"):
        wait(bench, looks("5 of it"))
    assert bench.now == 110.0 + LOOK_SECONDS


def test_what_moves_is_waited_for_as_long_as_it_takes() -> None:
    bench = Bench(2 * LOOK_SECONDS)
    wait(bench, looks(*(f"{left} of it" for left in range(100, 0, -1)), None))
    assert bench.now == 100.0 + 100 * LOOK_SECONDS


def test_it_says_what_for_but_not_at_each_look() -> None:
    bench = Bench(1_000)
    wait(bench, looks(*(f"{left} of it" for left in range(100, 0, -1)), None))
    assert bench.said[0] == "waiting: 100 of it"
    assert 1 < len(bench.said) <= 100 * LOOK_SECONDS / 5 + 1


def test_those_who_do_not_answer_are_waited_for() -> None:
    bench = Bench(10)
    wait(bench, looks(UnavailableError("Kafka is away"), UnavailableError("Kafka is away"), None))
    assert bench.said == ["waiting: Kafka is away"]


def test_what_a_person_must_mend_is_not_waited_for() -> None:
    bench = Bench(10)
    with pytest.raises(ConfigurationError, match="no right"):
        wait(bench, looks(ConfigurationError("no right")))
    assert bench.now == 100.0

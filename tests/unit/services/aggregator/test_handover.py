"""States handed over between threads: whoever comes last closes what nobody wants."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from services.aggregator.handover import Handover


class Recovered:
    """States that a recovery built, and which of them were closed."""

    def __init__(self) -> None:
        self.closed: list[int] = []
        self.states: dict[int, Any] = {number: self._state(number) for number in (0, 1)}

    def _state(self, number: int) -> Any:
        return SimpleNamespace(seen=SimpleNamespace(close=lambda: self.closed.append(number)))

    def build(self) -> dict[int, Any]:
        return self.states


def test_states_that_are_wanted_stay_open() -> None:
    recovered = Recovered()
    assert Handover().offer(recovered.build) == recovered.states
    assert recovered.closed == []


def test_states_refused_while_they_are_built_are_closed_by_the_thread() -> None:
    recovered, handover = Recovered(), Handover()

    def build_for_long() -> dict[int, Any]:
        handover.refuse()
        return recovered.build()

    assert handover.offer(build_for_long) == {}
    assert recovered.closed == [0, 1]


def test_states_refused_when_they_are_ready_are_closed_once() -> None:
    recovered, handover = Recovered(), Handover()
    handover.offer(recovered.build)
    handover.refuse()
    handover.refuse()
    assert recovered.closed == [0, 1]

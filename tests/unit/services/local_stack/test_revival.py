"""Dead children live again, but not forever."""

from __future__ import annotations

import pytest

from services.local_stack.errors import ChildFailed
from services.local_stack.processes import Child
from services.local_stack.revival import RESTARTS_MAX, WINDOW_SECONDS, Revival

from .conftest import MakePlan

SLEEP = "import time; time.sleep(600)"


def test_a_killed_child_is_started_again_and_that_is_said(make_plan: MakePlan) -> None:
    said: list[str] = []
    child = Child(make_plan(SLEEP))
    child.start()
    child.kill()
    Revival(said.append).revive([child], now_seconds=0)
    assert child.alive
    assert said == ["child: ended with SIGKILL, starting it again"]
    child.stop()


def test_a_child_that_keeps_dying_is_given_up_with_its_log(make_plan: MakePlan) -> None:
    revival = Revival(lambda line: None)
    child = Child(make_plan("raise SystemExit('bad setting')", ready=lambda: False))
    child.start()
    child.wait(5)
    for second in range(RESTARTS_MAX):
        revival.revive([child], now_seconds=second)
    with pytest.raises(ChildFailed, match="(?s)died 5 times in a minute.*bad setting"):
        revival.revive([child], now_seconds=RESTARTS_MAX)


def test_deaths_of_long_ago_are_forgiven(make_plan: MakePlan) -> None:
    revival = Revival(lambda line: None)
    child = Child(make_plan(SLEEP))
    for restart in range(RESTARTS_MAX + 2):
        revival.revive([child], now_seconds=restart * WINDOW_SECONDS)
        assert child.alive
        child.stop()

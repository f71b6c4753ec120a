"""Processes under fault: held down by counting, and started again when they ended by themselves."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.local_stack.processes import ChildPlan
from services.local_stack.supervisor import Supervisor
from tests.chaos.actors import Actor, Keeper, UnexpectedExit
from tests.waiting import eventually


@pytest.fixture
def actor(tmp_path: Path) -> Iterator[Actor]:
    script = "import time; print('at work', flush=True); time.sleep(60)"
    plan = ChildPlan(
        name="worker",
        command=[sys.executable, "-c", script],
        log_path=tmp_path / "log",
        ready=lambda: True,
        ready_timeout_seconds=10,
        directory=tmp_path,
    )
    with Supervisor() as supervisor:
        made = Actor(supervisor.start(plan))
        eventually("started", lambda: made.last_line() == "at work", 10)
        yield made


def test_it_is_up_only_when_nobody_holds_it_down(actor: Actor) -> None:
    first = actor.child.pid
    actor.down(signal.SIGKILL)
    actor.hold()
    actor.up()
    assert not actor.child.alive
    actor.up()
    assert actor.child.alive and actor.child.pid != first


def test_the_keeper_starts_again_what_ended_by_itself_and_nothing_else(actor: Actor) -> None:
    told: list[UnexpectedExit] = []
    keeper = Keeper(lambda: [actor], told.append)
    keeper.start()
    try:
        actor.down(signal.SIGKILL)
        actor.up()
        assert told == []
        first = actor.child.pid
        actor.child.kill(signal.SIGKILL)
        eventually("started again", lambda: actor.child.pid != first and actor.child.alive, 20)
    finally:
        keeper.stop()
    assert told == [UnexpectedExit("worker", "SIGKILL", "at work")]


def test_an_orderly_end_is_waited_for(actor: Actor) -> None:
    actor.down(signal.SIGTERM)
    assert actor.wait_down(10)

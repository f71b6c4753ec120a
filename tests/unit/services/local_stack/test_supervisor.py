"""No child outlives its supervisor, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.local_stack.errors import ChildFailed, StackError
from services.local_stack.supervisor import Supervisor
from tests.living import left_after, lives

from .conftest import MakePlan

SLEEP = "import time; time.sleep(600)"

#: A supervisor with a child, a child deaf to SIGTERM, and what that one forked; it says their pids.
SUPERVISOR = """
import json, os, sys, time
from pathlib import Path
from services.local_stack.processes import ChildPlan
from services.local_stack.supervisor import Supervisor

folder = Path(sys.argv[1])
DEAF = (
    "import os, signal, time; from pathlib import Path;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); pid = os.fork();"
    "pid and Path('fork.new').write_text(str(pid)); pid and os.rename('fork.new', 'fork');"
    "time.sleep(600)"
)

def plan(name, script, ready):
    command = [sys.executable, "-I", "-S", "-c", script]
    return ChildPlan(name, command, folder / name, ready, 10, folder, stop_grace_seconds=0.5)

with Supervisor() as supervisor:
    plain = supervisor.start(plan("plain", "import time; time.sleep(600)", lambda: True))
    deaf = supervisor.start(plan("deaf", DEAF, (folder / "fork").exists))
    watchman = supervisor._watchman.pid
    pids = {"plain": plain.pid, "deaf": deaf.pid, "fork": int((folder / "fork").read_text())}
    print(json.dumps({**pids, "watchman": watchman}), flush=True)
    time.sleep(600)
"""


@contextmanager
def running_supervisor(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = json.loads(process.stdout.readline())
        try:
            yield process, pids
        finally:
            process.kill()
            for pid in filter(lives, pids.values()):
                os.kill(pid, signal.SIGKILL)


def test_kill_9_of_the_supervisor_ends_every_child_and_their_forks(tmp_path: Path) -> None:
    with running_supervisor(tmp_path) as (process, pids):
        assert all(lives(pid) for pid in pids.values())
        process.kill()
        process.wait()
        assert left_after(pids.values(), 5) == []


def test_an_exception_in_the_supervisor_ends_every_child_and_their_forks(tmp_path: Path) -> None:
    with running_supervisor(tmp_path) as (process, pids):
        process.send_signal(signal.SIGINT)
        assert left_after(pids.values(), 15) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_the_kernel_ends_the_children_even_without_the_watchman(tmp_path: Path) -> None:
    with running_supervisor(tmp_path) as (process, pids):
        os.kill(pids["watchman"], signal.SIGKILL)
        process.kill()
        process.wait()
        assert left_after([pids["plain"], pids["deaf"]], 5) == []


def test_leaving_the_block_stops_the_last_started_first(make_plan: MakePlan) -> None:
    order = "import sys, time; sys.stdin.read(); print(time.monotonic_ns())"
    with Supervisor() as supervisor:
        first, second = (
            supervisor.start(make_plan(order, name=name, ends_with_stdin=True))
            for name in ("first", "second")
        )
    assert int(second.log_tail()) < int(first.log_tail())


def test_a_child_that_does_not_start_takes_the_others_with_it(make_plan: MakePlan) -> None:
    with pytest.raises(ChildFailed, match="second ended"), Supervisor() as supervisor:
        first = supervisor.start(make_plan(SLEEP, name="first"))
        supervisor.start(make_plan("raise SystemExit(1)", name="second", ready=lambda: False))
    assert not first.alive


def test_dead_children_are_told_and_live_again_after_restart(make_plan: MakePlan) -> None:
    with Supervisor() as supervisor:
        child = supervisor.start(make_plan(SLEEP))
        assert supervisor.dead() == []
        child.kill()
        assert supervisor.dead() == [child]
        child.restart()
        assert supervisor.dead() == []


def test_two_children_cannot_share_a_name(make_plan: MakePlan) -> None:
    with Supervisor() as supervisor:
        supervisor.start(make_plan(SLEEP))
        with pytest.raises(StackError, match="already a child named child"):
            supervisor.start(make_plan(SLEEP))


def test_outside_its_block_a_supervisor_starts_nothing(make_plan: MakePlan) -> None:
    with pytest.raises(StackError, match="outside its `with` block"):
        Supervisor().start(make_plan(SLEEP))

"""A child process is started, known to be ready, signalled, restarted and stopped."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from services.local_stack.errors import ChildFailed
from services.local_stack.processes import Child
from tests.living import left_after, lives

from .conftest import MakePlan

SLEEP = "import time; time.sleep(600)"
FLUSHES_AT_SIGTERM = """
import signal, time
def end(*_):
    print("flushed", flush=True)
    raise SystemExit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""


def test_a_child_that_ends_before_it_is_ready_shows_the_tail_of_its_log(
    make_plan: MakePlan,
) -> None:
    script = "for n in range(40): print('line', n, flush=True)\nraise SystemExit('no such disk')"
    child = Child(make_plan(script, name="broker", ready=lambda: False))
    child.start()
    with pytest.raises(ChildFailed) as failed:
        child.wait_ready()
    text = str(failed.value)
    assert "broker ended with exit code 1 before it was ready" in text
    assert str(child.plan.log_path) in text
    assert text.endswith("no such disk")
    assert "line 39" in text
    assert "line 3\n" not in text


def test_a_child_may_keep_what_python_compiled_for_it(
    make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each start of a service compiles a thousand modules: twice the CPU."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("ANOTHER", "kept")
    script = (
        "import os, sys; raise SystemExit(f'{sys.dont_write_bytecode} {os.environ[\"ANOTHER\"]}')"
    )
    child = Child(make_plan(script, ready=lambda: False))
    child.start()
    with pytest.raises(ChildFailed, match="False kept"):
        child.wait_ready()


def test_a_child_that_is_not_ready_in_time_is_stopped(make_plan: MakePlan) -> None:
    child = Child(make_plan(SLEEP, ready=lambda: False, ready_timeout_seconds=0.3))
    child.start()
    pid = child.pid
    with pytest.raises(ChildFailed, match="was not ready after 0.3 s"):
        child.wait_ready()
    assert not lives(pid)


def test_a_stranger_that_answers_on_the_port_does_not_make_a_dead_child_ready(
    make_plan: MakePlan,
) -> None:
    def slow_yes() -> bool:
        time.sleep(1)
        return True

    child = Child(make_plan("raise SystemExit(3)", ready=slow_yes))
    child.start()
    with pytest.raises(ChildFailed, match="exit code 3"):
        child.wait_ready()


def test_a_program_that_is_not_there_is_named(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(SLEEP, ready=lambda: False)
    object.__setattr__(plan, "command", ["/no/such/program"])
    child = Child(plan)
    child.start()
    with pytest.raises(ChildFailed, match="cannot run /no/such/program: No such file"):
        child.wait_ready()


def test_restart_after_kill_9_is_another_process_with_the_same_plan(make_plan: MakePlan) -> None:
    child = Child(make_plan(SLEEP))
    child.start()
    first = child.pid
    child.kill(signal.SIGKILL)
    assert (child.alive, child.exit_code, child.ending) == (False, -9, "SIGKILL")
    child.restart()
    assert child.alive
    assert child.pid != first
    child.stop()


def test_stop_is_gentle_first(make_plan: MakePlan) -> None:
    child = Child(make_plan(FLUSHES_AT_SIGTERM))
    child.start()
    wait_for_log(child, "up")
    child.stop()
    assert child.exit_code == 0
    assert child.log_tail() == "up\nflushed"


def test_stop_kills_what_does_not_listen(make_plan: MakePlan) -> None:
    script = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\ntime.sleep(600)"
    )
    child = Child(make_plan(script, stop_grace_seconds=0.2))
    child.start()
    wait_for_log(child, "up")
    child.stop()
    assert child.exit_code == -signal.SIGKILL


def test_stop_lets_a_child_held_by_sigstop_end_in_order(make_plan: MakePlan) -> None:
    child = Child(make_plan(FLUSHES_AT_SIGTERM, stop_grace_seconds=2))
    child.start()
    wait_for_log(child, "up")
    child.kill(signal.SIGSTOP)
    child.stop()
    assert child.log_tail() == "up\nflushed"


def test_a_child_that_lives_by_its_input_is_stopped_by_its_end(make_plan: MakePlan) -> None:
    script = "import sys\nfor _ in sys.stdin: pass\nprint('input ended')"
    child = Child(make_plan(script, ends_with_stdin=True))
    child.start()
    child.stop()
    assert (child.exit_code, child.log_tail()) == (0, "input ended")


def test_what_the_child_forked_ends_with_it(make_plan: MakePlan) -> None:
    script = "import os, time\npid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(600)"
    child = Child(make_plan(script))
    child.start()
    wait_for_log(child, "\\d+")
    grandchild = int(child.log_tail())
    # Only the child itself, as a crash would: its fork lives on in the group.
    os.kill(child.pid, signal.SIGKILL)
    while child.alive:
        time.sleep(0.01)
    assert left_after([grandchild], 5) == []


def test_a_child_outlives_the_thread_that_started_it(make_plan: MakePlan) -> None:
    child = Child(make_plan("import time; print('up', flush=True); time.sleep(600)"))

    def start() -> None:
        child.start()
        wait_for_log(child, "up")  # by then the kernel's death signal is set

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert child.alive
    child.stop()


def wait_for_log(child: Child, pattern: str) -> None:
    deadline = time.monotonic() + 5
    while not re.search(pattern, child.log_tail()):
        assert time.monotonic() < deadline
        time.sleep(0.01)

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bench.processor_time import LOOK_SECONDS, Look, ProcessorWatch, summary, told

BUSY_SECONDS = 4 * LOOK_SECONDS
BUSY = f"import time; end = time.time() + {BUSY_SECONDS}\nwhile time.time() < end: pass"


def test_shares_are_of_processors_and_of_the_time_between() -> None:
    looks = [
        Look(10.0, {"worker": 1.0}, 100.0),
        Look(12.0, {"worker": 3.0, "broker": 0.5}, 101.0),
        Look(14.0, {"worker": 3.0, "broker": 1.0}, 105.0),
    ]
    found = summary(looks)
    assert (found.seconds, found.idle) == (4.0, 1.25)
    assert found.by_program == {"worker": 0.5, "broker": 0.25}
    assert found.over_time == [
        {"until": 2.0, "worker": 1.0, "broker": 0.25, "idle": 0.5},
        {"until": 4.0, "broker": 0.25, "idle": 2.0},
    ]
    assert told(found) == "worker 0.50, broker 0.25, idle 1.25"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")
def test_a_child_that_works_is_seen_and_one_that_sleeps_is_not() -> None:
    started = time.time()
    with ProcessorWatch() as watch:
        sleeper = subprocess.Popen(["sleep", "60"])
        worker = subprocess.Popen([sys.executable, "-c", BUSY])
        worker.wait()
        time.sleep(2 * LOOK_SECONDS)
        sleeper.kill()
        sleeper.wait()
        found = watch.between(started, time.time())
    python = next(busy for name, busy in found.by_program.items() if "python" in name)
    assert python > 0.1
    assert "sleep" not in found.by_program
    assert len(found.over_time) >= 3


@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")
def test_nothing_is_said_of_a_time_without_two_looks() -> None:
    with ProcessorWatch() as watch:
        assert watch.between(0.0, 1.0).by_program == {}

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.java_peers import JAVA_PEERS, PACKAGE
from bench.processor_time import LOOK_SECONDS, Look, ProcessorWatch, called, summary, told

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


def test_memory_is_the_most_that_was_seen_of_each_program() -> None:
    looks = [
        Look(10.0, {}, 0.0, {"worker": 120.0}),
        Look(11.0, {}, 0.0, {"worker": 300.44, "flink_sql": 10.0}),
        Look(12.0, {}, 0.0, {"worker": 200.0}),
    ]
    found = summary(looks)
    assert found.memory_peak_mb == {"worker": 300.44, "flink_sql": 10.0}
    assert found.rounded().memory_peak_mb == {"worker": 300.4, "flink_sql": 10.0}


def test_programs_have_the_names_of_the_results() -> None:
    assert called("kafka.Kafka") == "broker"
    assert called("bench.peers.quix_streams") == "quix_streams"
    assert called("sleep") == "sleep"
    for peer in JAVA_PEERS.values():
        assert called(f"{PACKAGE}.{peer.main}") == peer.name


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
    assert found.memory_peak_mb["sleep"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")
def test_a_child_that_has_ended_keeps_its_name() -> None:
    started = time.time()
    with ProcessorWatch() as watch:
        worker = subprocess.Popen([sys.executable, "-c", BUSY])
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        time.sleep(3 * LOOK_SECONDS)
        found = watch.between(started, time.time())
        worker.wait()
    assert any("python" in name for name in found.by_program)
    assert "" not in found.by_program


@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")
def test_nothing_is_said_of_a_time_without_two_looks() -> None:
    with ProcessorWatch() as watch:
        assert watch.between(0.0, 1.0).by_program == {}

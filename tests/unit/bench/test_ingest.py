"""The empty handler serves, and CPU time is the server's."""

from __future__ import annotations

import os
import time

import pytest

from bench.errors import BenchError
from bench.http_load import HttpLoad
from bench.ingest import cpu_seconds, empty_handler, run_load


def test_the_empty_handler_takes_what_ingest_takes() -> None:
    with empty_handler() as (pid, port):
        before = cpu_seconds(pid)
        result = run_load(HttpLoad(port, "none", "/", 1, 4, 0.5))
        assert (result.refused, result.requests > 0) == (0, True)
        assert 0 <= cpu_seconds(pid) - before < 10
        assert os.sched_getaffinity(pid) == {0}
    with pytest.raises(BenchError, match="Refused"):
        run_load(HttpLoad(port, "none", "/", 1, 1, 0.1))


def test_cpu_time_is_what_was_spent() -> None:
    before, started = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < started + 0.2:
        pass
    assert cpu_seconds(os.getpid()) - before == pytest.approx(0.2, abs=0.1)

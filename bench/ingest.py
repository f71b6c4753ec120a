"""Ingest as shipped, `wattoken ingest`, on one core, with Kafka's acknowledgement in every answer.

Beside it, in the same run, the framework's empty handler: the same server, the same client.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.http_load import HttpLoad, HttpResult
from bench.machine import ROOT
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import give_back, pick_port
from services.local_stack.readiness import port_listens

BATCH_EVENTS = 500
BATCH_CONNECTIONS = 4
SINGLE_CONNECTIONS = 64
WARM_UP_SECONDS = 2.0
START_SECONDS = 20.0
#: The core that ingest gets; the client and the broker have the others, if there are any.
CORE = 0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class IngestRun:
    """What one run found. Per CPU second is steadier than per second on a shared machine."""

    batch_events_per_second: float
    batch_events_per_cpu_second: float
    single_requests_per_second: float
    single_requests_per_cpu_second: float
    #: At half of the single requests/s found.
    single_p50_ms: float
    single_p99_ms: float
    empty_handler_requests_per_second: float
    empty_handler_requests_per_cpu_second: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load's result and the CPU seconds that the server spent on it."""

    result: HttpResult
    cpu_seconds: float

    @property
    def requests_per_second(self) -> float:
        """Requests answered a second."""
        return self.result.requests / self.result.seconds

    @property
    def requests_per_cpu_second(self) -> float:
        """Requests answered in a second of the server's CPU time."""
        return self.result.requests / self.cpu_seconds


def measure(infrastructure: Infrastructure, seconds: float, name: str) -> IngestRun:
    """Measure ingest and the empty handler; raises `BenchError` when a request is refused."""
    # What is measured is the process, not the rate that a key has unless it is given another.
    unlimited = {
        "WATTOKEN_INGEST_KEY_EVENTS_PER_SECOND": "0",
        "WATTOKEN_INGEST_KEY_BYTES_PER_SECOND": "0",
    }
    with Pipeline(
        infrastructure, name, partitions=4, services=("ingest",), env=unlimited
    ) as pipeline:
        pid, port = pipeline.ingest.pid, pipeline.ports["ingest"]
        key = pipeline.credentials[0].key
        pin(pid)
        path = "/v1/events"
        batches = HttpLoad(port, key, path, BATCH_EVENTS, BATCH_CONNECTIONS, seconds)
        singles = HttpLoad(port, key, path, 1, SINGLE_CONNECTIONS, seconds)
        batch = loaded(batches, pid)
        single = loaded(singles, pid)
        half = single.requests_per_second / 2
        calm = loaded(HttpLoad(port, key, path, 1, SINGLE_CONNECTIONS, seconds, half), pid)
    with empty_handler() as (pid, port):
        empty = loaded(HttpLoad(port, "none", "/", 1, SINGLE_CONNECTIONS, seconds), pid)
    return IngestRun(
        batch.requests_per_second * BATCH_EVENTS,
        batch.requests_per_cpu_second * BATCH_EVENTS,
        single.requests_per_second,
        single.requests_per_cpu_second,
        calm.result.p50_ms,
        calm.result.p99_ms,
        empty.requests_per_second,
        empty.requests_per_cpu_second,
    )


def loaded(load: HttpLoad, pid: int) -> Loaded:
    """Put a load on a server, after a short one to warm up."""
    run_load(HttpLoad(**asdict(load) | {"seconds": WARM_UP_SECONDS}))
    before = cpu_seconds(pid)
    result = run_load(load)
    spent = cpu_seconds(pid) - before
    if result.refused or not result.requests:
        raise BenchError(f"{result.refused} of {result.requests} requests were refused")
    return Loaded(result, spent)


def run_load(load: HttpLoad) -> HttpResult:
    """Run the load's own process and read what it found."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.http_load"],
        cwd=ROOT,
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        timeout=load.seconds + 60,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the load ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return HttpResult(**json.loads(done.stdout))


@contextmanager
def empty_handler() -> Iterator[tuple[int, int]]:
    """Serve the empty handler; yields (pid, port)."""
    port = pick_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.empty_handler", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not port_listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("the empty handler did not start")
            time.sleep(0.05)
        pin(process.pid)
        yield process.pid, port
    finally:
        process.kill()
        process.wait()
        give_back(port)


def pin(pid: int) -> None:
    """Give every thread of a process the one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {CORE})


def cpu_seconds(pid: int) -> float:
    """CPU time, of user and system, that a process has spent so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

"""What a peer is told and how it reports; standard library only, as peers have environments."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

from bench.peers.grain import summed

#: The line of a peer's output that holds its report starts with this.
REPORT_MARK = "REPORT "


@dataclass(frozen=True, slots=True)
class Task:
    """A topic to read from its start to its end."""

    bootstrap_servers: str
    topic: str
    partitions: int
    #: The topic holds exactly this many.
    events: int
    #: A consumer group, or prefix of names, that nobody had before.
    group: str
    clickhouse_port: int
    #: An empty folder.
    work_dir: str
    #: What is to be summed, one of `bench.peers.grain.GRAINS`.
    grain: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a peer found, when its first message came (Unix time), and the seconds to its last.

    ``groups`` and ``fingerprint`` are its `bench.peers.grain.Sums`, taken from where it keeps them.
    """

    events: int
    started_at: float
    seconds: float
    input_tokens: int
    output_tokens: int
    groups: int
    fingerprint: int
    versions: dict[str, str]
    #: Where start-up inside the run weighs (a JIT that warms up): seconds of its second half.
    second_half_seconds: float | None = None


def task_env(task: Task) -> dict[str, str]:
    """The task as environment variables, which programs in any language can read."""
    return {f"BENCH_{name.upper()}": str(value) for name, value in asdict(task).items()}


def read_task() -> Task:
    """Read the task from the environment."""
    get = os.environ.__getitem__
    return Task(
        get("BENCH_BOOTSTRAP_SERVERS"),
        get("BENCH_TOPIC"),
        int(get("BENCH_PARTITIONS")),
        int(get("BENCH_EVENTS")),
        get("BENCH_GROUP"),
        int(get("BENCH_CLICKHOUSE_PORT")),
        get("BENCH_WORK_DIR"),
        get("BENCH_GRAIN"),
    )


class Clock:
    """Runs from the first message in hand to the last one summed."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self.seconds = 0.0
        self._started = time.monotonic()

    def stop(self) -> None:
        """The last message is summed."""
        self.seconds = time.monotonic() - self._started


def reported(
    clock: Clock, events: int, groups: Mapping[str, Sequence[int]], packages: dict[str, str]
) -> Report:
    """A report of the sums by key, input and output tokens of each, by a clock that has stopped."""
    sums = summed((key, tokens[0], tokens[1]) for key, tokens in groups.items())
    input_tokens, output_tokens = (sum(column) for column in zip(*groups.values(), strict=True))
    return Report(
        *(events, clock.started_at, clock.seconds, input_tokens, output_tokens),
        *(sums.groups, sums.fingerprint, packages),
    )


def versions(*distributions: str) -> dict[str, str]:
    """Versions of installed Python packages."""
    return {name: version(name) for name in distributions}


def print_report(report: Report) -> None:
    """Print the report as the one line that is looked for."""
    print(REPORT_MARK + json.dumps(asdict(report)), flush=True)


def parse_report(output: str) -> Report | None:
    """Find the report in what a peer printed."""
    for line in reversed(output.splitlines()):
        if line.startswith(REPORT_MARK):
            return Report(**json.loads(line[len(REPORT_MARK) :]))
    return None

"""What a peer is told and how it reports; standard library only, as peers have environments."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version

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


@dataclass(frozen=True, slots=True)
class Report:
    """What a peer found, and the seconds from its first message to its last."""

    events: int
    seconds: float
    input_tokens: int
    output_tokens: int
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

"""The peers: how each is started, given its task, and held to the sums of what was produced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException

from bench.errors import BenchError, VoidRunError
from bench.fill import FilledTopic
from bench.generator import Totals
from bench.java_peers import JAVA_PEERS
from bench.machine import ROOT
from bench.peers.grain import NO_SUMS, Sums
from bench.peers.task import REPORT_MARK, Report, Task, parse_report, task_env
from bench.processor_time import ProcessorTime, ProcessorWatch
from services.local_stack.cache import Report as Say
from services.local_stack.errors import ComponentMissing
from services.local_stack.infrastructure import Infrastructure
from services.platform.kafka import admin_client
from services.platform.settings import KafkaSettings

PEER_TIMEOUT_SECONDS = 600.0
QUIX = ROOT / "bench" / "quix-streams"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to compare with: its command, and the part of the events it gets.

    What takes many times as long gets fewer events, on a topic of its own. ``sums`` is False for
    what only reads.
    """

    name: str
    command: Sequence[str]
    share: float = 1.0
    sums: bool = True


#: In the order of the result file: the name, the part of the events, and whether it sums.
PEERS: Final = (
    ("stock_faust_windowed", 0.01, True),
    ("stock_faust_agent", 0.05, True),
    ("quix_streams", 0.05, True),
    ("clickhouse_kafka_engine", 1.0, True),
    ("kafka_streams", 1.0, True),
    ("flink_sql", 1.0, True),
    ("librdkafka_limit", 1.0, False),
)


def peers(say: Say, wanted: Callable[[str], bool]) -> list[Peer]:
    """The peers that are wanted, by name; builds what they need.

    Raises `ComponentMissing` naming what a peer needs and how to get it.
    """
    built: dict[str, Callable[[], Sequence[str]]] = {
        "quix_streams": quix_command,
        **{name: partial(peer.command, say) for name, peer in JAVA_PEERS.items()},
    }
    return [
        Peer(name, built[name]() if name in built else python_peer(name), share, sums)
        for name, share, sums in PEERS
        if wanted(name)
    ]


def python_peer(name: str, interpreter: str = sys.executable) -> list[str]:
    """A peer that is a module of `bench.peers`."""
    return [interpreter, "-m", f"bench.peers.{name}"]


def quix_command() -> list[str]:
    """Quix Streams runs in an environment of its own, which `make bench` makes."""
    interpreter = QUIX / ".venv" / "bin" / "python"
    if not interpreter.exists():
        raise ComponentMissing(f"quix_streams: {QUIX} has no environment; run `make bench-peers`")
    return python_peer("quix_streams", str(interpreter))


@dataclass(frozen=True, slots=True)
class PeerRun:
    """What a peer reported of a run, and what all programs took meanwhile."""

    report: Report
    processors: ProcessorTime


def run_peer(infrastructure: Infrastructure, peer: Peer, topic: FilledTopic, run: int) -> PeerRun:
    """Run a peer once over the topic, in a process of its own, and check what it found.

    Raises `BenchError` with the end of its output when it fails or takes too long, `VoidRunError`
    when its sums are others than those produced.
    """
    group = f"bench-{peer.name.replace('_', '-')}-{run}-{os.getpid()}"
    with tempfile.TemporaryDirectory(dir=infrastructure.state_dir) as work_dir:
        task = Task(
            infrastructure.bootstrap_servers,
            topic.name,
            topic.partitions,
            topic.totals.events,
            group,
            infrastructure.ports.clickhouse_http,
            work_dir,
            topic.grain.name,
        )
        try:
            with ProcessorWatch() as watch:
                output = _output(peer, task, infrastructure.logs / f"{group}.log")
        finally:
            delete_topics(infrastructure.bootstrap_servers, group)
    report = parse_report(output)
    if report is None:
        raise BenchError(f"{peer.name}: no line {REPORT_MARK!r}; it said:\n{output[-2000:]}")
    check(peer, report, topic.totals, topic.sums)
    ended_at = report.started_at + report.seconds
    return PeerRun(report, watch.between(report.started_at, ended_at))


def _output(peer: Peer, task: Task, log_path: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **task_env(task)}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            peer.command,
            cwd=task.work_dir,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(PEER_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also when we are interrupted: it must not run into the next measurement.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    output = log_path.read_text(encoding="utf-8", errors="replace")
    if code != 0:
        ending = f"not done after {PEER_TIMEOUT_SECONDS:g} s" if code is None else f"exit {code}"
        raise BenchError(f"{peer.name}: {ending}; the end of {log_path}:\n{output[-2000:]}")
    return output


def check(peer: Peer, report: Report, expected: Totals, sums: Sums) -> None:
    """Hold a report against what was produced; raises `VoidRunError`."""
    if not peer.sums:
        expected, sums = Totals(expected.events, 0, 0), NO_SUMS
    found = Totals(report.events, report.input_tokens, report.output_tokens)
    if found != expected:
        raise VoidRunError(f"{peer.name} found {found}, produced were {expected}")
    by_key = Sums(report.groups, report.fingerprint)
    if by_key != sums:
        raise VoidRunError(
            f"{peer.name} has all tokens, but not by their keys: {by_key}, produced were {sums}"
        )


def delete_topics(bootstrap_servers: str, group: str) -> None:
    """Delete the topics that a peer made for itself; all have its group in their names."""
    admin = admin_client(KafkaSettings(kafka_bootstrap_servers=bootstrap_servers))
    made = [name for name in admin.list_topics(timeout=10).topics if group in name]
    if made:
        for future in admin.delete_topics(made).values():
            with suppress(KafkaException):
                future.result()

"""The peers: how each is started, given its task, and held to the totals that were produced.

``python -m bench.peer_runs`` writes the lock of Kafka Streams' jars again, with Maven.
"""

from __future__ import annotations

import hashlib
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
from bench.machine import ROOT
from bench.peers.task import REPORT_MARK, Report, Task, parse_report, task_env
from services.local_stack.cache import Report as Say
from services.local_stack.cache import cached, run_fetcher
from services.local_stack.errors import ComponentMissing
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.jar_lock import check_jars
from services.platform.kafka import admin_client
from services.platform.settings import KafkaSettings
from tools.supply_chain.lock_jars import lock_jars

PEER_TIMEOUT_SECONDS = 600.0
QUIX = ROOT / "bench" / "quix-streams"
STREAMS = ROOT / "bench" / "kafka-streams"
#: The jars that its pom.xml resolves to, with their checksums.
STREAMS_LOCK = STREAMS / "jars.lock"
STREAMS_OURS = "bench-kafka-streams-1.jar"
STREAMS_MAIN = "dev.wattoken.bench.WindowedSum"
STREAMS_OPTIONS = (
    *("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
)


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
    ("librdkafka_limit", 1.0, False),
)


def peers(say: Say, wanted: Callable[[str], bool]) -> list[Peer]:
    """The peers that are wanted, by name; builds what they need.

    Raises `ComponentMissing` naming what a peer needs and how to get it.
    """
    built: dict[str, Callable[[], Sequence[str]]] = {
        "quix_streams": quix_command,
        "kafka_streams": partial(streams_command, say),
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


def streams_command(say: Say) -> list[str]:
    """Kafka Streams is built with Maven on first use, and again when its sources change."""
    sources = [STREAMS / "pom.xml", STREAMS_LOCK, *sorted(STREAMS.rglob("*.java"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]

    def build(folder: Path) -> None:
        maven = ("mvn", "--batch-mode", "--quiet", "--strict-checksums")
        pom = ("--file", str(STREAMS / "pom.xml"))
        run_fetcher(
            "the Kafka Streams peer",
            [*maven, *pom, "package", f"-Dbench.build={folder}"],
            folder,
            say,
            "install Maven and a JDK >= 17, or leave it out with --only",
        )
        check_jars(folder / "jars", STREAMS_LOCK, ours=STREAMS_OURS)

    folder = cached(f"bench-kafka-streams-{digest}", build)
    return ["java", *STREAMS_OPTIONS, "-cp", f"{folder}/jars/*", STREAMS_MAIN]


def run_peer(infrastructure: Infrastructure, peer: Peer, topic: FilledTopic, run: int) -> Report:
    """Run a peer once over the topic, in a process of its own, and check what it found.

    Raises `BenchError` with the end of its output when it fails or takes too long, `VoidRunError`
    when its totals are others than those produced.
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
        )
        try:
            output = _output(peer, task, infrastructure.logs / f"{group}.log")
        finally:
            delete_topics(infrastructure.bootstrap_servers, group)
    report = parse_report(output)
    if report is None:
        raise BenchError(f"{peer.name}: no line {REPORT_MARK!r}; it said:\n{output[-2000:]}")
    check(peer, report, topic.totals)
    return report


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


def check(peer: Peer, report: Report, expected: Totals) -> None:
    """Hold a report against what was produced; raises `VoidRunError`."""
    found = Totals(report.events, report.input_tokens, report.output_tokens)
    if not peer.sums:
        expected = Totals(expected.events, 0, 0)
    if found != expected:
        raise VoidRunError(f"{peer.name} found {found}, produced were {expected}")


def delete_topics(bootstrap_servers: str, group: str) -> None:
    """Delete the topics that a peer made for itself; all have its group in their names."""
    admin = admin_client(KafkaSettings(kafka_bootstrap_servers=bootstrap_servers))
    made = [name for name in admin.list_topics(timeout=10).topics if group in name]
    if made:
        for future in admin.delete_topics(made).values():
            with suppress(KafkaException):
                future.result()


if __name__ == "__main__":
    lock_jars(STREAMS / "pom.xml", STREAMS_LOCK)

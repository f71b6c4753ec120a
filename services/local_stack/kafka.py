"""Apache Kafka as a process: a broker that is a KRaft controller too, from Maven Central."""

from __future__ import annotations

import hashlib
import re
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.local_stack.cache import Report, cached
from services.local_stack.errors import ChildFailed
from services.local_stack.java import find_java
from services.local_stack.maven import fetch_jars
from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import broker_answers

BROKER = Path(__file__).with_name("broker")
POM = BROKER / "pom.xml"
#: What the pom resolves to, with checksums; `make locks` writes it.
JARS = BROKER / "jars.lock"
LOG_CONFIG = BROKER / "log4j2.xml"

LOG_OPTION = f"-Dlog4j2.configurationFile={LOG_CONFIG}"
#: A heap this small serves tests and demos; the log itself lives in the page cache.
BROKER_OPTIONS = ("-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", LOG_OPTION)
#: For a run of a second.
TOOL_OPTIONS = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", LOG_OPTION)


def kafka_version() -> str:
    """The version that the committed ``pom.xml`` names."""
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)<", POM.read_text())
    assert found is not None
    return found[1]


def kafka_jars(report: Report) -> Path:
    """Folder with the broker's jars; they, and the Java they run on, are fetched on first use.

    Raises `ComponentMissing`.
    """
    find_java(report)

    def fetch(folder: Path) -> None:
        fetch_jars(f"Apache Kafka {kafka_version()}", POM, JARS, folder, report)

    # Named after the lock's text too: another binding or version is another folder.
    digest = hashlib.sha256(JARS.read_bytes()).hexdigest()[:8]
    return cached(f"kafka-{kafka_version()}-{digest}", fetch)


def java_command() -> str:
    """The Java that `kafka_jars` found or fetched."""
    return str(find_java(lambda line: None))


@dataclass(frozen=True, slots=True)
class Node:
    """A broker that is a controller too: its number, and where it listens on loopback."""

    number: int
    port: int
    controller_port: int


def server_properties(data: Path, port: int, controller_port: int) -> str:
    """Configuration of a broker alone."""
    node = Node(1, port, controller_port)
    # After a kill -9 it waits for its former self's session to end, by default 9 s.
    return node_properties(data, node, [node], session_ms=2000)


def node_properties(data: Path, node: Node, nodes: Sequence[Node], *, session_ms: int) -> str:
    """Configuration of one of ``nodes``; each line that is not plumbing says why.

    A broker that was silent for ``session_ms`` loses what it leads to the others.
    """
    voters = ",".join(f"{each.number}@{LOOPBACK}:{each.controller_port}" for each in nodes)
    replicas = min(3, len(nodes))
    in_sync = max(1, replicas - 1)
    return f"""\
process.roles=broker,controller
node.id={node.number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{LOOPBACK}:{node.port},CONTROLLER://{LOOPBACK}:{node.controller_port}
advertised.listeners=PLAINTEXT://{LOOPBACK}:{node.port}
log.dirs={data / "log"}
# Topics are made by `wattoken migrate`; a misspelt name must fail.
auto.create.topics.enable=false
# Internal topics have a replica on every broker, and few partitions start faster.
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
# What the group commits survives a broker as records do.
min.insync.replicas={in_sync}
# A lone group member need not wait for others to join.
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=500
# A controller that is slow is as little gone as a broker is.
controller.quorum.fetch.timeout.ms={session_ms}
controller.quorum.request.timeout.ms={session_ms}
initial.broker.registration.timeout.ms={max(60_000, 20 * session_ms)}
# The default, 128 MB, is a sixth of this heap.
log.cleaner.dedupe.buffer.size=16777216
"""


def new_cluster_id() -> str:
    """A random one, as Kafka writes them."""
    return urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def format_storage(jars: Path, data: Path, text: str, cluster_id: str) -> Path:
    """Write the configuration and format the data folder if it is new; return the properties file.

    Raises `ChildFailed` with Kafka's own words when the folder cannot be formatted.
    """
    data.mkdir(parents=True, exist_ok=True)
    properties = data / "server.properties"
    properties.write_text(text)
    if (data / "log" / "meta.properties").exists():
        return properties
    command = [
        *[java_command(), *TOOL_OPTIONS, "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format"],
        # = and not a space: a random id may begin with a dash.
        *[f"--cluster-id={cluster_id}", f"--config={properties}"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChildFailed(f"Kafka cannot format {data}: {(done.stdout + done.stderr).strip()}")
    return properties


def kafka_plan(
    jars: Path, data: Path, port: int, controller_port: int, log_path: Path
) -> ChildPlan:
    """A broker on loopback with its data in ``data``, which is formatted here if it is new."""
    text = server_properties(data, port, controller_port)
    properties = format_storage(jars, data, text, new_cluster_id())
    return broker_plan("kafka", jars, properties, port, log_path)


def broker_plan(name: str, jars: Path, properties: Path, port: int, log_path: Path) -> ChildPlan:
    """A broker whose data folder, that of ``properties``, is formatted."""
    return ChildPlan(
        name=name,
        command=[
            *[java_command(), *BROKER_OPTIONS, "-cp", f"{jars}/*"],
            *["kafka.Kafka", str(properties)],
        ],
        log_path=log_path,
        ready=broker_answers(port),
        ready_timeout_seconds=90,
        directory=properties.parent,
        stop_grace_seconds=20,
    )

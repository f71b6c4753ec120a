"""PURE. Whether the topics lose no acknowledged event, and refuse none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from services.operate.doctor.finding import Finding, error, ok, warning

Role = Literal["events", "successions", "rejected"]
#: The largest event, by the contract of ingest, and what a Kafka batch adds to it at most.
LARGEST_EVENT_BYTES: Final = 1_000_000
BATCH_OVERHEAD_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Replicas:
    """Where one partition is: its leader (None without), its replicas and those in sync."""

    partition: int
    leader: int | None
    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its settings; ``partitions`` is empty where there is no such topic."""

    role: Role
    name: str
    partitions: tuple[Replicas, ...]
    config: Mapping[str, str]
    brokers: int


def judge(topics: tuple[Topic, ...]) -> Iterator[Finding]:
    """Judge each topic; one that is well gives one finding."""
    for topic in topics:
        what = f"topic {topic.name}"
        if not topic.partitions:
            yield error(what, "there is no such topic", "run `wattoken migrate`")
            continue
        found = [*_replicas(topic, what), *_settings(topic, what)]
        yield from found
        if not found:
            count, copies = len(topic.partitions), topic.partitions[0].replicas
            on = "1 replica" if copies == 1 else f"{copies} replicas"
            yield ok(what, f"{count} partitions, {on}, all in sync")


def _replicas(topic: Topic, what: str) -> Iterator[Finding]:
    least = int(topic.config.get("min.insync.replicas", "1"))
    copies = min(one.replicas for one in topic.partitions)
    leaderless = [one.partition for one in topic.partitions if one.leader is None]
    few = [one.partition for one in topic.partitions if one.in_sync < min(least, one.replicas)]
    behind = [one.partition for one in topic.partitions if one.in_sync < one.replicas]
    if leaderless:
        yield error(
            what, f"partitions {_some(leaderless)} have no leader", "bring their brokers back"
        )
    elif few:
        yield error(
            what,
            f"partitions {_some(few)} have fewer than {least} replicas in sync: they take nothing",
            "bring the brokers back that hold the others",
        )
    elif behind:
        yield warning(
            what,
            f"partitions {_some(behind)} have replicas that are not in sync",
            "see to the brokers that hold them; another failure may stop or lose events",
        )
    if copies == 1 and topic.brokers > 1:
        yield warning(
            what,
            f"1 replica on {topic.brokers} brokers: the loss of one disk loses events",
            "kafka-reassign-partitions.sh with 3 replicas, or `wattoken succeed"
            " --replication-factor 3`",
        )
    if least > copies:
        yield error(
            what,
            f"min.insync.replicas is {least} with {copies} replicas: it takes nothing",
            _alter(topic, "min.insync.replicas", str(max(1, copies - 1))),
        )
    elif copies > 1 and least == copies:
        yield warning(
            what,
            f"min.insync.replicas is {least} with {copies} replicas: one broker that is away"
            " stops it",
            _alter(topic, "min.insync.replicas", str(copies - 1)),
        )
    elif copies > 2 and least < 2:
        yield warning(
            what,
            f"min.insync.replicas is {least}: what one broker alone acknowledged is lost with it",
            _alter(topic, "min.insync.replicas", str(copies - 1)),
        )


def _settings(topic: Topic, what: str) -> Iterator[Finding]:
    config = topic.config
    if topic.role != "successions" and config.get("message.timestamp.type") != "LogAppendTime":
        yield error(
            what,
            f"message.timestamp.type is {config.get('message.timestamp.type')}: ages are judged by"
            " clocks of gateways, and retention deletes fresh events that bear old times",
            _alter(topic, "message.timestamp.type", "LogAppendTime"),
        )
    if "compact" in config.get("cleanup.policy", "delete"):
        yield error(
            what,
            f"cleanup.policy is {config['cleanup.policy']}: records are lost before their time",
            _alter(topic, "cleanup.policy", "delete"),
        )
    if config.get("unclean.leader.election.enable") == "true":
        yield warning(
            what,
            "unclean.leader.election.enable is true: acknowledged events may be lost with a leader",
            _alter(topic, "unclean.leader.election.enable", "false"),
        )
    if config.get("compression.type", "producer") != "producer":
        yield warning(
            what,
            f"compression.type is {config['compression.type']}: brokers compress anew what comes,"
            " which costs them a core, and workers time",
            _alter(topic, "compression.type", "producer"),
        )
    if topic.role == "successions" and config.get("retention.ms") != "-1":
        yield error(
            what,
            f"retention.ms is {config.get('retention.ms')}: it forgets which topic followed which",
            _alter(topic, "retention.ms", "-1"),
        )
    largest = int(config.get("max.message.bytes", str(LARGEST_EVENT_BYTES + BATCH_OVERHEAD_BYTES)))
    if topic.role == "events" and largest < LARGEST_EVENT_BYTES + BATCH_OVERHEAD_BYTES:
        yield error(
            what,
            f"max.message.bytes is {largest:,}: events of up to {LARGEST_EVENT_BYTES:,} bytes are"
            " refused, which ingest takes",
            _alter(topic, "max.message.bytes", "1048588"),
        )


def _alter(topic: Topic, name: str, value: str) -> str:
    return f"kafka-configs.sh --alter --topic {topic.name} --add-config {name}={value}"


def _some(partitions: list[int]) -> str:
    shown = ", ".join(map(str, partitions[:5]))
    return shown if len(partitions) <= 5 else f"{shown} and {len(partitions) - 5} more"

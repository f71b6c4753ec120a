"""PURE. What each of ours may do in Kafka: the least that it works with, as ACLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from services.platform.settings import KafkaSettings

Resource = Literal["topic", "group", "transactional-id"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations on one resource, or on all whose names begin so."""

    resource: Resource
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


#: How Kafka's own tool is told of a resource.
OPTIONS: Final[Mapping[Resource, str]] = {
    "topic": "--topic",
    "group": "--group",
    "transactional-id": "--transactional-id",
}


def grants(settings: KafkaSettings, group: str, prefix: str = "") -> dict[str, tuple[Grant, ...]]:
    """The grants of each component, by its name.

    ``group`` is the aggregator's consumer group. With a ``prefix`` all topics whose names begin
    so count as topics of events: then one that is to follow (`wattoken succeed`) has its grants
    before it is made.
    """

    def events(*operations: str) -> Grant:
        return Grant("topic", prefix or settings.kafka_topic, operations, prefixed=bool(prefix))

    def successions(*operations: str) -> Grant:
        return Grant("topic", settings.kafka_successions_topic, operations)

    def rejected(*operations: str) -> Grant:
        return Grant("topic", settings.kafka_rejected_topic, operations)

    # Read, Write and AlterConfigs imply Describe and DescribeConfigs.
    made = ("Create", "Describe", "DescribeConfigs")
    succeed = "wattoken-succeed-"
    return {
        "ingest": (
            events("Write"),
            successions("Read"),
            rejected("Write"),
        ),
        "aggregator": (
            events("Read"),
            successions("Read"),
            # The group of a topic that follows another has a name that begins so.
            Grant("group", group, ("Read",), prefixed=True),
        ),
        "exporter": (events("Describe"),),
        "migrate": (
            events(*made),
            successions("Create", "DescribeConfigs", "Read", "Write"),
            rejected(*made),
        ),
        "succeed": (
            events("Create", "AlterConfigs", "Read", "Write"),
            successions("Create", "DescribeConfigs", "Read", "Write"),
            Grant("group", group, ("Describe",), prefixed=True),
            Grant("group", succeed, ("Read",), prefixed=True),
            Grant("transactional-id", succeed, ("Write",), prefixed=True),
        ),
        "rejected": (rejected("Read"),),
        "doctor": (
            events("Describe", "DescribeConfigs"),
            successions("Describe", "DescribeConfigs", "Read"),
            rejected("Describe", "DescribeConfigs"),
        ),
    }


def acl_command(principal: str, grant: Grant, servers: str) -> str:
    """The command of Kafka's own tool that makes a grant."""
    operations = " ".join(f"--operation {operation}" for operation in grant.operations)
    pattern = " --resource-pattern-type prefixed" if grant.prefixed else ""
    resource = f"{OPTIONS[grant.resource]} {grant.name}{pattern}"
    return (
        f"kafka-acls.sh --bootstrap-server {servers} --command-config admin.properties --add"
        f" --allow-principal {principal} {operations} {resource}"
    )


def acl_commands(
    given: Mapping[str, Iterable[Grant]], principal_prefix: str, servers: str
) -> list[str]:
    """The commands for all components, whose principals are their names after a prefix."""
    return [
        acl_command(f"User:{principal_prefix}{component}", grant, servers)
        for component, wanted in given.items()
        for grant in wanted
    ]

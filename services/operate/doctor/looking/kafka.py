"""What Kafka says of its topics, its clocks and its ACLs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ConfigResource,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)

from services.operate.doctor.judging.acls import Acl, Rules
from services.operate.doctor.judging.clocks import Clock
from services.operate.doctor.judging.topics import Replicas, Role, Topic
from services.operate.doctor.looking.broker_versions import metadata_level
from services.operate.doctor.looking.world import World
from services.platform.errors import ConfigurationError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, client_config
from services.platform.kafka_grants import grants

#: How long an event is waited for that tells a broker's clock.
EVENT_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.2
RESOURCES: Final = {
    ResourceType.TOPIC: "topic",
    ResourceType.GROUP: "group",
    ResourceType.TRANSACTIONAL_ID: "transactional-id",
}
#: Names of operations as Kafka's own tools write them.
OPERATIONS: Final = {
    AclOperation.ALL: "All",
    AclOperation.READ: "Read",
    AclOperation.WRITE: "Write",
    AclOperation.CREATE: "Create",
    AclOperation.DELETE: "Delete",
    AclOperation.ALTER: "Alter",
    AclOperation.DESCRIBE: "Describe",
    AclOperation.DESCRIBE_CONFIGS: "DescribeConfigs",
    AclOperation.ALTER_CONFIGS: "AlterConfigs",
}


def topics(world: World) -> tuple[Topic, ...]:
    """The topics of events, successions and rejections, with their settings."""
    settings = world.settings
    roles: dict[str, Role] = {
        world.topic: "events",
        settings.kafka_successions_topic: "successions",
        settings.kafka_rejected_topic: "rejected",
    }
    described = world.admin.describe_topics(
        TopicCollection([*roles]), request_timeout=ADMIN_TIMEOUT_SECONDS
    )
    brokers = len(_cluster(world).nodes)
    return tuple(
        Topic(
            *(role, name, _replicas(world, described[name])),
            *(topic_config(world, name) or {}, brokers),
        )
        for name, role in roles.items()
    )


def topic_config(world: World, name: str) -> dict[str, str] | None:
    """The settings of a topic, its cluster's included; None where there is no such topic."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    pending = world.admin.describe_configs([resource], request_timeout=ADMIN_TIMEOUT_SECONDS)
    try:
        found = pending[resource].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise world.admin.unanswered(error) from None
    return {key: str(entry.value) for key, entry in found.items() if entry.value is not None}


def _replicas(world: World, pending: Any) -> tuple[Replicas, ...]:
    try:
        described = pending.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return ()
        raise world.admin.unanswered(error) from None
    return tuple(
        Replicas(
            partition=one.id,
            leader=None if one.leader is None or one.leader.id < 0 else one.leader.id,
            replicas=len(one.replicas),
            in_sync=len(one.isr),
        )
        for one in described.partitions
    )


def _cluster(world: World) -> Any:
    try:
        return world.admin.describe_cluster(request_timeout=ADMIN_TIMEOUT_SECONDS).result()
    except KafkaException as error:
        raise world.admin.unanswered(error) from None


def broker_levels(world: World) -> dict[str, int | None]:
    """What each broker says of its version (`broker_versions`), by address."""
    config = client_config(world.settings)
    found: dict[str, int | None] = {}
    for node in _cluster(world).nodes:
        try:
            level = metadata_level(config, node.host, node.port)
        except OSError:
            level = None
        found[f"{node.host}:{node.port}"] = level
    return found


def clocks(world: World) -> tuple[Clock, ...]:
    """How far brokers' clocks are from ours, by the newest records of the topic of events.

    A record that comes while we look was appended meanwhile: so its time is between ours before and
    after. Without one it is only known that a clock is not ahead.
    """
    partitions = range(world.log.partitions)
    begun_ms, before = _now_ms(), newest(world, partitions)
    deadline = time.monotonic() + EVENT_SECONDS
    while True:
        time.sleep(POLL_SECONDS)
        after = newest(world, partitions)
        ended_ms = _now_ms()
        came = [at for at, moment in after.items() if moment > before.get(at, (-1, -1))]
        if came or time.monotonic() > deadline:
            break
    whose = f"the brokers of {world.topic}"
    if came:
        moments = [after[at][1] for at in came]
        return (Clock(whose, max(moments) - ended_ms, min(moments) - begun_ms),)
    moments = [moment for _, moment in after.values()]
    return (Clock(whose, max(moments) - ended_ms if moments else 0, None),)


def newest(world: World, partitions: range) -> dict[int, tuple[int, int]]:
    """Offset and append time (ms) of each partition's newest record; missing where it is empty."""
    asked = {
        TopicPartition(world.topic, partition): OffsetSpec.max_timestamp()
        for partition in partitions
    }
    answers = world.admin.list_offsets(asked, request_timeout=ADMIN_TIMEOUT_SECONDS)
    try:
        found = {place.partition: pending.result() for place, pending in answers.items()}
    except KafkaException as error:
        raise world.admin.unanswered(error) from None
    return {
        partition: (one.offset, one.timestamp)
        for partition, one in found.items()
        if one.offset >= 0
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def acls(world: World, group: str) -> Rules | None:
    """What services need and what the broker shows; None where it shows no ACLs at all.

    A broker without an authorizer shows none, and so does one to who may not see them.

    Raises `ConfigurationError` where we may not see them.
    """
    settings = world.settings
    everything = AclBindingFilter(
        *(ResourceType.ANY, None, ResourcePatternType.ANY, None, None),
        *(AclOperation.ANY, AclPermissionType.ANY),
    )
    try:
        found = world.admin.describe_acls(
            everything, request_timeout=ADMIN_TIMEOUT_SECONDS
        ).result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() == KafkaError.SECURITY_DISABLED:
            return None
        if reason.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            raise ConfigurationError(
                "ACLs are shown to who may Describe the cluster: kafka-acls.sh --add --cluster"
                " --operation Describe --allow-principal …"
            ) from None
        raise world.admin.unanswered(error) from None
    if not found:
        return None
    needed = grants(settings.model_copy(update={"kafka_topic": world.topic}), group)
    prefix = f"User:{settings.doctor_principal_prefix}"
    services: Mapping[str, Any] = {
        f"{prefix}{name}": needed[name] for name in ("ingest", "aggregator", "exporter", "migrate")
    }
    return Rules(services, tuple(_acl(one) for one in found), settings.kafka_bootstrap_servers)


def _acl(binding: Any) -> Acl:
    return Acl(
        principal=binding.principal,
        resource=RESOURCES.get(binding.restype, str(binding.restype)),
        name=binding.name,
        prefixed=binding.resource_pattern_type == ResourcePatternType.PREFIXED,
        operation=OPERATIONS.get(binding.operation, str(binding.operation)),
        allowed=binding.permission_type == AclPermissionType.ALLOW,
    )

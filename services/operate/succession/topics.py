"""What Kafka says of a topic beside its records: its configuration, its replicas, its cluster."""

from __future__ import annotations

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType

from services.platform.errors import UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, ExplainingAdmin


def topic_config(admin: ExplainingAdmin, topic: str) -> dict[str, str]:
    """Read what was set for the topic itself, by name.

    Raises `UnavailableError` when the broker does not answer.
    """
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        found = admin.describe_configs([resource], request_timeout=ADMIN_TIMEOUT_SECONDS)[
            resource
        ].result()
    except KafkaException as error:
        reason = error.args[0].str()
        raise UnavailableError(f"cannot read the configuration of {topic}: {reason}") from None
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: str(entry.value) for name, entry in found.items() if entry.source == own}


def replication_factor(admin: ExplainingAdmin, topic: str) -> int:
    """Read how many replicas the partitions of a topic have, the most that one has.

    Raises `UnavailableError` when the broker does not answer.
    """
    try:
        described = admin.describe_topics(
            TopicCollection([topic]), request_timeout=ADMIN_TIMEOUT_SECONDS
        )[topic].result()
    except KafkaException as error:
        raise admin.unanswered(error) from None
    return max(len(partition.replicas) for partition in described.partitions)


def cluster_id(admin: ExplainingAdmin) -> str:
    """Read the cluster's id. Raises `UnavailableError` when the broker does not answer."""
    try:
        cluster = admin.describe_cluster(request_timeout=ADMIN_TIMEOUT_SECONDS).result()
    except KafkaException as error:
        raise admin.unanswered(error) from None
    return str(cluster.cluster_id)

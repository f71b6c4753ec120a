"""Kafka, seen from every service: client configuration and the identity of a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.settings import KafkaSettings, secret

ADMIN_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Log:
    """One incarnation of a topic: cluster id and topic id name it for ever.

    A topic that was deleted and made anew has another id, so it is another log.
    """

    cluster_id: str
    topic_id: str
    topic: str
    partitions: int

    @property
    def name(self) -> str:
        """The value of the column ``log``: neither id contains a slash (both are base64url)."""
        return f"{self.cluster_id}/{self.topic_id}"


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """Configuration that every confluent-kafka client of ours starts from."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        "socket.keepalive.enable": True,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": secret(
                settings.kafka_sasl_password, settings.kafka_sasl_password_file
            ),
        }
    if settings.kafka_ssl_ca_file is not None:
        config["ssl.ca.location"] = str(settings.kafka_ssl_ca_file)
    return config


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Configuration of everything of ours that writes events.

    The partitioner is the Java clients', not librdkafka's own: whoever sends an event again,
    through whatever client, must reach the partition that it was first sent to, or it would
    count twice.
    """
    return {
        **client_config(settings),
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
    }


def reader_config(settings: KafkaSettings, group_id: str) -> dict[str, Any]:
    """Configuration of a consumer that is assigned what it reads.

    The group is named because the client insists: nobody joins one without subscribing.
    """
    return {
        **client_config(settings),
        "group.id": group_id,
        "enable.auto.commit": False,
        "log_level": 0,
    }


def committed_reader_config(settings: KafkaSettings, group_id: str) -> dict[str, Any]:
    """The same for one that reads a stretch of the log: what is committed, and from where it says.

    It hears of each partition's end, and that an offset is not there is an error.
    """
    return {
        **reader_config(settings, group_id),
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
    }


def admin_client(settings: KafkaSettings) -> AdminClient:
    """An admin client; it connects on its first call."""
    return AdminClient({**client_config(settings), "log_level": 0})


def create_topic(admin: AdminClient, new: NewTopic) -> bool:
    """Create a topic where there is none; say whether it was created.

    Raises `UnavailableError` when the broker does not do it.
    """
    topic = str(new.topic)
    try:
        admin.create_topics([new], request_timeout=ADMIN_TIMEOUT_SECONDS)[topic].result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise UnavailableError(f"cannot create topic {topic}: {reason.str()}") from None
        return False
    return True


def describe_log(admin: AdminClient, topic: str) -> Log:
    """Look up which log the topic is now.

    Raises `ConfigurationError` when there is no such topic, `UnavailableError` when the broker
    does not answer in time.
    """
    try:
        cluster = admin.describe_cluster(request_timeout=ADMIN_TIMEOUT_SECONDS).result()
        described = admin.describe_topics(
            TopicCollection([topic]), request_timeout=ADMIN_TIMEOUT_SECONDS
        )[topic].result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.name() == "UNKNOWN_TOPIC_OR_PART":
            raise ConfigurationError(
                f"there is no topic {topic!r}: create it with `wattoken migrate`"
            ) from None
        raise UnavailableError(f"Kafka does not answer: {reason.str()}") from None
    return Log(
        cluster_id=cluster.cluster_id,
        # As Kafka's own tools print it; librdkafka gives the other base64 alphabet.
        topic_id=str(described.topic_id).translate(str.maketrans("+/", "-_")),
        topic=topic,
        partitions=len(described.partitions),
    )

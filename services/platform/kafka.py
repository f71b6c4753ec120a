"""Kafka, seen from every service: client configuration and the identity of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.hello import HELLO_SECONDS
from services.platform.kafka_log import Log
from services.platform.kafka_reasons import REFUSED_CODES, Reasons
from services.platform.kafka_security import security_config

if TYPE_CHECKING:
    from services.platform.settings import KafkaSettings

ADMIN_TIMEOUT_SECONDS = 10.0
#: What librdkafka's calls say where there is no connection.
TIMED_OUT_CODES = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT})
#: How long a fetch of whoever waits for the end of a partition may wait for records.
END_WAIT_MS: Final = 20


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """Configuration that every confluent-kafka client of ours starts from."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "socket.keepalive.enable": True,
        **security_config(settings),
    }


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
        # The end is told by a fetch that brings nothing of the partition. The broker answers a
        # fetch that has to wait as soon as there is anything, and where transactions are aborted
        # one after the other there always is, if only their markers, which no reader is shown.
        "fetch.wait.max.ms": END_WAIT_MS,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
    }


class ExplainingAdmin(AdminClient):  # type: ignore[misc]
    """An admin client that remembers what it heard of its connections."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.reasons = Reasons(config)
        super().__init__({**config, "log_level": 0, "error_cb": self.reasons.note})

    def unanswered(self, error: KafkaException) -> UnavailableError:
        """Say why a question failed: a lack of rights, or what stands between us and the broker."""
        reason: KafkaError = error.args[0]
        if reason.code() in REFUSED_CODES:
            return UnavailableError(self.reasons.refused(reason))
        if reason.code() not in TIMED_OUT_CODES:
            return UnavailableError(f"Kafka does not answer: {reason.str()}")
        # What was heard is handed over when the client is polled.
        self.poll(0)
        return UnavailableError(f"Kafka does not answer: {self.reasons.said(self.reasons.silence)}")


def admin_client(settings: KafkaSettings) -> ExplainingAdmin:
    """An admin client; it connects on its first call."""
    return ExplainingAdmin(client_config(settings))


def require_kafka(settings: KafkaSettings) -> None:
    """See that a broker answers within `HELLO_SECONDS`. Raises `UnavailableError`."""
    require_answer(admin_client(settings))


def require_answer(admin: ExplainingAdmin) -> None:
    """The same of a client that is there."""
    try:
        admin.describe_cluster(request_timeout=HELLO_SECONDS).result()
    except KafkaException as error:
        raise admin.unanswered(error) from None


def create_topic(admin: ExplainingAdmin, new: NewTopic) -> bool:
    """Create a topic where there is none; say whether it was created.

    Raises `UnavailableError` when the broker does not do it.
    """
    topic = str(new.topic)
    try:
        admin.create_topics([new], request_timeout=ADMIN_TIMEOUT_SECONDS)[topic].result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise UnavailableError(
                f"cannot create topic {topic}: {admin.unanswered(error)}"
            ) from None
        return False
    return True


def describe_log(admin: ExplainingAdmin, topic: str) -> Log:
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
        raise admin.unanswered(error) from None
    return Log(
        cluster_id=cluster.cluster_id,
        # As Kafka's own tools print it; librdkafka gives the other base64 alphabet.
        topic_id=str(described.topic_id).translate(str.maketrans("+/", "-_")),
        topic=topic,
        partitions=len(described.partitions),
    )

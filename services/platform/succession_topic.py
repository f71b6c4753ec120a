"""The topic of successions: how producers hear that a log is followed by another.

Small and kept forever, key = the predecessor's topic, value = the succession as JSON. It is read
from its beginning without a consumer group, so a reader needs no right but to read it. It is not
compacted: that would keep the last word on a topic, and it is the first that holds.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import NewTopic

from services.platform.connection_log import ConnectionLog
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import ExplainingAdmin, create_topic, producer_config, reader_config
from services.platform.log import get_logger
from services.platform.settings import KafkaSettings
from services.platform.succession import Succession, decode, encode, first_of_each, newest_topic

logger = get_logger(__name__)

READ_TIMEOUT_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.2
ABSENT_CODES: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})


def ensure_succession_topic(admin: ExplainingAdmin, topic: str, replication_factor: int) -> bool:
    """Create the topic where there is none; say whether it was created.

    Raises `UnavailableError` when the broker does not do it.
    """
    new = NewTopic(
        topic,
        num_partitions=1,
        replication_factor=replication_factor,
        config={
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "min.insync.replicas": str(max(1, replication_factor - 1)),
        },
    )
    return create_topic(admin, new)


class SuccessionReader:
    """Reads the topic from its beginning and then goes on; a context manager.

    Not thread-safe. A topic that does not exist holds nothing, until it does.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.kafka_successions_topic
        config = {
            **reader_config(settings, "wattoken-successions"),
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
        }
        self._connection = ConnectionLog(config)
        self._consumer = Consumer({**config, "error_cb": self._connection.note})
        self._assigned = False
        #: Whether all that there was has been read once.
        self.caught_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def poll(self, timeout_seconds: float) -> Succession | None:
        """Read the next succession; None where there is none within the time.

        One that cannot be read is passed over with a warning.
        """
        if not self._assigned and not self._assign(timeout_seconds):
            # Serves what the client has to say meanwhile, and waits.
            self._consumer.poll(timeout_seconds)
            return None
        message = self._consumer.poll(timeout_seconds)
        if message is None:
            return None
        error = message.error()
        if error is None:
            return self._decoded(message)
        if error.code() == KafkaError._PARTITION_EOF:
            self.caught_up = True
        elif error.code() in ABSENT_CODES:
            self._assigned = False
        elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
            # That one says nothing: nobody joins the group, see `reader_config`.
            self._connection.answered(self._topic, error)
        return None

    def _assign(self, timeout_seconds: float) -> bool:
        """Begin to read, if the topic exists: assigned to one that does not, a client is silent."""
        try:
            asked = self._consumer.list_topics(self._topic, timeout=timeout_seconds)
        except KafkaException:
            return False
        described = asked.topics.get(self._topic)
        if described is None:
            return False
        if described.error is not None:
            absent = described.error.code() in ABSENT_CODES
            self.caught_up |= absent
            if not absent:
                self._connection.answered(self._topic, described.error)
            return False
        self._consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        self._assigned = True
        return True

    def _decoded(self, message: Message) -> Succession | None:
        try:
            return decode(message.value() or b"")
        except ValueError as error:
            logger.warning(
                "record is no succession",
                topic=self._topic,
                offset=message.offset(),
                reason=str(error),
            )
            return None


def read_announced(settings: KafkaSettings) -> list[Succession]:
    """Read all that the topic says now: one successor of each topic, the one named first.

    Raises `UnavailableError` when the broker does not answer in time.
    """
    found: list[Succession] = []
    deadline = time.monotonic() + READ_TIMEOUT_SECONDS
    with SuccessionReader(settings) as reader:
        while not reader.caught_up:
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"Kafka does not give what topic {settings.kafka_successions_topic} holds"
                )
            succession = reader.poll(POLL_SECONDS)
            if succession is not None:
                found.append(succession)
    return first_of_each(found)


def topic_of_events(settings: KafkaSettings) -> str:
    """The topic that events go to now: the configured one, or the newest that followed it.

    Raises `UnavailableError` when the broker does not answer in time.
    """
    return newest_topic(read_announced(settings), settings.kafka_topic)


def announce(settings: KafkaSettings, succession: Succession) -> None:
    """Write a succession, acknowledged by all replicas; again changes nothing.

    Raises `UnavailableError` when the broker does not acknowledge it, `ConfigurationError` when it
    refuses.
    """
    errors: list[KafkaError] = []

    def report(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            errors.append(error)

    producer = Producer(
        {
            **producer_config(settings),
            "message.timeout.ms": int(READ_TIMEOUT_SECONDS * 1000),
            "allow.auto.create.topics": False,
            "log_level": 0,
        }
    )
    producer.produce(
        settings.kafka_successions_topic,
        key=succession.predecessor_topic.encode(),
        value=encode(succession),
        partition=0,
        on_delivery=report,
    )
    unsent = 1
    try:
        unsent = producer.flush(2 * READ_TIMEOUT_SECONDS)
    except KafkaException as error:
        # What an idempotent producer cannot go on after, a lack of rights for instance.
        errors.append(error.args[0])
    if errors and errors[0].code() in {*ABSENT_CODES, KafkaError.TOPIC_AUTHORIZATION_FAILED}:
        raise ConfigurationError(
            f"cannot write to topic {settings.kafka_successions_topic}: {errors[0].str()}"
        )
    if errors or unsent:
        reason = errors[0].str() if errors else "no answer"
        raise UnavailableError(
            f"Kafka does not take the succession of {succession.predecessor_topic}: {reason}"
        )

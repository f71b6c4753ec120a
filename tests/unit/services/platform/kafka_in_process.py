"""The broker that librdkafka has inside itself, for tests of what its clients do."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from services.platform.kafka import committed_reader_config
from services.platform.settings import KafkaSettings

#: How many partitions it gives a topic.
PARTITIONS = 4


class KafkaInProcess:
    """Speaks the real protocol on loopback; a topic is made when somebody asks about it.

    It has no controller, so it answers no admin client. A context manager, at whose end it is away.
    """

    def __init__(self) -> None:
        self._holder = Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0}
        )
        (broker,) = self._holder.list_topics(timeout=10).brokers.values()
        self.settings = KafkaSettings(kafka_bootstrap_servers=f"{broker.host}:{broker.port}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Go away; what was on it is gone."""
        self._holder.close()

    def put(self, topic: str, value: bytes, partition: int) -> None:
        """Put a record onto a topic, which is made where there is none."""
        self._holder.produce(topic, value, partition=partition)
        assert self._holder.flush(10) == 0

    def read(self, topic: str, partitions: Sequence[int] = range(PARTITIONS)) -> list[Message]:
        """All records of a topic, in order within each partition."""
        found: list[Message] = []
        consumer = Consumer(committed_reader_config(self.settings, "test"))
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        left = len(partitions)
        while left:
            message = consumer.poll(10)
            assert message is not None, f"the end of {left} partitions is still to come"
            if message.error() is None:
                found.append(message)
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                left -= 1
        consumer.close()
        return found

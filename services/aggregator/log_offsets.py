"""What Kafka knows of a log's offsets: its start, its end, times, and what the group committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.platform.errors import UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, Log, describe_log


class LogOffsets:
    """Questions about a log's offsets, asked through the admin client. Synchronous.

    Every question raises `UnavailableError` when the broker does not answer in time.
    """

    def __init__(self, admin: AdminClient, log: Log, group: str) -> None:
        self._admin = admin
        self._log = log
        self._group = group

    def starts(self, partitions: Sequence[int]) -> dict[int, int]:
        """The first offset that the log still holds."""
        return self._list({partition: OffsetSpec.earliest() for partition in partitions})

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """The offset that the next record will get."""
        return self._list({partition: OffsetSpec.latest() for partition in partitions})

    def at(self, times_ms: Mapping[int, int]) -> dict[int, int]:
        """The first offset appended at or after a time; -1 where there is none."""
        return self._list(
            {
                partition: OffsetSpec.for_timestamp(time_ms)
                for partition, time_ms in times_ms.items()
            }
        )

    def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        """The offsets that the consumer group committed; missing where it never did."""
        asked = [TopicPartition(self._log.topic, partition) for partition in partitions]
        answers = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._group, asked)],
            request_timeout=ADMIN_TIMEOUT_SECONDS,
        )
        try:
            found = answers[self._group].result().topic_partitions
        except KafkaException as error:
            raise UnavailableError(f"Kafka does not give the group's offsets: {error}") from None
        return {where.partition: where.offset for where in found if where.offset >= 0}

    def replaced_by(self) -> str | None:
        """The name of the log that the topic is now, if it is another than it was."""
        name = describe_log(self._admin, self._log.topic).name
        return None if name == self._log.name else name

    def _list(self, specs: Mapping[int, OffsetSpec]) -> dict[int, int]:
        if not specs:
            return {}
        asked = {
            TopicPartition(self._log.topic, partition): spec for partition, spec in specs.items()
        }
        answers = self._admin.list_offsets(asked, request_timeout=ADMIN_TIMEOUT_SECONDS)
        try:
            return {where.partition: answer.result().offset for where, answer in answers.items()}
        except KafkaException as error:
            raise UnavailableError(f"Kafka does not list offsets: {error}") from None

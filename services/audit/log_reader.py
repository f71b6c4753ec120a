"""The log, read by a plain consumer: records in their order, and what the other offsets are."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, admin_client, committed_reader_config
from services.platform.kafka_reasons import Reasons
from services.platform.settings import KafkaSettings

#: Without a single record for this long, the broker is taken to be away.
SILENCE_SECONDS: Final = 30.0
#: A call waits for so many or so long; little of both, for the end of a range comes with few.
RECORDS_AT_ONCE: Final = 500
WAIT_SECONDS: Final = 0.1


class Record(NamedTuple):
    """A record of one partition."""

    offset: int
    append_ms: int
    value: bytes | None


@dataclass(slots=True)
class Gap:
    """Offsets from `start` to before `end` that hold no committed record."""

    start: int
    end: int


class LogReader:
    """Reads one topic; each stretch with a consumer of its own, which commits nothing."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.kafka_topic

    def committed(self, partition: int, start: int, end: int, gaps: list[Gap]) -> Iterator[Record]:
        """Read the committed records of an offset range, and note in ``gaps`` what lies between.

        Raises `ConfigurationError` where the log does not hold the range any more,
        `UnavailableError` when the broker does not answer.
        """
        expected = start
        for record in self._read(partition, start, end, "read_committed"):
            if record.offset > expected:
                gaps.append(Gap(expected, record.offset))
            expected = record.offset + 1
            yield record
        if expected < end:
            gaps.append(Gap(expected, end))

    def aborted(self, partition: int, gaps: list[Gap]) -> int:
        """Count the records in gaps that were written and taken back; the rest are markers.

        A marker ends a transaction and is no record. Where a log is neither compacted nor
        transactional, there are no gaps at all.
        """
        if not gaps:
            return 0
        found = 0
        places = iter(gaps)
        gap = next(places)
        for record in self._read(partition, gaps[0].start, gaps[-1].end, "read_uncommitted"):
            while record.offset >= gap.end:
                gap = next(places)
            found += record.offset >= gap.start
        return found

    def first(self, partition: int, start: int, end: int) -> Record | None:
        """Give the first committed record of a range, or None."""
        with closing(self._read(partition, start, end, "read_committed")) as records:
            return next(records, None)

    def compacted(self) -> bool:
        """Whether the topic's old records are not only deleted but replaced by newer ones."""
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        admin = admin_client(self._settings)
        try:
            config = admin.describe_configs([resource], request_timeout=ADMIN_TIMEOUT_SECONDS)[
                resource
            ].result()
        except KafkaException as error:
            raise admin.unanswered(error) from None
        policy = config.get("cleanup.policy")
        return policy is not None and "compact" in policy.value

    def _read(
        self, partition: int, start: int, end: int, level: str
    ) -> Generator[Record, None, None]:
        if start >= end:
            return
        config = self._consumer_config(level)
        reasons = Reasons(config)
        consumer = Consumer({**config, "error_cb": reasons.note})
        try:
            consumer.assign([TopicPartition(self._topic, partition, start)])
            heard = time.monotonic()
            while True:
                messages = consumer.consume(RECORDS_AT_ONCE, WAIT_SECONDS)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENCE_SECONDS:
                    raise UnavailableError(
                        f"Kafka does not give partition {partition} of {self._topic} from {start}"
                        f" on: {reasons.said('no records')}"
                    )
                for message in messages:
                    error = message.error()
                    if error is not None:
                        if self._ended(error, message, partition, end):
                            return
                        continue
                    if message.offset() >= end:
                        return
                    yield Record(message.offset(), message.timestamp()[1], message.value())
                    if message.offset() + 1 == end:
                        return
        finally:
            consumer.close()

    def _ended(self, error: KafkaError, message: Any, partition: int, end: int) -> bool:
        """Whether a message that is an event says that the range is read."""
        if error.code() == KafkaError._PARTITION_EOF:
            # Offsets at the end that are markers or aborted come as no message.
            return bool(message.offset() >= end)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise ConfigurationError(
                f"partition {partition} of {self._topic} no longer holds what is to be read:"
                " retention deleted it meanwhile. Audit a younger span: --last or --from"
            )
        raise UnavailableError(f"Kafka does not give partition {partition}: {error.str()}")

    def _consumer_config(self, level: str) -> dict[str, Any]:
        return {
            **committed_reader_config(self._settings, f"wattoken-audit-{uuid.uuid4()}"),
            "enable.auto.offset.store": False,
            "isolation.level": level,
        }

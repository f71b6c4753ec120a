"""Reads the topic of rejections, from its beginning to its end now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from services.ingest.rejections.record import KeptRejection, decode, decode_requeued
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import reader_config, require_kafka
from services.platform.kafka_reasons import Reasons
from services.platform.settings import KafkaSettings

_TIMEOUT_SECONDS: Final = 10.0
_MESSAGES_AT_A_TIME: Final = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the topic a rejection lies."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """One rejection, and whether it was put back already."""

    place: Place
    append_time: datetime
    what: KeptRejection
    requeued: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rejections; None does not restrict."""

    reason: str | None = None
    key_id: str | None = None
    tenant: str | None = None
    place: Place | None = None

    def fits(self, one: Rejected) -> bool:
        """Say whether a rejection is selected."""
        pairs = (
            (self.reason, one.what.code),
            (self.key_id, one.what.key_id),
            (self.tenant, one.what.tenant),
            (self.place, one.place),
        )
        return all(wanted is None or wanted == found for wanted, found in pairs)


def read(settings: KafkaSettings, selection: Selection) -> list[Rejected]:
    """Read the selected rejections, in the order of their places.

    Raises `ConfigurationError` where there is no such topic, `UnavailableError` where Kafka does
    not answer in time.
    """
    return selected(_messages(settings), selection)


def selected(
    messages: Iterable[tuple[Place, datetime, bytes]], selection: Selection
) -> list[Rejected]:
    """Select among the topic's records, and mark what was put back."""
    found: dict[Place, Rejected] = {}
    requeued: set[Place] = set()
    for place, appended, value in messages:
        what = decode(value)
        if what is not None:
            one = Rejected(place, appended, what)
            if selection.fits(one):
                found[place] = one
        else:
            requeued.update(Place(*pair) for pair in decode_requeued(value))
    return [
        Rejected(place, one.append_time, one.what, requeued=place in requeued)
        for place, one in sorted(
            found.items(), key=lambda pair: (pair[0].partition, pair[0].offset)
        )
    ]


def _messages(settings: KafkaSettings) -> Iterator[tuple[Place, datetime, bytes]]:
    require_kafka(settings)
    config = {**reader_config(settings, "wattoken-rejected"), "allow.auto.create.topics": False}
    reasons = Reasons(config)
    consumer = Consumer({**config, "error_cb": reasons.note})
    with closing(consumer):
        try:
            yield from _to_the_end(consumer, settings.kafka_rejected_topic)
        except KafkaException as error:
            reason = reasons.said(error.args[0].str())
            raise UnavailableError(f"Kafka does not answer: {reason}") from None


def _to_the_end(consumer: Consumer, topic: str) -> Iterator[tuple[Place, datetime, bytes]]:
    described = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic]
    if described.error is not None or not described.partitions:
        raise ConfigurationError(f"there is no topic {topic!r}: create it with `wattoken migrate`")
    for partition in sorted(described.partitions):
        whole = TopicPartition(topic, partition)
        low, high = consumer.get_watermark_offsets(whole, timeout=_TIMEOUT_SECONDS)
        consumer.assign([TopicPartition(topic, partition, low)])
        while low < high:
            batch = consumer.consume(_MESSAGES_AT_A_TIME, timeout=_TIMEOUT_SECONDS)
            if not batch:
                raise UnavailableError(f"topic {topic} cannot be read to its end: try again")
            for message in batch:
                low = max(low, _offset(message) + 1)
                value = message.value()
                if message.error() is None and isinstance(value, bytes):
                    appended = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
                    yield Place(partition, _offset(message)), appended, value


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset

"""How long records have lain on a log: what waits to be copied is judged later than it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.platform.errors import UnavailableError
from services.platform.kafka import committed_reader_config
from services.platform.settings import KafkaSettings

POLL_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 30.0


def oldest_ms(
    settings: KafkaSettings,
    topic: str,
    from_offsets: Mapping[int, int],
    clock: Callable[[], float] = time.monotonic,
) -> int | None:
    """The least append time of the first committed record of each partition from an offset on.

    In milliseconds since 1970; None where there is no record. Raises `UnavailableError`.
    """
    times_ms: list[int] = []
    going_on, heard_at = set(from_offsets), clock()
    consumer = Consumer(committed_reader_config(settings, "wattoken-succeed-age"))
    try:
        consumer.assign([TopicPartition(topic, *place) for place in from_offsets.items()])
        while going_on:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                if clock() - heard_at > SILENCE_SECONDS:
                    raise UnavailableError(f"Kafka gives no records of {topic}")
                continue
            heard_at = clock()
            number, error = message.partition(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise UnavailableError(f"Kafka gives no records of {topic}: {error.str()}")
            if number not in going_on:
                continue
            if error is None:
                times_ms.append(message.timestamp()[1])
            going_on.discard(number)
            consumer.pause([TopicPartition(topic, number)])
    except KafkaException as error:
        reason = error.args[0].str()
        raise UnavailableError(f"Kafka gives no records of {topic}: {reason}") from error
    finally:
        consumer.close()
    return min(times_ms, default=None)

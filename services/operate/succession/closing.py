"""Closing a topic, so that its end is definite: the broker itself refuses all that comes later.

There is no switch for it, but a limit on the size of batches does: below
`services.platform.succession.CLOSED_BATCH_BYTES_MAX` no event fits in any codec, while the markers
that end transactions do. So what was begun can end, and nothing new begins.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from confluent_kafka import (
    KafkaError,
    KafkaException,
    Message,
    Producer,
)
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, ExplainingAdmin, producer_config
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.settings import KafkaSettings
from services.platform.succession import CLOSED_BATCH_BYTES_MAX

LIMIT: Final = "max.message.bytes"
#: A probe that nobody ends (this process was killed) is ended by the broker after this.
PROBE_TRANSACTION_SECONDS: Final = 10
PROBE_BYTES: Final = 2 * CLOSED_BATCH_BYTES_MAX


def is_closed(config: dict[str, str]) -> bool:
    """Whether a topic with this configuration of its own takes no event."""
    return int(config.get(LIMIT, CLOSED_BATCH_BYTES_MAX + 1)) <= CLOSED_BATCH_BYTES_MAX


def close_topic(admin: ExplainingAdmin, topic: str) -> None:
    """Set the limit. Brokers take it over a moment later: see `Probe`.

    Raises `ConfigurationError` when the broker refuses.
    """
    entry = ConfigEntry(
        LIMIT, str(CLOSED_BATCH_BYTES_MAX), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    try:
        admin.incremental_alter_configs([resource], request_timeout=ADMIN_TIMEOUT_SECONDS)[
            resource
        ].result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.retriable():
            raise UnavailableError(f"cannot close topic {topic}: {reason.str()}") from None
        raise ConfigurationError(
            f"cannot close topic {topic}: {reason.str()}; whoever runs this needs AlterConfigs on"
            " it, and a broker that knows max.message.bytes"
        ) from None


class Probe:
    """Asks each partition's leader whether it refuses, with records that nobody will ever see.

    They belong to transactions that are taken back, so where a leader has not heard of the limit
    yet they leave a gap in the offsets and nothing to be metered. A context manager.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._answers: dict[int, KafkaError | None] = {}
        self._producer = Producer(
            {
                **producer_config(settings),
                # Of its own, so that two who close a topic do not shut each other out.
                "transactional.id": f"wattoken-succeed-probe-{os.getpid()}-{secrets.token_hex(8)}",
                "transaction.timeout.ms": PROBE_TRANSACTION_SECONDS * 1000,
                "message.timeout.ms": PROBE_TRANSACTION_SECONDS * 1000,
                "compression.type": "none",
                "log_level": 0,
            }
        )
        try:
            self._producer.init_transactions(ADMIN_TIMEOUT_SECONDS)
        except KafkaException as error:
            raise _probe_failure(topic, error.args[0]) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._producer.purge()

    def still_open(self, partitions: Iterable[int]) -> list[int]:
        """Which of these partitions take a record as large as an event, or give no answer.

        Raises `UnavailableError` when the broker does not answer, `ConfigurationError` when it
        refuses for another reason.
        """
        # The first refusal fails the transaction, and the client sends no more of it: so a pass
        # hears of some partitions only. One that has refused once goes on to: brokers take over a
        # topic's settings and its leaders from the metadata in one order.
        left = list(partitions)
        while left:
            answers = self._ask(left, secrets.token_bytes(PROBE_BYTES))
            refusing = {
                partition
                for partition, answer in answers.items()
                if answer is not None and answer.code() == KafkaError.MSG_SIZE_TOO_LARGE
            }
            if not refusing:
                break
            left = [partition for partition in left if partition not in refusing]
        return left

    def behind(self, partitions: Iterable[int]) -> list[int]:
        """Which of these partitions do not acknowledge a record behind all that they have taken.

        It is so small that a closed topic takes it. Acknowledged by all replicas, it says that what
        lies before it is, and so that the end which Kafka tells is the end. Raises as `still_open`.
        """
        asked = list(partitions)
        answers = self._ask(asked, b"")
        return [number for number in asked if number not in answers or answers[number] is not None]

    def _ask(self, partitions: Iterable[int], value: bytes) -> dict[int, KafkaError | None]:
        """Put a record into each partition and take all back; what each leader said meanwhile."""
        self._answers = {}
        try:
            self._producer.begin_transaction()
            for partition in partitions:
                self._producer.produce(
                    self._topic, value, partition=partition, on_delivery=self._note
                )
            self._producer.flush(2 * PROBE_TRANSACTION_SECONDS)
            self._producer.abort_transaction(ADMIN_TIMEOUT_SECONDS)
        except KafkaException as error:
            raise _probe_failure(self._topic, error.args[0]) from None
        for answer in self._answers.values():
            if answer is not None and answer.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise _probe_failure(self._topic, answer)
        return self._answers

    def _note(self, error: KafkaError | None, message: Message) -> None:
        partition = message.partition()
        assert partition is not None
        self._answers[partition] = error


def _probe_failure(topic: str, error: KafkaError) -> UnavailableError | ConfigurationError:
    if error.code() in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }:
        return ConfigurationError(
            f"cannot see whether topic {topic} is closed: {error.str()}; whoever runs this needs to"
            " Write to it, in transactions named wattoken-succeed-…"
        )
    return UnavailableError(f"cannot see whether topic {topic} is closed: {error.str()}")


def open_transactions(questions: KafkaQuestions, log: Log) -> list[int]:
    """Which partitions have a transaction that has not ended. Raises `UnavailableError`."""
    partitions = range(log.partitions)
    # In this order: an end that moves meanwhile shows as a transaction under way, never as none.
    stable = questions.stable_ends(log.topic, partitions)
    ends = questions.ends(log.topic, partitions)
    return [number for number in partitions if stable[number] < ends[number]]

"""Copies what lies beyond the ends of a log to its successor, each record exactly once.

How far it came is committed together with the copies, in one transaction. So it may be killed and
run again; and of two that run at once, the first is shut out by the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from schemas.identity import identity_hash
from schemas.wire import InvalidEventError
from schemas.wire import decode as decode_event
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, committed_reader_config, producer_config
from services.platform.kafka_log import Log
from services.platform.settings import KafkaSettings

BATCH_RECORDS: Final = 5_000
POLL_SECONDS: Final = 1.0
#: Silent polls after which a partition that should have more is given up on.
SILENT_POLLS_MAX: Final = 60
TRANSACTION_SECONDS: Final = 60
#: As large as a broker may let a record be; the topic's own limit is the one that counts.
RECORD_BYTES_MAX: Final = 100_000_000


class Copier:
    """Copies the records of one log to another topic. One run at a time."""

    def __init__(self, settings: KafkaSettings, log: Log, successor: str) -> None:
        self._log = log
        self._successor = successor
        name = f"wattoken-succeed-{log.topic_id}"
        self._failures: list[KafkaError] = []
        self._consumer = Consumer(committed_reader_config(settings, name))
        self._producer = Producer(
            {
                **producer_config(settings),
                "transactional.id": name,
                "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
                "message.max.bytes": RECORD_BYTES_MAX,
                "log_level": 0,
            }
        )

    def run(self, ends: Mapping[int, int], report: Callable[[int], None]) -> int:
        """Copy what committed records each partition has from its end on; say how many in all.

        ``report`` is called with how many were copied so far in this run. Raises
        `UnavailableError`, after which it may be tried again, and `ConfigurationError`.
        """
        try:
            self._producer.init_transactions(TRANSACTION_SECONDS)
            places = self._resumed(ends)
            self._consumer.assign(
                [
                    TopicPartition(self._log.topic, partition, offset)
                    for partition, offset in places.items()
                ]
            )
            return self._copy(places, report)
        except KafkaException as error:
            raise self._failure(error.args[0]) from None
        finally:
            self._consumer.close()

    def _resumed(self, ends: Mapping[int, int]) -> dict[int, int]:
        """Where to begin: at the ends, or where an earlier run stopped."""
        asked = [TopicPartition(self._log.topic, partition) for partition in ends]
        committed = self._consumer.committed(asked, timeout=ADMIN_TIMEOUT_SECONDS)
        for place in committed:
            if place.error is not None:
                raise KafkaException(place.error)
        return {place.partition: max(ends[place.partition], place.offset) for place in committed}

    def _copy(self, places: dict[int, int], report: Callable[[int], None]) -> int:
        copied, silent, going_on = 0, 0, set(places)
        while going_on:
            records, ended = self._read()
            for partition, offset in ended.items():
                # A commit marker at the very end is passed over as well.
                places[partition] = max(places[partition], offset)
            going_on -= ended.keys()
            silent = 0 if records or ended else silent + 1
            if silent > SILENT_POLLS_MAX:
                raise UnavailableError(
                    f"Kafka gives no more of partitions {sorted(going_on)} of {self._log.topic}"
                )
            if records:
                self._write(records, places)
                copied += len(records)
                report(copied)
        return copied

    def _read(self) -> tuple[list[Message], dict[int, int]]:
        """Some records, and the partitions that have no more, with the offset of their ends."""
        records: list[Message] = []
        ended: dict[int, int] = {}
        for message in self._consumer.consume(BATCH_RECORDS, POLL_SECONDS):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended[_place(message)[0]] = _place(message)[1]
            else:
                raise KafkaException(error)
        return records, ended

    def _write(self, records: Sequence[Message], places: dict[int, int]) -> None:
        """Copy records and commit how far that was, together."""
        self._failures.clear()
        self._producer.begin_transaction()
        try:
            for record in records:
                self._put(record)
                partition, offset = _place(record)
                places[partition] = max(places[partition], offset + 1)
            self._producer.send_offsets_to_transaction(
                [
                    TopicPartition(self._log.topic, partition, offset)
                    for partition, offset in places.items()
                ],
                self._consumer.consumer_group_metadata(),
                TRANSACTION_SECONDS,
            )
            self._producer.commit_transaction(TRANSACTION_SECONDS)
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                self._producer.abort_transaction(TRANSACTION_SECONDS)
            raise

    def _put(self, record: Message) -> None:
        value: dict[str, Any] = {
            "value": record.value(),
            "key": record.key() if record.key() is not None else canonical_key(record.value()),
            "headers": record.headers(),
            "on_delivery": self._note,
        }
        while True:
            try:
                self._producer.produce(self._successor, **value)
            except BufferError:
                self._producer.poll(POLL_SECONDS)
                continue
            self._producer.poll(0)
            return

    def _note(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failures.append(error)

    def _failure(self, error: KafkaError) -> UnavailableError | ConfigurationError:
        if self._failures:
            # What a record was refused for says more than that its transaction cannot end.
            error = self._failures[0]
        what = f"cannot copy from {self._log.topic} to {self._successor}: {error.str()}"
        if error.code() in {KafkaError._FENCED, KafkaError.PRODUCER_FENCED}:
            return ConfigurationError(f"{what}; another `wattoken succeed` has taken it over")
        if error.code() in {
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
            KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        }:
            return ConfigurationError(
                f"{what}; whoever runs this needs to Read {self._log.topic}, Write to"
                f" {self._successor}, and both for group and transactions named wattoken-succeed-…"
            )
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return ConfigurationError(f"{what}; raise max.message.bytes of {self._successor}")
        return UnavailableError(what)


def canonical_key(value: bytes | None) -> bytes | None:
    """The key that an event should have had; None for what is no event."""
    try:
        event = decode_event(value or b"")
    except InvalidEventError:
        return None
    return identity_hash(event.tenant, event.source, event.id)


def _place(message: Message) -> tuple[int, int]:
    partition, offset = message.partition(), message.offset()
    assert partition is not None and offset is not None
    return partition, offset

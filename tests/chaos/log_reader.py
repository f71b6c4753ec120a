"""Reads the log as any consumer would: committed records, partition by partition, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from services.local_stack.errors import StackError
from services.platform.kafka import admin_client, describe_log
from services.platform.settings import KafkaSettings
from tests.chaos.oracle import Place, Recount

POLL_SECONDS: Final = 0.5
READ_SECONDS_MAX: Final = 120.0
RECORDS_AT_ONCE: Final = 1000
#: Called with place, offset, append time in milliseconds, and value.
Take = Callable[[Place, int, int, "bytes | None"], None]


def consumer(bootstrap_servers: str) -> Consumer:
    """A consumer of committed records that belongs to no group."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "chaos-oracle",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "reconnect.backoff.max.ms": 1000,
            "fetch.wait.max.ms": 200,
            "log_level": 0,
        }
    )


def log_name(bootstrap_servers: str, topic: str) -> tuple[str, int]:
    """Name of the log that a topic is now, and how many partitions it has."""
    settings = KafkaSettings(kafka_bootstrap_servers=bootstrap_servers)
    admin = admin_client(settings)
    log = describe_log(admin, topic)
    return log.name, log.partitions


def take_message(message: Message, names: Mapping[str, str], take: Take) -> None:
    """Hand a record on."""
    place = (names[message.topic()], message.partition())
    take(place, message.offset(), message.timestamp()[1], message.value())


def recount_all(bootstrap_servers: str, topics: Iterable[str]) -> Recount:
    """Read every committed record of the topics and count it; nothing may be written meanwhile.

    Topics in the order in which they followed each other. Raises `StackError` when that takes too
    long.
    """
    recount = Recount()
    for topic in topics:
        name, partitions = log_name(bootstrap_servers, topic)
        reader = consumer(bootstrap_servers)
        try:
            reader.assign(
                [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)]
            )
            read_to_end(reader, {topic: name}, partitions, recount.add)
        finally:
            reader.close()
    return recount


def read_to_end(reader: Consumer, names: Mapping[str, str], partitions: int, take: Take) -> None:
    """Read until each partition said that it is at its end."""
    ended: set[int] = set()
    deadline = time.monotonic() + READ_SECONDS_MAX
    while len(ended) < partitions:
        if time.monotonic() > deadline:
            raise StackError(f"the log was not read to its end in {READ_SECONDS_MAX:g} s")
        for message in reader.consume(RECORDS_AT_ONCE, POLL_SECONDS):
            if message.error() is None:
                take_message(message, names, take)
            elif message.error().name() == "_PARTITION_EOF":
                ended.add(message.partition())

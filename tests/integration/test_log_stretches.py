"""Whoever reads a stretch of the log comes to its end, whatever goes on behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from services.aggregator.kafka.predecessor_reader import PredecessorReader
from services.local_stack.infrastructure import Infrastructure
from services.platform.kafka import admin_client
from services.platform.settings import KafkaSettings

PARTITIONS = 4
#: Half a second each at most.
READS_MAX = 10


def aborted_transaction(producer: Producer, topic: str) -> None:
    """Put a record on every partition and take them back."""
    producer.begin_transaction()
    for partition in range(PARTITIONS):
        producer.produce(topic, b"never seen", partition=partition)
    producer.flush(10)
    producer.abort_transaction(10)


@contextmanager
def aborting(producer: Producer, topic: str) -> Iterator[None]:
    """Have transactions aborted one after the other, five a second."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.2):
            aborted_transaction(producer, topic)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_stretch_ends_although_aborted_transactions_follow(
    infrastructure: Infrastructure,
) -> None:
    """The last that the stretch holds is an aborted record and its marker: nothing to be shown."""
    servers, topic = infrastructure.bootstrap_servers, "stretches"
    settings = KafkaSettings(kafka_bootstrap_servers=servers)
    admin = admin_client(settings)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    for partition in range(PARTITIONS):
        producer.produce(topic, b"seen", partition=partition)
    producer.commit_transaction(20)
    aborted_transaction(producer, topic)
    # A record and its marker, both times.
    ends = dict.fromkeys(range(PARTITIONS), 4)
    starts = dict.fromkeys(range(PARTITIONS), 0)
    seen: list[bytes | None] = []
    with aborting(producer, topic), PredecessorReader(settings, topic, starts, ends) as reader:
        for _ in range(READS_MAX):
            for block in reader.read().values():
                seen += block.values
            if not reader.going_on:
                break
        assert reader.going_on == set()
    assert seen == [b"seen"] * PARTITIONS

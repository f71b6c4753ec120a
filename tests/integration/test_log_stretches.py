"""Whoever reads a stretch of the log comes to its end, whatever goes on behind it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from services.aggregator.kafka import predecessor_reader
from services.aggregator.kafka.predecessor_reader import PredecessorReader
from services.local_stack.infrastructure import Infrastructure
from services.platform.errors import UnavailableError
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
                seen += block.values.values(np.arange(len(block)))
            if not reader.going_on:
                break
        assert reader.going_on == set()
    assert seen == [b"seen"] * PARTITIONS


def read_whole(reader: PredecessorReader) -> dict[int, list[tuple[int, bytes | None]]]:
    """Offset and value of all that it reads, by partition."""
    found: dict[int, list[tuple[int, bytes | None]]] = {at: [] for at in range(PARTITIONS)}
    deadline = time.monotonic() + 30
    while reader.going_on:
        assert time.monotonic() < deadline
        for number, block in reader.read().items():
            values = block.values.values(np.arange(len(block)))
            found[number] += zip(block.offsets.tolist(), values, strict=True)
    return found


def a_log(infrastructure: Infrastructure, topic: str, records: int) -> KafkaSettings:
    """So many records on each partition, in batches of ten; every fifth has no value."""
    settings = KafkaSettings(kafka_bootstrap_servers=infrastructure.bootstrap_servers)
    admin = admin_client(settings)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    config = {"bootstrap.servers": infrastructure.bootstrap_servers, "linger.ms": 1_000}
    producer = Producer({**config, "compression.type": "lz4"})
    for number in range(records):
        for partition in range(PARTITIONS):
            producer.produce(topic, value(number), b"key", partition=partition)
        if number % 10 == 9:
            producer.flush(10)
    producer.flush(10)
    return settings


def value(number: int) -> bytes | None:
    return b"%d" % number if number % 5 else None


def test_a_stretch_begins_and_ends_within_batches(infrastructure: Infrastructure) -> None:
    settings = a_log(infrastructure, "within-batches", 40)
    starts, ends = {0: 0, 1: 13, 2: 20, 3: 40}, {0: 1, 1: 27, 2: 40, 3: 40}
    with PredecessorReader(settings, "within-batches", starts, ends) as reader:
        found = read_whole(reader)
    assert found == {
        at: [(number, value(number)) for number in range(starts[at], ends[at])]
        for at in range(PARTITIONS)
    }


def test_what_is_held_waits_and_is_read_whole(infrastructure: Infrastructure) -> None:
    settings = a_log(infrastructure, "held", 40)
    starts, ends = dict.fromkeys(range(PARTITIONS), 0), dict.fromkeys(range(PARTITIONS), 40)
    with PredecessorReader(settings, "held", starts, ends) as reader:
        reader.hold({1, 2})
        for _ in range(READS_MAX):
            assert not reader.read().keys() & {1, 2}
        assert reader.going_on == {1, 2}
        reader.hold({2})
        while 1 in reader.going_on:
            assert reader.read().keys() <= {1}
        reader.hold(set())
        found = read_whole(reader)
    assert found[2] == [(number, value(number)) for number in range(40)]


def test_a_log_that_lost_its_end_is_read_as_far_as_it_goes(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only when it goes on saying so: a broker may not know yet how far it is replicated."""
    monkeypatch.setattr(predecessor_reader, "SETTLE_SECONDS", 1.0)
    settings = a_log(infrastructure, "lost-its-end", 10)
    starts, ends = dict.fromkeys(range(PARTITIONS), 0), dict.fromkeys(range(PARTITIONS), 10)
    ends[3] = 14
    began = time.monotonic()
    with PredecessorReader(settings, "lost-its-end", starts, ends) as reader:
        found = read_whole(reader)
    assert time.monotonic() - began > 1.0
    assert found[3] == [(number, value(number)) for number in range(10)]


def test_an_offset_that_is_gone_is_told(infrastructure: Infrastructure) -> None:
    settings = a_log(infrastructure, "gone", 10)
    starts, ends = dict.fromkeys(range(PARTITIONS), 100), dict.fromkeys(range(PARTITIONS), 200)
    with (
        pytest.raises(UnavailableError, match="does not give records of gone: .*OutOfRange"),
        PredecessorReader(settings, "gone", starts, ends) as reader,
    ):
        read_whole(reader)


def test_a_broker_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predecessor_reader, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = KafkaSettings(kafka_bootstrap_servers=address)
        with (
            pytest.raises(UnavailableError, match="does not give records of hangs: TimeoutError"),
            PredecessorReader(settings, "hangs", {0: 0}, {0: 1}),
        ):
            pass


def test_a_reading_that_fails_is_told_and_not_what_its_end_says(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(consumer: AIOKafkaConsumer) -> None:
        await stopped(consumer)
        raise KafkaError("the end went wrong")

    stopped = AIOKafkaConsumer.stop
    monkeypatch.setattr(AIOKafkaConsumer, "stop", stop)
    settings = a_log(infrastructure, "ends-badly", 10)
    starts, ends = dict.fromkeys(range(PARTITIONS), 0), dict.fromkeys(range(PARTITIONS), 10)
    with PredecessorReader(settings, "ends-badly", starts, ends) as reader:
        found = read_whole(reader)
    assert found[0] == [(number, value(number)) for number in range(10)]
    with (
        pytest.raises(ZeroDivisionError),
        PredecessorReader(settings, "ends-badly", starts, ends),
    ):
        raise ZeroDivisionError


def test_a_broker_that_is_away_is_told() -> None:
    settings = KafkaSettings(kafka_bootstrap_servers="127.0.0.1:9")
    with (
        pytest.raises(UnavailableError, match="does not give records of away"),
        PredecessorReader(settings, "away", {0: 0}, {0: 1}),
    ):
        pass

"""What it costs that a power cut takes nothing: fsync in ClickHouse, and in Kafka.

ClickHouse's tables fsync each insert as migration 0009 has it; beside it the same worker meters the
same topic into tables without. Kafka acknowledges from the page cache; beside it a topic that
fsyncs each batch first (``flush.messages=1``). One and the other take turns, so that a disk that
slows down slows both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaError, Message, Producer

from bench import aggregator
from bench.errors import BenchError
from bench.fill import FilledTopic, fill_topic
from bench.generator import Load, now_ms
from services.local_stack.infrastructure import Infrastructure
from services.platform.kafka import admin_client
from services.platform.migrate import TopicPlan, ensure_topic
from services.platform.settings import KafkaSettings

#: What migration 0009 sets, taken back.
UNSYNCED: Final = (
    "fsync_after_insert = 0, fsync_part_directory = 0, min_rows_to_fsync_after_merge = 0"
)
PARTITIONS: Final = 4
#: Events that are sent one at a time, each after the one before was acknowledged.
SINGLE_EVENTS: Final = 300
ACKNOWLEDGED_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Durability:
    """One run of one part, with fsync or without.

    `single_ms` is how long one write takes when it is alone, in milliseconds: the mean flush of the
    worker, or the median acknowledgement of one event.
    """

    part: str
    synced: bool
    events_per_second: float
    single_ms: float


def measure(infrastructure: Infrastructure, load: Load, runs: int) -> Iterator[Durability]:
    """Both parts, with and without, in turns. Raises `BenchError`, `VoidRunError`."""
    servers = infrastructure.bootstrap_servers
    topic = fill_topic(servers, "bench.durability", PARTITIONS, load, lambda line: None)
    for run in range(1, runs + 1):
        for synced in (True, False):
            yield measure_clickhouse(infrastructure, topic, f"durability-{run}", synced=synced)
        for synced in (True, False):
            yield measure_kafka(servers, load.events, f"bench.durability.{run}", synced=synced)


def measure_clickhouse(
    infrastructure: Infrastructure, topic: FilledTopic, name: str, *, synced: bool
) -> Durability:
    """A worker over the whole topic."""
    name = f"{name}-{'synced' if synced else 'unsynced'}"
    prepare = None if synced else take_sync_back
    done = aggregator.measure(infrastructure, topic, name, prepare=prepare)
    return Durability("clickhouse", synced, done.events_per_second, done.flush_seconds * 1000)


def take_sync_back(client: Client) -> None:
    """Have no table of the database fsync; raises `BenchError` where none did."""
    tables = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND position(engine_full, 'fsync_after_insert = 1') > 0"
    ).result_rows
    if not tables:
        raise BenchError("no table fsyncs its inserts: what migration 0009 set is gone")
    for (name,) in tables:
        client.command(f"ALTER TABLE `{name}` MODIFY SETTING {UNSYNCED}")


def measure_kafka(servers: str, events: int, name: str, *, synced: bool) -> Durability:
    """A producer that writes as fast as it can, then one that waits for each acknowledgement."""
    name = f"{name}.{'synced' if synced else 'unsynced'}"
    admin = admin_client(KafkaSettings(kafka_bootstrap_servers=servers))
    config = {"flush.messages": "1"} if synced else {}
    ensure_topic(admin, name, TopicPlan(PARTITIONS), lambda line: None, config)
    started = time.monotonic()
    fill_topic(servers, name, PARTITIONS, Load(events, now_ms(), seed=12), lambda line: None)
    seconds = time.monotonic() - started
    return Durability("kafka", synced, events / seconds, single_ms(servers, name))


def single_ms(servers: str, topic: str) -> float:
    """The median time until one event is acknowledged, in milliseconds."""
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 0})
    took: list[float] = []

    def acknowledged(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            raise BenchError(f"{topic} takes no event: {error.str()}")
        took.append(time.monotonic() - started)

    for number in range(SINGLE_EVENTS):
        started = time.monotonic()
        producer.produce(topic, b"{}" * 100, b"%d" % number, on_delivery=acknowledged)
        if producer.flush(ACKNOWLEDGED_SECONDS_MAX):
            raise BenchError(f"{topic} did not acknowledge an event in time")
    return statistics.median(took) * 1000

"""Prefilled topics: made once, read by every run of every program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Producer

from bench.errors import BenchError
from bench.generator import Load, Totals, blocks
from bench.oracle import Oracle
from bench.peers.grain import MINUTES, Grain, Sums
from services.platform.kafka import admin_client
from services.platform.migrate import TopicPlan, ensure_topic
from services.platform.settings import KafkaSettings

Report = Callable[[str], None]
#: Of a topic, where nothing else is said.
PARTITIONS = 4
FLUSH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class FilledTopic:
    """A topic, and what lies on it."""

    name: str
    partitions: int
    totals: Totals
    #: What is summed of it by which keys, and what must be found.
    grain: Grain
    sums: Sums
    value_bytes_mean: float


def fill_topic(
    bootstrap_servers: str,
    name: str,
    partitions: int,
    load: Load,
    report: Report,
    grain: Grain = MINUTES,
) -> FilledTopic:
    """Make the topic as `wattoken migrate` does and put the load on it, compressed with lz4.

    Adds to a topic that exists; totals and sums are then of what was added. Raises `BenchError`
    when the broker does not take all of it.
    """
    settings = KafkaSettings(kafka_bootstrap_servers=bootstrap_servers)
    ensure_topic(admin_client(settings), name, TopicPlan(partitions), lambda line: None)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "log_level": 3,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 200_000,
        }
    )
    oracle = Oracle(load, grain)
    started = time.monotonic()
    value_bytes = input_tokens = output_tokens = 0
    for block in blocks(load):
        for key, value in zip(block.keys, block.values, strict=True):
            _produce(producer, name, key, value)
        producer.poll(0)
        oracle.add(block)
        value_bytes += sum(map(len, block.values))
        input_tokens += block.totals.input_tokens
        output_tokens += block.totals.output_tokens
    left = producer.flush(FLUSH_SECONDS)
    if left:
        raise BenchError(f"{left} events of {name} were not taken by the broker in time")
    seconds = time.monotonic() - started
    report(f"topic {name}: {load.events:,} events, {partitions} partitions, in {seconds:.0f} s")
    totals = Totals(load.events, input_tokens, output_tokens)
    return FilledTopic(name, partitions, totals, grain, oracle.sums(), value_bytes / load.events)


def _produce(producer: Producer, topic: str, key: bytes, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.1)
        else:
            return

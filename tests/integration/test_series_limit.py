"""A flood of invented names stops no worker, loses no token, and is decided once, crash or not."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.wire import WireEvent, encode
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from tests.integration.faults import (
    PARTITIONS,
    database,
    log_ends,
    metering,
    metric,
    select,
    wait_until_metered,
)

SERIES_MAX: Final = 5
UNUSED_SERIES_MAX: Final = 2
EVENTS: Final = 6_000
NAMES: Final = 400

pytestmark = pytest.mark.faults


def event(number: int, model: str, tokens: int) -> bytes:
    names = (f"id-{number}", "gateway", "acme", datetime.now(UTC), "eu", "openai", model)
    return encode(WireEvent(*names, tokens, 0))


def flood(pipeline: Pipeline, numbers: range) -> None:
    """Send events of many names, some without tokens, and some of them twice."""
    draw = random.Random(numbers.start)
    sender = Producer({"bootstrap.servers": pipeline.infrastructure.bootstrap_servers})
    for number in numbers:
        value = event(number, f"m-{draw.randrange(NAMES)}", draw.choice([0, 0, 1, 7]))
        for _ in range(draw.choice([1, 1, 1, 2])):
            sender.produce(pipeline.topic, value, None, number % PARTITIONS)
    assert sender.flush(30) == 0


def expected(pipeline: Pipeline) -> Counter[str]:
    """Work out the tokens of each model from the log, record by record."""
    tokens: Counter[str] = Counter()
    consumer = Consumer(
        {
            "bootstrap.servers": pipeline.infrastructure.bootstrap_servers,
            **{"group.id": "test", "enable.auto.commit": False, "auto.offset.reset": "earliest"},
        }
    )
    used: dict[int, set[str]] = defaultdict(set)
    seen: set[str] = set()
    ends = log_ends(pipeline)
    try:
        for partition, end in ends.items():
            consumer.assign([TopicPartition(pipeline.topic, partition, 0)])
            offset = -1
            while offset < end - 1:
                for message in consumer.consume(1_000, 1.0):
                    offset = message.offset() or 0
                    fields = json.loads(message.value() or b"")
                    if fields["id"] in seen:
                        continue
                    seen.add(fields["id"])
                    amount, model = fields["input_tokens"], fields["model"]
                    if amount and model not in used[partition]:
                        if len(used[partition]) == SERIES_MAX:
                            model = "other"
                        else:
                            used[partition].add(model)
                    tokens[model] += amount
    finally:
        consumer.close()
    return tokens


def test_names_beyond_the_limit_are_other_whatever_crashes(infrastructure: Infrastructure) -> None:
    with metering(infrastructure, aggregator_flush_interval_seconds="0.1") as pipeline:
        worker = pipeline.aggregator
        worker.kill(signal.SIGTERM)
        assert worker.wait(60) == 0
        with database(pipeline) as client:
            client.command(
                "INSERT INTO metering_rules SELECT * REPLACE"
                f" ({SERIES_MAX} AS series_max, {UNUSED_SERIES_MAX} AS unused_series_max,"
                " now64(3) AS written_at) FROM metering_rules FINAL"
            )
        worker.restart()
        for third in range(3):
            flood(pipeline, range(third * EVENTS // 3, (third + 1) * EVENTS // 3))
            if third < 2:
                time.sleep(0.3 * third)
                worker.kill(signal.SIGKILL)
                worker.wait(10)
                worker.restart()
        wait_until_metered(pipeline)
        must = +expected(pipeline)
        found = select(pipeline, "SELECT model, input_tokens FROM registers WHERE input_tokens > 0")
        assert {model: int(tokens) for model, tokens in found} == must
        assert must["other"] > sum(must.values()) / 2, "the flood is mostly beyond the limit"
        for view in ("usage_minute", "usage_hour"):
            query = f"SELECT model, sum(input_tokens) FROM {view} GROUP BY model"
            sums = {model: int(tokens) for model, tokens in select(pipeline, query) if tokens}
            assert sums == must
        # Registers: those admitted with and without tokens in each partition, and other.
        (registers,) = select(pipeline, "SELECT count() FROM registers")[0]
        assert registers <= PARTITIONS * (SERIES_MAX + UNUSED_SERIES_MAX) + 1
        assert metric(worker, "events_as_other_total") > 0
        pipeline.run("audit")

"""What the registers must show, computed from the log alone, with nothing of the aggregator's."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

TOPIC = "usage.events.v1"
SILENCE_SECONDS = 20

#: (region, provider, model)
Series = tuple[str, str, str]
#: requests, input tokens, output tokens
Totals = tuple[int, int, int]
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Log:
    """The log, read to its end."""

    #: The events by partition and offset; of what is no JSON, nothing.
    events: dict[Place, dict[str, object]]
    records: int

    def registers(self, dead: set[Place]) -> dict[Series, Totals]:
        """Totals of the events but for dead letters, each identity once: the first copy counts."""
        counted: set[tuple[object, object, object]] = set()
        totals: dict[Series, Counter[str]] = {}
        for place, event in self.events.items():
            identity = (event.get("tenant"), event.get("source"), event.get("id"))
            if place in dead or identity in counted:
                continue
            counted.add(identity)
            series = str(event["region"]), str(event["provider"]), str(event["model"])
            register = totals.setdefault(series, Counter())
            register["requests"] += 1
            for name in ("input_tokens", "output_tokens"):
                number = event[name]
                assert isinstance(number, int)
                register[name] += number
        return {
            series: (register["requests"], register["input_tokens"], register["output_tokens"])
            for series, register in totals.items()
        }


def read_log(bootstrap_servers: str) -> Log:
    """Read every record that is on the log now; an identity's copies lie in one partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"oracle-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    try:
        partitions = consumer.list_topics(TOPIC, timeout=SILENCE_SECONDS).topics[TOPIC].partitions
        ends: dict[int, int] = {}
        for partition in partitions:
            where = TopicPartition(TOPIC, partition)
            first, end = consumer.get_watermark_offsets(where, timeout=SILENCE_SECONDS)
            assert first == 0, "records have been deleted from the log"
            ends[partition] = end
        consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in partitions])
        return _read(consumer, {partition: end for partition, end in ends.items() if end})
    finally:
        consumer.close()


def _read(consumer: Consumer, ends: dict[int, int]) -> Log:
    events: dict[Place, dict[str, object]] = {}
    records = 0
    while ends:
        messages = consumer.consume(10_000, timeout=SILENCE_SECONDS)
        assert messages, f"the log fell silent before the ends {ends}"
        for message in messages:
            assert message.error() is None, message.error()
            partition, offset = message.partition(), message.offset()
            if partition not in ends:
                continue  # appended since
            records += 1
            try:
                event = json.loads(message.value() or b"")
            except ValueError:
                event = None
            if isinstance(event, dict):
                events[partition, offset] = event
            if offset + 1 >= ends[partition]:
                del ends[partition]
    return Log(events, records)

"""Reads a stretch of each partition of a predecessor: keys and values of committed records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.aggregator.arrays.key_index import Ints
from services.platform.errors import UnavailableError
from services.platform.kafka import committed_reader_config
from services.platform.settings import KafkaSettings

RECORDS_MAX: Final = 4_000
#: Longest that records are waited for to be given together: the last of a log wait for it in vain.
POLL_SECONDS: Final = 0.1
#: Longest that nothing may come before the broker counts as away.
SILENCE_SECONDS: Final = 30.0
#: What the client may hold ahead, all partitions together. It asks for more only while it has less,
#: looks again after a second if nobody says otherwise, and unpacks an answer of all partitions
#: whole. With its own values a million records took 130 MB; with these 30 MB, and no longer.
HOLD_AHEAD: Final = {
    "queued.max.messages.kbytes": 8 * 1024,
    "queued.min.messages": 10_000,
    "fetch.queue.backoff.ms": 2,
    "fetch.message.max.bytes": 256 * 1024,
}


@dataclass(slots=True)
class Block:
    """Records of one partition in their order; the four are parallel."""

    offsets: list[int] = field(default_factory=list)
    append_ms: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets)

    def times(self) -> Ints:
        """The append times as an array."""
        return np.array(self.append_ms, np.int64)


class PredecessorReader:
    """Reads from an offset of each partition to below another, all partitions side by side.

    A context manager. No group is joined and nothing committed.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
    ) -> None:
        self._topic = topic
        self._ends = ends
        self._going_on = {number for number, start in starts.items() if start < ends[number]}
        self._paused: set[int] = set()
        self._heard_at = time.monotonic()
        self._consumer = Consumer(
            {
                **committed_reader_config(settings, "wattoken-predecessor"),
                **HOLD_AHEAD,
            }
        )
        self._consumer.assign(
            [TopicPartition(topic, number, starts[number]) for number in self._going_on]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    @property
    def going_on(self) -> set[int]:
        """The partitions of which not all is read yet."""
        return self._going_on

    def hold(self, partitions: set[int]) -> None:
        """Read no more of these partitions for now, but of all others."""
        stop = (partitions - self._paused) & self._going_on
        go = (self._paused - partitions) & self._going_on
        if stop:
            self._consumer.pause([TopicPartition(self._topic, number) for number in stop])
        if go:
            self._consumer.resume([TopicPartition(self._topic, number) for number in go])
        self._paused = (self._paused | stop) - go

    def read(self) -> dict[int, Block]:
        """Read some more records, by partition; nothing may have come.

        Raises `UnavailableError` when that goes on for long.
        """
        blocks: dict[int, Block] = {}
        try:
            messages = self._consumer.consume(RECORDS_MAX, POLL_SECONDS)
        except KafkaException as error:
            raise self._failure(error.args[0]) from None
        for message in messages:
            self._take(message, blocks)
        if messages:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > SILENCE_SECONDS:
            raise UnavailableError(f"Kafka gives no more records of {self._topic}")
        return blocks

    def _take(self, message: Message, blocks: dict[int, Block]) -> None:
        partition, offset, error = message.partition(), message.offset(), message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise self._failure(error)
        assert partition is not None and offset is not None
        if partition not in self._going_on:
            return
        if error is None and offset < self._ends[partition]:
            block = blocks.setdefault(partition, Block())
            block.offsets.append(offset)
            block.append_ms.append(message.timestamp()[1])
            block.keys.append(message.key())
            block.values.append(message.value())
        # At its very end a log may hold markers, which a reader is not shown.
        if error is not None or offset + 1 >= self._ends[partition]:
            self._going_on.discard(partition)
            self._consumer.pause([TopicPartition(self._topic, partition)])

    def _failure(self, error: KafkaError) -> UnavailableError:
        return UnavailableError(f"Kafka does not give records of {self._topic}: {error.str()}")

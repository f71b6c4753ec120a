"""Reads a stretch of each partition of a predecessor: keys and values of committed records.

As the meter reads (`kafka.raw_fetch`): whole Kafka batches, unpacked by arrays. A message object a
record took longer than all that is done with what it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiokafka
import numpy as np
from aiokafka.errors import KafkaError

from services.aggregator.arrays.frames import OptionalFrames
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.record_batch import RecordBatch, offsets_and_times, unpack
from services.aggregator.kafka.raw_fetch import Stretch, install
from services.platform.errors import UnavailableError
from services.platform.kafka_security import aiokafka_options, security_config
from services.platform.log import get_logger
from services.platform.settings import KafkaSettings

T = TypeVar("T")

logger = get_logger(__name__)

#: Longest that records are waited for to be given together: the last of a log wait for it in vain.
POLL_SECONDS: Final = 0.1
#: Longest that connecting may take, and that nothing may come before the broker counts as away.
CONNECT_SECONDS: Final = 20.0
SILENCE_SECONDS: Final = 30.0
#: How long a log that says it ends before it did is believed to say so for now only: a broker that
#: has just begun to lead a partition may not know yet up to where it is replicated.
SETTLE_SECONDS: Final = 5.0
#: What a fetch may bring of all partitions together, and of one, as it was compressed: unpacked it
#: is ten times as much.
FETCH_BYTES_MAX: Final = 2 * 1024 * 1024
PARTITION_BYTES_MAX: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Records of one partition in their order; the four are parallel."""

    offsets: Ints
    append_ms: Ints
    keys: OptionalFrames
    values: OptionalFrames

    def __len__(self) -> int:
        return len(self.offsets)

    def between(self, first: int, end: int) -> Block:
        """Those from an offset to below another."""
        low, high = np.searchsorted(self.offsets, [first, end]).tolist()
        return Block(
            self.offsets[low:high],
            self.append_ms[low:high],
            self.keys.cut(low, high),
            self.values.cut(low, high),
        )


def block_of(batches: Sequence[RecordBatch]) -> Block:
    """The records of some batches. Raises `MalformedBatchError`."""
    unpacked = unpack(batches)
    return Block(*offsets_and_times(batches, unpacked), unpacked.keys, unpacked.values)


@dataclass(slots=True)
class Standstill:
    """Since when a partition is said to end where it does, and when it was said first."""

    since: float
    said_ms: int


class PredecessorReader:
    """Reads from an offset of each partition to below another, all partitions side by side.

    A context manager, for one thread. No group is joined and nothing committed. Entered, it raises
    `UnavailableError` where Kafka does not answer.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._ends = ends
        self._next = {number: at for number, at in starts.items() if at < ends[number]}
        self._going_on = set(self._next)
        self._held: set[int] = set()
        self._standing: dict[int, Standstill] = {}
        self._heard_at = time.monotonic()
        self._consumer: aiokafka.AIOKafkaConsumer | None = None
        # Nobody else's: whoever recovers runs it only while it reads.
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        try:
            self._run(self._connect())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except (KafkaError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            raise UnavailableError(
                f"Kafka does not give records of {self._topic}: {why}"
            ) from error

    async def _connect(self) -> None:
        install()
        self._consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            client_id="wattoken-predecessor",
            isolation_level="read_committed",
            # What is not there is an error.
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=PARTITION_BYTES_MAX,
            fetch_max_wait_ms=round(POLL_SECONDS * 1000),
            **aiokafka_options(security_config(self._settings)),
        )
        await asyncio.wait_for(self._consumer.start(), CONNECT_SECONDS)
        self._consumer.assign([self._tp(number) for number in self._going_on])
        for number in self._going_on:
            self._consumer.seek(self._tp(number), self._next[number])

    def _close(self) -> None:
        # What was read is read, and what went wrong was raised, whatever this says besides.
        with self._runner, contextlib.suppress(KafkaError, OSError):
            if self._consumer is not None:
                self._runner.run(self._consumer.stop())

    def _tp(self, number: int) -> aiokafka.TopicPartition:
        return aiokafka.TopicPartition(self._topic, number)

    @property
    def going_on(self) -> set[int]:
        """The partitions of which not all is read yet."""
        return self._going_on

    def hold(self, partitions: set[int]) -> None:
        """Read no more of these partitions from now on, but of all others."""
        self._held = partitions

    def read(self) -> dict[int, Block]:
        """Read some more records, by partition; nothing may have come.

        Raises `UnavailableError` when that goes on for long.
        """
        fetched = self._run(self._fetch())
        blocks = {}
        for tp, stretches in fetched.items():
            block = self._take(tp.partition, stretches)
            if block is not None:
                blocks[tp.partition] = block
        if fetched:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > SILENCE_SECONDS:
            raise UnavailableError(f"Kafka gives no more records of {self._topic}")
        self._end_what_is_shorter()
        return blocks

    async def _fetch(self) -> Mapping[aiokafka.TopicPartition, list[Stretch]]:
        consumer = self._consumer
        assert consumer is not None
        unwanted = {self._tp(number) for number in (set(self._next) - self._going_on) | self._held}
        paused = consumer.paused()
        consumer.pause(*unwanted - paused)
        consumer.resume(*paused - unwanted)
        fetched: Mapping[aiokafka.TopicPartition, list[Stretch]] = await consumer.getmany(
            timeout_ms=round(POLL_SECONDS * 1000)
        )
        return fetched

    def _take(self, number: int, stretches: Sequence[Stretch]) -> Block | None:
        """What some batches hold of the stretch that is read; None where that is nothing."""
        if number not in self._going_on:
            return None
        first, end = self._next[number], self._ends[number]
        self._next[number] = stretches[-1].next_offset
        if self._next[number] >= end:
            self._going_on.discard(number)
        batches = [stretch.batch for stretch in stretches if stretch.batch is not None]
        # The first of them may begin before, the last may go on behind.
        block = block_of(batches).between(first, end) if batches else None
        return block if block else None

    def _end_what_is_shorter(self) -> None:
        """Go on without what a partition has no more: its end was lost since it was metered."""
        assert self._consumer is not None
        for number in sorted(self._going_on - self._held):
            tp = self._tp(number)
            said: int | None = self._consumer.last_stable_offset(tp)
            said_ms: int | None = self._consumer.last_poll_timestamp(tp)
            if said is None or said_ms is None or said > self._next[number]:
                self._standing.pop(number, None)
                continue
            standing = self._standing.setdefault(number, Standstill(time.monotonic(), said_ms))
            lasts = time.monotonic() - standing.since > SETTLE_SECONDS
            if lasts and said_ms != standing.said_ms:
                logger.warning(
                    "the predecessor has lost its end, and the ids that it held",
                    **{"topic": self._topic, "partition": number},
                    **{"ends_at": said, "ended_at": self._ends[number]},
                )
                self._going_on.discard(number)

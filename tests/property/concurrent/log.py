"""Kafka in the model: incarnations of a topic, their records, and what groups committed.

A record's decision (accepted, duplicate, refused) is a function of the log alone, so the oracle
takes it at the moment the record is appended.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.frames import frames_of
from services.aggregator.core.judging import Records
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoded, Decoder, together
from services.aggregator.decoding.labels import Labels
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log
from services.platform.kafka_questions import Commit
from tests.property.concurrent.oracle import PartitionTruth

T = TypeVar("T")

#: One for all: what a number means is the same to every process and in every schedule.
LABELS = Labels()
DECODER = Decoder(LABELS)
TOPIC = "usage.events.v1"
#: To decode takes 2 ms, so each kind of event is decoded once, at this time.
PATTERN_MS = 1_773_576_000_000


@lru_cache(maxsize=100_000)
def event(identity: int, time_ms: int, tokens: int) -> bytes:
    """A usage event as a record; ``identity`` picks its id, tenant and model, tokens the rest."""
    fields = {
        "id": f"id-{identity}",
        "source": "gateway",
        "tenant": f"tenant-{identity % 2}",
        "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "region": "eu",
        "provider": "p",
        "model": f"m-{identity // 2 % 2}",
        "input_tokens": tokens,
        "output_tokens": 1,
        **({} if tokens != 1 else {"service_tier": "batch"}),
        **({} if tokens != 2 else {"pages": 2}),
    }
    value = json.dumps(fields).encode()
    _drawn[value] = (identity, time_ms, tokens)
    return value


#: What `event` was called with, by the record it made.
_drawn: dict[bytes, tuple[int, int, int]] = {}


@lru_cache(maxsize=10_000)
def _decoded_once(value: bytes) -> Decoded:
    return DECODER.decode(frames_of([value]))


def decoded_of(values: Sequence[bytes]) -> Decoded:
    """What the records say, as decoder processes find it."""
    if not values:
        return _decoded_once(b"").cut(0, 0)
    parts, times_us, places = [], [], []
    for place, value in enumerate(values):
        if value in _drawn:
            identity, time_ms, tokens = _drawn[value]
            parts.append(_decoded_once(event(identity, PATTERN_MS, tokens)))
            times_us.append(1000 * time_ms)
            places.append(place)
    failures = [
        replace(failure, index=place)
        for place, value in enumerate(values)
        if value not in _drawn
        for failure in _decoded_once(value).failures
    ]
    if not parts:
        return replace(_decoded_once(b"").cut(0, 0), count=len(values), failures=failures)
    return replace(
        together(len(values), parts),
        places=np.array(places),
        time_us=np.array(times_us),
        failures=failures,
    )


@dataclass(slots=True)
class Fetched:
    """What one fetch brought of one partition: as the transport's `Stretch`es, read already."""

    first_offset: int
    next_offset: int
    records: Records


class ModelPartition:
    """One partition of one incarnation: records, and offsets that hold none."""

    def __init__(self, number: int, rules: MeteringRules) -> None:
        self.number = number
        self.start = 0
        self.end = 0
        #: Where it ended when partitions were added to the topic.
        self.closed_at: int | None = None
        self.rules: list[tuple[int, MeteringRules]] = [(0, rules)]
        self.truth = PartitionTruth()
        self._offsets: list[int] = []
        self._append_ms: list[int] = []
        self._values: list[bytes] = []

    def append(self, append_ms: int, value: bytes) -> bool:
        """Append a record; its fate is decided here and now.

        Not what only a record that is deleted shows to be a duplicate: a log is kept for longer
        than events are sent again.
        """
        if self.truth.forgotten(append_ms, value, self.rules[-1][1], self.start):
            return False
        self.truth.decide(self.end, append_ms, value, self.rules[-1][1])
        self._offsets.append(self.end)
        self._append_ms.append(append_ms)
        self._values.append(value)
        self.end += 1
        return True

    def append_marker(self) -> None:
        """Take an offset that holds no record: a transaction's marker."""
        self.end += 1

    def change_rules(self, rules: MeteringRules) -> None:
        """From here on these rules hold."""
        if self.rules[-1][0] == self.end:
            self.rules.pop()
        self.rules.append((self.end, rules))

    @property
    def rule_book(self) -> RuleBook:
        return RuleBook(tuple(self.rules))

    @property
    def newest_append_ms(self) -> int:
        return max(self._append_ms, default=0)

    def fetch(self, position: int, offsets: int) -> Fetched:
        """Read so many offsets from a position on, or to the end."""
        last = min(self.end, position + offsets)
        first_at, end_at = bisect_left(self._offsets, position), bisect_left(self._offsets, last)
        return Fetched(
            position,
            last,
            Records(
                np.array(self._offsets[first_at:end_at], np.int64),
                np.array(self._append_ms[first_at:end_at], np.int64),
                self._values[first_at:end_at],
            ),
        )

    def at(self, time_ms: int) -> int:
        """The first offset appended at or after a time; -1 where there is none."""
        for offset, append_ms in zip(self._offsets, self._append_ms, strict=True):
            if append_ms >= time_ms and offset >= self.start:
                return offset
        return -1

    def records_before(self, time_ms: int, below: int) -> int:
        """Up to where, but not beyond ``below``, all records are older than a time."""
        for offset, append_ms in zip(self._offsets, self._append_ms, strict=True):
            if append_ms >= time_ms or offset >= below:
                return min(offset, below)
        # A marker at the end stays.
        return min(self._offsets[-1] + 1, below) if self._offsets else 0


class ModelLog:
    """One incarnation of the topic."""

    def __init__(self, name: str, partitions: int, rules: MeteringRules) -> None:
        self.name = name
        self.partitions = [ModelPartition(number, rules) for number in range(partitions)]


def log_of(log: ModelLog, topic: str = TOPIC) -> Log:
    """A log as the code names it."""
    cluster_id, topic_id = log.name.split("/")
    return Log(cluster_id, topic_id, topic, len(log.partitions))


class ModelQuestions:
    """`KafkaQuestions` over the model, asked by one process. What it asks may fail, or come late.

    Topics are asked about by name: a late worker is told about what the topic is now.
    """

    def __init__(self, process: Any) -> None:
        self._process = process

    @property
    def _now(self) -> ModelLog:
        log: ModelLog = self._process.world.log
        return log

    def describe(self, topic: str) -> Log:
        def answer() -> Log:
            return log_of(self._now, topic)

        return self._ask("ask what the topic is", answer)

    def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        def answer() -> dict[int, int]:
            self._there(partitions)
            return {number: self._now.partitions[number].start for number in partitions}

        return self._ask("ask where the log starts", answer)

    def ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        def answer() -> dict[int, int]:
            self._there(partitions)
            return {number: self._now.partitions[number].end for number in partitions}

        return self._ask("ask where the log ends", answer)

    def stable_ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        return self.ends(topic, partitions)

    def at(self, topic: str, times_ms: Mapping[int, int]) -> dict[int, int]:
        def answer() -> dict[int, int]:
            self._there(times_ms)
            return {
                number: self._now.partitions[number].at(time_ms)
                for number, time_ms in times_ms.items()
            }

        return self._ask("ask for offsets by time", answer) if times_ms else {}

    def commits(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, Commit]:
        def answer() -> dict[int, Commit]:
            commits: dict[int, Commit] = self._process.world.group.commits
            return {number: commits[number] for number in partitions if number in commits}

        return self._ask("ask for commits", answer)

    def _there(self, partitions: Iterable[int]) -> None:
        """Of partitions that the topic does not have (any more) a broker says nothing yet."""
        missing = [number for number in partitions if number >= len(self._now.partitions)]
        if missing:
            raise UnavailableError(f"the topic has no partitions {missing}")

    def _ask(self, what: str, answer: Callable[[], T]) -> T:
        found: T = self._process.edge_call(what, "kafka", answer)
        return found

"""What a log takes along from those before it: the ids of their last dedup horizon.

An event and its resend lie in one partition of a log, but not in two logs with distinct numbers of
partitions. So before a partition is metered, the ids that the predecessors saw and whose keys lead
to it are entered as if it had seen them, at the log times of then. Log time goes on where that of
the last predecessor ended, so all that a log meters comes after all that was metered before it.

They become runs whose ranges lie before the log's first offset (`core.runs`), so they are entered
once, and again at a recovery that has not all of them on disk, as long as an id of a predecessor
can make a duplicate. All partitions that a worker recovers together are served by one reading.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from confluent_kafka import murmur2

from schemas.identity import identity_hash
from schemas.wire import InvalidEventError
from schemas.wire import decode as decode_event
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.murmur2 import partitions_of
from services.aggregator.arrays.time_merge import NEVER, NONE, Sighted, TimeMerge, together
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records, judge, moment
from services.aggregator.core.log_time import LogTime
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoded, Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.errors import PredecessorGoneError
from services.aggregator.kafka.predecessor_reader import Block, PredecessorReader
from services.aggregator.settings import AggregatorSettings
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.retry import AbandonedError
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.log import get_logger
from services.platform.succession import Succession

logger = get_logger(__name__)

#: Sightings of one partition that may wait for the others before it is read no further.
HELD_MAX: Final = 100_000
#: Then it goes on when no more than so many wait.
HELD_LOW: Final = HELD_MAX // 2
PROGRESS_SECONDS: Final = 5.0
#: Records of all partitions that are decoded together. In pieces of a hundred an event takes six
#: times as long.
DECODED_AT_ONCE: Final = 8_000
#: Fewer, where they are so large: whoever writes to a log may write a megabyte a record.
TAKEN_BYTES_MAX: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Heir:
    """A partition that ids are entered for: those seen at ``from_ms`` or later.

    ``memory_max``, at least 1, is how many of its ids may stay in memory.
    """

    seen: SeenIds
    from_ms: int
    memory_max: int


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A log before this one, and what is needed of it to say which ids it saw, and when."""

    succession: Succession
    log: Log
    rules: Mapping[int, RuleBook]
    #: Its log time begins here, and in each of its partitions it ended there.
    floor_ms: int
    ended_ms: Mapping[int, int]

    @property
    def last_append_ms(self) -> int:
        """The log time at which it ended."""
        return max([self.floor_ms, *self.ended_ms.values()])


class Inheritance:
    """The predecessors of a worker's log. Synchronous; for one thread at a time."""

    def __init__(
        self,
        settings: AggregatorSettings,
        questions: KafkaQuestions,
        predecessors: Sequence[Succession],
        partitions: int,
    ) -> None:
        self._settings = settings
        self._questions = questions
        self._predecessors = predecessors
        self._partitions = partitions
        self._ancestors: list[Ancestor] | None = None
        #: Records read so far: how a watch tells that a long reading moves on.
        self.progress = 0

    @property
    def floor_ms(self) -> int:
        """Where log time begins: at the end of the predecessors'; 0 without any.

        Raises `UnavailableError` and `ConfigurationError`.
        """
        return self._known()[-1].last_append_ms if self._predecessors else 0

    def _known(self) -> list[Ancestor]:
        """The predecessors, oldest first. They have ended, so they are looked up once."""
        if self._ancestors is None:
            found: list[Ancestor] = []
            for succession in self._predecessors:
                floor_ms = found[-1].last_append_ms if found else 0
                found.append(self._look_up(succession, floor_ms))
            self._ancestors = found
        return self._ancestors

    def _look_up(self, succession: Succession, floor_ms: int) -> Ancestor:
        assert succession.ends is not None
        partitions = len(succession.ends)
        cluster_id, _, topic_id = succession.predecessor_log.partition("/")
        log = Log(cluster_id, topic_id, succession.predecessor_topic, partitions)
        sink = ClickHouseSink(self._settings, log, Labels())
        try:
            rules = sink.read_rules(range(partitions))
            checkpoints = sink.read_checkpoints(range(partitions))
        finally:
            sink.close()
        ended_ms = {number: one.last_append_ms for number, one in checkpoints.items()}
        return Ancestor(succession, log, rules, floor_ms, ended_ms)

    def enter(self, heirs: Mapping[int, Heir], abandoned: Callable[[], bool]) -> None:
        """Enter the ids of the predecessors for these partitions of the log.

        Raises `AbandonedError` when ``abandoned()`` says so, `UnavailableError` when Kafka or
        ClickHouse does not answer, and `PredecessorGoneError`.
        """
        for ancestor in self._known():
            needed = {
                number: heir
                for number, heir in heirs.items()
                if heir.from_ms <= ancestor.last_append_ms
            }
            if needed:
                self._enter(ancestor, needed, abandoned)

    def _enter(
        self, ancestor: Ancestor, heirs: Mapping[int, Heir], abandoned: Callable[[], bool]
    ) -> None:
        starts, ends = self._stretch(ancestor, min(heir.from_ms for heir in heirs.values()))
        reading = Reading(ancestor, heirs, self._partitions, starts)
        total = sum(ends[number] - start for number, start in starts.items())
        told_at = time.monotonic()
        with PredecessorReader(self._settings, ancestor.log.topic, starts, ends) as reader:
            while reader.going_on:
                if abandoned():
                    raise AbandonedError("read the predecessor's ids")
                for number, block in reader.read().items():
                    reading.take(number, block)
                    self.progress += len(block)
                reader.hold(reading.hand_on(set(starts) - reader.going_on))
                if time.monotonic() - told_at > PROGRESS_SECONDS:
                    told_at = time.monotonic()
                    progress = {"read": reading.records, "of": total, "ids": reading.entered}
                    logger.info(
                        "reading ids of the predecessor",
                        log=ancestor.log.name,
                        **progress,
                        going_on=sorted(reader.going_on),
                    )
        reading.hand_on(set(starts))
        logger.info(
            "ids of the predecessor entered",
            **{"log": ancestor.log.name, "topic": ancestor.log.topic},
            **{"partitions": len(heirs), "read": reading.records, "ids": reading.entered},
        )

    def _stretch(self, ancestor: Ancestor, from_ms: int) -> tuple[dict[int, int], dict[int, int]]:
        """From and up to where each partition of a predecessor is to be read."""
        stretches = dict(enumerate(ancestor.succession.ends or ()))
        topic = ancestor.log.topic
        try:
            now = self._questions.describe(topic)
        except ConfigurationError as error:
            raise self._gone(ancestor, str(error)) from None
        if now.name != ancestor.log.name:
            raise self._gone(ancestor, f"it was recreated as log {now.name}")
        held = self._questions.starts(topic, list(stretches))
        # Log time may stand still where append time steps back, so what is younger by one may be
        # older by the other; what comes first is at least as old by both.
        after = self._questions.at(topic, dict.fromkeys(stretches, from_ms))
        starts, ends = {}, {}
        for number, stretch in stretches.items():
            ends[number] = stretch.end
            starts[number] = reading_start(
                ancestor, number, from_ms, held=held[number], found=after[number]
            )
            if starts[number] == held[number] > stretch.start:
                logger.warning(
                    "retention may have taken ids of the predecessor that are needed",
                    **{"topic": topic, "partition": number, "starts_at": held[number]},
                )
        return starts, ends

    def _gone(self, ancestor: Ancestor, why: str) -> PredecessorGoneError:
        return PredecessorGoneError(
            f"topic {ancestor.log.topic} was followed by this log, which needs its ids until a"
            f" dedup horizon and 25 h after {moment(ancestor.last_append_ms):%FT%TZ}: {why}. Bring"
            " it back, or accept that its events count again where they are sent again:"
            " docs/runbook.md, 'The topic before is gone'"
        )


def reading_start(ancestor: Ancestor, number: int, from_ms: int, *, held: int, found: int) -> int:
    """Say where a partition of a predecessor is to be read from, for its ids from a log time on.

    ``held`` is the first offset that the log still holds, ``found`` that of the first record
    appended at or after the time; -1 where Kafka finds none.

    Raises `UnavailableError` where it cannot be that there is none.
    """
    assert ancestor.succession.ends is not None
    stretch = ancestor.succession.ends[number]
    if from_ms <= ancestor.floor_ms:
        return min(held, stretch.end)
    if 0 <= found < stretch.end:
        return found
    if ancestor.ended_ms.get(number, ancestor.floor_ms) < from_ms:
        return stretch.end
    if held > stretch.start:
        # What was as young was deleted, and a clock has been behind ever since.
        return min(held, stretch.end)
    raise UnavailableError(
        f"Kafka finds no record of partition {number} of {ancestor.log.topic} below offset"
        f" {stretch.end} that is as young as the last of them (its answer: {found}), though the"
        f" log still begins at {held}"
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """Records of a partition of the predecessor that lead to heirs; the three are parallel."""

    records: Records
    log_ms: Ints
    owners: Ints


def all_of(parts: Sequence[Taken]) -> Taken:
    """Put parts one behind the other."""
    return Taken(
        Records(
            np.concatenate([part.records.offsets for part in parts]),
            np.concatenate([part.records.append_ms for part in parts]),
            [value for part in parts for value in part.records.values],
        ),
        np.concatenate([part.log_ms for part in parts]),
        np.concatenate([part.owners for part in parts]),
    )


class Reading:
    """One reading of a predecessor: records in, ids entered for the partitions they belong to."""

    def __init__(
        self,
        ancestor: Ancestor,
        heirs: Mapping[int, Heir],
        partitions: int,
        starts: Mapping[int, int],
        decoded_at_once: int = DECODED_AT_ONCE,
    ) -> None:
        self._ancestor = ancestor
        self._heirs = heirs
        self._partitions = partitions
        # Labels of its own: those of events that are not metered here are of no use.
        self._decoder = Decoder(Labels())
        self._log_time = {number: LogTime(ancestor.floor_ms) for number in starts}
        self._merge = TimeMerge(starts)
        self._from_ms = np.full(partitions, NEVER)
        for number, heir in heirs.items():
            self._from_ms[number] = heir.from_ms
        self._waiting: set[int] = set()
        #: What nobody has looked into yet, by partition; how many records, and bytes, it is.
        self._taken: dict[int, list[Taken]] = {number: [] for number in starts}
        self._taken_count = self._taken_bytes = 0
        self._decoded_at_once = decoded_at_once
        self._reached_ms = dict.fromkeys(starts, 0)
        self.records = 0
        self.entered = 0

    def take(self, number: int, block: Block) -> None:
        """Take some records of a partition of the predecessor."""
        log_ms = self._log_time[number].of(block.append_ms)
        self.records += len(block)
        owners = self._owners(block)
        # Whoever is no heir begins at `NEVER`.
        rows = np.flatnonzero(log_ms >= self._from_ms[owners])
        values = block.values.values(rows)
        records = Records(block.offsets[rows], block.append_ms[rows], values)
        self._taken[number].append(Taken(records, log_ms[rows], owners[rows]))
        self._reached_ms[number] = int(log_ms[-1])
        self._taken_count += len(rows)
        self._taken_bytes += sum(len(value) for value in values if value is not None)

    def _owners(self, block: Block) -> Ints:
        """The partition of the new log that each record's key leads to."""
        owners = partitions_of(block.keys.frames, self._partitions, murmur2)
        without = np.flatnonzero(~block.keys.there)
        owners[without] = [
            murmur2(canonical_key(value), self._partitions)
            for value in block.values.values(without)
        ]
        return owners

    def _find_ids(self) -> None:
        """Find the ids of what was taken, all at once: few events take as long as thousands."""
        taken = {number: all_of(parts) for number, parts in self._taken.items() if parts}
        values = [value for one in taken.values() for value in one.records.values]
        decoded = self._decoder.decode(frames_of(values)) if values else None
        first = 0
        for number, one in taken.items():
            last = first + len(one.records)
            sighted = NONE if decoded is None else self._sighted(number, one, decoded, first)
            self._merge.add(number, sighted, self._reached_ms[number])
            self._taken[number].clear()
            first = last
        self._taken_count = self._taken_bytes = 0

    def _sighted(self, number: int, taken: Taken, decoded: Decoded, begin: int) -> Sighted:
        """What of some records, decoded from a row on, is an event that the time rules let pass."""
        parts = []
        records = taken.records
        for first, last, rule in self._ancestor.rules[number].segments(records.offsets):
            part, log_ms = records.cut(first, last), taken.log_ms[first:last]
            columns = judge(part, log_ms, decoded.cut(begin + first, begin + last), rule).columns
            at = np.searchsorted(records.offsets, columns.offsets)
            parts.append(Sighted(columns.identities, columns.log_ms, taken.owners[at]))
        return together(parts)

    def hand_on(self, finished: set[int]) -> set[int]:
        """Enter what is certain to come next; give the partitions to be read no further for now."""
        many = self._taken_count >= self._decoded_at_once or self._taken_bytes >= TAKEN_BYTES_MAX
        # Nothing comes of a partition any more once it is finished.
        if many or any(self._taken[number] for number in finished):
            self._find_ids()
        for number in finished:
            self._merge.finish(number)
        sighted = self._merge.take()
        for number in np.unique(sighted.owners).tolist():
            own = sighted.only(sighted.owners == number)
            heir = self._heirs[number]
            heir.seen.see_all(own.ids, own.times_ms, NEVER)
            if len(heir.seen) > heir.memory_max:
                heir.seen.cut_inherited(int(own.times_ms[-1]))
                heir.seen.write()
                heir.seen.make_room(heir.memory_max)
        self.entered += len(sighted)
        held = {number: self._merge.held(number) for number in self._log_time}
        self._waiting = {
            number
            for number, count in held.items()
            if count > (HELD_LOW if number in self._waiting else HELD_MAX)
        }
        return self._waiting


def canonical_key(value: bytes | None) -> bytes:
    """The key that a record without one should have had; anything for what is no event."""
    try:
        event = decode_event(value or b"")
    except InvalidEventError:
        return b""
    return identity_hash(event.tenant, event.source, event.id)

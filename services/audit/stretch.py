"""Where each partition of the log must be read from, and of which windows it then tells all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from schemas.metering_rules import HOUR_MS, MeteringRules
from services.audit.findings import Difference
from services.audit.log_reader import LogReader
from services.audit.recount import keep_ms
from services.audit.span import FOREVER, Span
from services.audit.stored_rows import Checkpoint
from services.platform.errors import ConfigurationError
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions

#: Windows that begin before this have events that were read.
ALL: Final = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """One partition: read from `read_from` for ids, counted from `first` up to its checkpoint.

    Windows that begin at `complete_from` (seconds) or later have no event before `first`. `whole`
    says that everything that was ever metered is still on the log, and is read.
    """

    partition: int
    log_start: int
    log_end: int
    checkpoint: Checkpoint
    read_from: int
    first: int
    complete_from: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the log and the database say of a partition's ends."""

    log_start: int
    log_end: int
    #: Where it was to be metered from, if `migrate` recorded it.
    beginning: int | None
    checkpoint: Checkpoint

    @property
    def kept(self) -> bool:
        """Whether the log still holds all that was metered."""
        return self.log_start <= self.checkpoint.start_offset


def bounds_of(
    log: Log,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    beginnings: Mapping[int, int],
    checkpoints: Mapping[tuple[str, int], Checkpoint],
) -> dict[int, Bounds]:
    """Put together what is known of each partition; one never metered has a checkpoint of 0."""
    found = {}
    for partition in range(log.partitions):
        start = beginnings.get(partition, starts[partition])
        none = Checkpoint(log.name, partition, log.topic, start, start, 0, 0, 0, 0, {}, 0, 0)
        checkpoint = checkpoints.get((log.name, partition), none)
        found[partition] = Bounds(
            starts[partition], ends[partition], beginnings.get(partition), checkpoint
        )
    return found


def offset_differences(log: Log, bounds: Mapping[int, Bounds]) -> Iterator[Difference]:
    """Hold the checkpoints against the log's ends."""
    for partition, one in bounds.items():
        checkpoint = one.checkpoint
        never = checkpoint.start_offset - min(
            one.log_start, checkpoint.start_offset, *([one.beginning] if one.beginning else [])
        )
        for what, offsets in (
            ("offsets before the first that was metered", never),
            ("offsets beyond the log's end", checkpoint.next_offset - one.log_end),
            ("offsets deleted before they were metered", one.log_start - checkpoint.next_offset),
        ):
            if offsets > 0:
                yield Difference("offsets", what, 0, offsets, log=log.name, partition=partition)


def stretches(
    log: Log,
    bounds: Mapping[int, Bounds],
    rules: Mapping[int, Sequence[tuple[int, MeteringRules]]],
    span: Span,
    questions: KafkaQuestions,
    reader: LogReader,
) -> list[Stretch]:
    """Plan what to read. Raises `ConfigurationError` where the log does not reach back so far."""
    return [
        _named(log, partition, one, rules[partition], span.since, questions, reader)
        if span.since is not None
        else _all(log, partition, one, rules[partition], questions, reader)
        for partition, one in bounds.items()
    ]


def _all(
    log: Log,
    partition: int,
    one: Bounds,
    rules: Sequence[tuple[int, MeteringRules]],
    questions: KafkaQuestions,
    reader: LogReader,
) -> Stretch:
    checkpoint = one.checkpoint
    if one.kept:
        begin = checkpoint.start_offset
        return _stretch(partition, one, begin, begin, ALL, whole=True)
    known_ms = _known_from_ms(partition, one, rules, reader)
    if known_ms is None:
        # Nothing is left of what was metered, and nothing newer can be in what was.
        last_s = checkpoint.last_append_ms // 1000
        end = checkpoint.next_offset
        return _stretch(partition, one, end, end, _after(last_s * 1000, rules), whole=False)
    first = questions.at(log.topic, {partition: known_ms})[partition]
    if first < 0 or first > checkpoint.next_offset:
        return _stretch(partition, one, one.log_start, checkpoint.next_offset, FOREVER, whole=False)
    return _stretch(partition, one, one.log_start, first, _after(known_ms, rules), whole=False)


def _named(
    log: Log,
    partition: int,
    one: Bounds,
    rules: Sequence[tuple[int, MeteringRules]],
    since: int,
    questions: KafkaQuestions,
    reader: LogReader,
) -> Stretch:
    checkpoint = one.checkpoint
    # No event is accepted that lies further ahead of its append time.
    first_ms = 1000 * since - max(one.too_new_ms for _, one in rules)
    if not one.kept:
        known_ms = _known_from_ms(partition, one, rules, reader)
        if known_ms is not None and known_ms > first_ms:
            earliest = datetime.fromtimestamp(_after(known_ms, rules), UTC)
            raise ConfigurationError(
                f"partition {partition} of {log.topic} does not reach back far enough to recount"
                f" that: choose a span from {earliest:%Y-%m-%dT%H:%M}Z on"
            )
    asked = {partition: max(0, first_ms - keep_ms(rules))}
    read_from = questions.at(log.topic, asked)[partition]
    first = questions.at(log.topic, {partition: max(0, first_ms)})[partition]
    end = checkpoint.next_offset
    first = end if first < 0 else min(max(first, checkpoint.start_offset), end)
    read_from = first if read_from < 0 else min(max(read_from, checkpoint.start_offset), first)
    return _stretch(partition, one, read_from, first, since, whole=False)


def _stretch(
    partition: int, one: Bounds, read_from: int, first: int, complete_from: int, *, whole: bool
) -> Stretch:
    return Stretch(
        *(partition, one.log_start, one.log_end, one.checkpoint),
        *(read_from, first, complete_from, whole),
    )


def _known_from_ms(
    partition: int,
    one: Bounds,
    rules: Sequence[tuple[int, MeteringRules]],
    reader: LogReader,
) -> int | None:
    """From which log time on all ids that matter are on the log; None if it holds nothing."""
    record = reader.first(partition, one.log_start, one.checkpoint.next_offset)
    return None if record is None else record.append_ms + keep_ms(rules)


def _after(known_ms: int, rules: Sequence[tuple[int, MeteringRules]]) -> int:
    """The first hour of which no event was appended before, in seconds."""
    ahead_ms = max(one.too_new_ms for _, one in rules)
    return -(-(known_ms + ahead_ms) // HOUR_MS) * (HOUR_MS // 1000)

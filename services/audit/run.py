"""The audit of a system that runs, in this order.

1. The checkpoints, then the log's ends: each checkpoint against itself and against the log.
2. Slices and views of the windows to be recounted, rows that move read again (`moment`).
3. Each partition's records, read and judged once more (`recount`): every offset is a record, a
   marker or taken back; counts and dead letters at the checkpoint taken in (1), and each slice at
   the version of the row that was read in (2), or at the checkpoint where that is higher.
4. Views and slices against that. Then what must hold without the log (`conservation`).

(1) comes before (2), and a meter writes rows before their checkpoint: so a row that is not beyond
the checkpoint must hold all events below it, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.audit import conservation
from services.audit.chain import check_chain
from services.audit.comparison import (
    Expected,
    Sightings,
    StoredFamily,
    checkpoint_differences,
    letter_differences,
    row_differences,
)
from services.audit.event import MEASURES
from services.audit.findings import Difference, Findings, PartitionRead
from services.audit.log_reader import Gap, LogReader
from services.audit.moment import read_family
from services.audit.recount import Limits, Recount, SliceKey
from services.audit.span import FOREVER, Span
from services.audit.stored import (
    read_admitted,
    read_beginnings,
    read_checkpoints,
    read_letters,
    read_rules,
)
from services.audit.stored_rows import FAMILIES, Windows
from services.audit.stretch import Stretch, bounds_of, offset_differences, stretches
from services.platform.errors import ConfigurationError
from services.platform.kafka import require_kafka
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, KafkaSettings

#: Called with (offsets read, offsets to read).
Progress = Callable[[int, int], None]
#: Told now and then, not for every record.
PROGRESS_RECORDS = 5_000
Rules = dict[int, list[tuple[int, MeteringRules]]]


def audit(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    span: Span,
    progress: Progress = lambda done, total: None,
) -> Findings:
    """Audit what is metered of the topic, now.

    Raises `ConfigurationError` where the span cannot be recounted, `UnavailableError` when Kafka
    or ClickHouse does not answer. Changes nothing.
    """
    require_kafka(kafka)
    questions, reader = KafkaQuestions(kafka), LogReader(kafka)
    with closing(questions), migrated_database(clickhouse) as client:
        log = questions.describe(kafka.kafka_topic)
        rules = read_rules(client, log.name)
        _require_rules(log, rules)
        checkpoints = read_checkpoints(client)
        notes = check_chain(client, log, rules, checkpoints, span)
        partitions = range(log.partitions)
        bounds = bounds_of(
            log,
            questions.starts(log.topic, partitions),
            questions.stable_ends(log.topic, partitions),
            read_beginnings(client, log.name),
            checkpoints,
        )
        plan = stretches(log, bounds, rules, span, questions, reader)
        windows = Windows(max([one.complete_from for one in plan], default=0), span.until)
        findings = Findings(log.name, log.topic, windows.since, windows.until)
        findings.notes += notes
        findings.differences += conservation.count_differences(checkpoints.values())
        findings.differences += offset_differences(log, bounds)
        stored = _read_stored(client, log, plan, windows, span, findings)
        # Rows that were read last may lie beyond what was the log's end before.
        ends = questions.stable_ends(log.topic, partitions)
        reading = Reading(client, log, rules, stored, windows, reader, ends)
        expected = _recount(reading, plan, findings, progress)
        for family in stored:
            findings.compared[family.family.view] = len(family.keys)
            findings.moving[family.family.view] = len(family.moving)
            findings.differences += row_differences(family, expected, log.name)
        _conserve(client, windows, findings)
        if reader.compacted():
            findings.notes.append(
                f"topic {log.topic} is compacted: an offset without a record may be a lost one"
            )
    return findings


def _require_rules(log: Log, rules: Rules) -> None:
    missing = [partition for partition in range(log.partitions) if partition not in rules]
    if missing:
        raise ConfigurationError(
            f"partition {missing[0]} of {log.topic} (log {log.name}) has no metering rules:"
            " run `wattoken migrate`"
        )


def _read_stored(
    client: Client,
    log: Log,
    plan: list[Stretch],
    windows: Windows,
    span: Span,
    findings: Findings,
) -> list[StoredFamily]:
    """Read the families that can be recounted, and note why others cannot."""
    register, *families = FAMILIES
    if span.since is None and all(one.whole for one in plan):
        families.insert(0, register)
    elif span.since is not None:
        findings.notes.append("registers are not recounted: they are of all time, not of a span")
    else:
        findings.notes.append(
            "registers are not recounted: the log no longer holds all that they count"
        )
    if windows.since >= FOREVER:
        findings.notes.append(
            "no window is recounted: the log does not reach back over a dedup horizon"
        )
        return []
    return [read_family(client, family, log.name, windows) for family in families]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the recount of every partition needs."""

    client: Client
    log: Log
    rules: Rules
    stored: list[StoredFamily]
    windows: Windows
    reader: LogReader
    ends: Mapping[int, int]

    def wanted(self, family: str, window: int) -> bool:
        """Whether a window is compared."""
        return any(
            one.family.name == family and self.windows.holds(one.family, window)
            for one in self.stored
        )


def _recount(
    reading: Reading, plan: list[Stretch], findings: Findings, progress: Progress
) -> Expected:
    """Read every partition's stretch, and hold counts, offsets and dead letters against it."""
    expected, sightings = Expected(), Sightings()
    limits = {one.partition: _limits(one, reading.stored) for one in plan}
    total = sum(max(0, limits[one.partition].end - one.read_from) for one in plan)
    done = 0
    admitted = read_admitted(reading.client, reading.log.name)
    for one in plan:
        limit, start = limits[one.partition], done
        sightings.begin(one.partition)
        recount = Recount(
            reading.rules[one.partition],
            limit,
            reading.wanted,
            sightings.add,
            admitted.get(one.partition, ()),
        )
        read = _read(reading, one, limit, recount, partial(_from, start, total, progress))
        done += max(0, limit.end - one.read_from)
        progress(done, total)
        findings.partitions.append(read)
        expected.take(one.partition, recount)
        findings.differences += _partition_differences(reading, one, limit, recount)
    horizon_ms = max(one.dedup_horizon_ms for book in reading.rules.values() for _, one in book)
    findings.differences += sightings.doubled(reading.log.name, horizon_ms)
    return expected


def _from(start: int, total: int, progress: Progress, offsets: int) -> None:
    progress(start + offsets, total)


def _read(
    reading: Reading,
    one: Stretch,
    limit: Limits,
    recount: Recount,
    progress: Callable[[int], None],
) -> PartitionRead:
    """Hand a partition's records to its recount, and say what its other offsets are."""
    gaps: list[Gap] = []
    records = 0
    end = min(limit.end, reading.ends[one.partition])
    for record in reading.reader.committed(one.partition, one.read_from, end, gaps):
        recount.read(record.offset, record.append_ms, record.value)
        records += 1
        if records % PROGRESS_RECORDS == 0:
            progress(record.offset + 1 - one.read_from)
    aborted = reading.reader.aborted(one.partition, gaps)
    markers = sum(gap.end - gap.start for gap in gaps) - aborted
    counts = recount.counts
    return PartitionRead(
        *(one.partition, one.log_start, one.log_end, one.checkpoint.next_offset),
        *(one.read_from, one.first, records, aborted, markers),
        *(counts.accepted, counts.duplicate, sum(counts.rejected.values()), one.whole),
    )


def _partition_differences(
    reading: Reading, one: Stretch, limit: Limits, recount: Recount
) -> Iterator[Difference]:
    log, place = reading.log.name, one.partition
    end, checkpoint = reading.ends[place], one.checkpoint
    if limit.end > max(end, checkpoint.next_offset):
        text = "a slice's version within the log"
        yield Difference("offsets", text, end, limit.end, log=log, partition=place)
    if one.whole:
        yield from checkpoint_differences(checkpoint, recount.counts)
    letters = read_letters(reading.client, log, place, one.first, checkpoint.next_offset)
    yield from letter_differences(log, place, recount.letters, letters)


def _limits(one: Stretch, stored: list[StoredFamily]) -> Limits:
    checkpoint = one.checkpoint.next_offset
    versions: dict[SliceKey, int] = {}
    for family in stored:
        for key, version in family.versions(one.partition):
            if version > checkpoint:
                versions[key] = version
    return Limits(one.first, checkpoint, versions)


def _conserve(client: Client, windows: Windows, findings: Findings) -> None:
    """Hold the tables against each other."""
    checks = {
        ("checkpoints = registers", "registers", ("requests",)): (
            conservation.accepted_against_registers(client)
        ),
        ("registers = hours", "registers", MEASURES): conservation.registers_against_hours(client),
        ("hours = minutes", "usage_hour", MEASURES): (
            conservation.hours_against_minutes(client, windows)
        ),
    }
    for (check, view, measures), outcome in checks.items():
        if outcome is None:
            findings.notes.append(
                f"{check} is not compared: windows may have expired, or been past their retention"
            )
            continue
        unequal, moving = outcome
        findings.moving[check] = moving
        findings.differences += conservation.as_differences(check, view, unequal, measures)
    for family in FAMILIES:
        findings.differences += conservation.contradictions(client, family, windows)

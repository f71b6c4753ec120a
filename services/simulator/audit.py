"""Audits the meter: every row of the public views against the ledger, both ways.

Reads the views, checkpoints and dead letters only, as any user can.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from services.platform.clickhouse import all_rows, mapped_errors
from services.platform.errors import ConfigurationError
from services.platform.kafka import (
    ADMIN_TIMEOUT_SECONDS,
    ExplainingAdmin,
    admin_client,
    describe_log,
    require_kafka,
)
from services.platform.kafka_log import Log
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, KafkaSettings
from services.platform.succession import Succession, chain_of
from services.platform.succession_table import read_next_offsets, read_successions
from services.simulator.comparison import (
    CountDifference,
    MeterCounts,
    RowDifference,
    count_differences,
    row_differences,
)
from services.simulator.errors import NotCaughtUpError
from services.simulator.expected import (
    VIEWS,
    Bounds,
    LedgerTotals,
    Rows,
    Thresholds,
    ViewShape,
    shapes,
)
from services.simulator.ledger import Ledger
from services.simulator.totals import expected_rows, ledger_totals, prepare

POLL_SECONDS: Final = 0.5
#: Called with (records metered, records on the log).
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What was compared and what differs."""

    expected: LedgerTotals
    found: MeterCounts
    rows_compared: dict[str, int]
    rows: list[RowDifference]
    counts: list[CountDifference]

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return not self.rows and not self.counts


def audit(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    ledger: Ledger,
    *,
    timeout_seconds: float,
    progress: Progress = lambda metered, end: None,
) -> AuditResult:
    """Wait until the log is metered to its end, and those that it followed, then compare.

    Raises `NotCaughtUpError` when that takes longer than ``timeout_seconds`` without progress,
    `UnavailableError` when Kafka or ClickHouse does not answer.
    """
    require_kafka(kafka)
    admin = admin_client(kafka)
    with migrated_database(clickhouse) as client:
        chain = chain_of(read_successions(client), kafka.kafka_topic)
        log = describe_log(admin, chain[-1].topic if chain else kafka.kafka_topic)
        before = [one.predecessor_log for one in chain]
        wait_until_metered(admin, client, log, timeout_seconds, progress, chain)
        prepare(ledger)
        rows: list[RowDifference] = []
        compared = {}
        thresholds = context_thresholds(client, [log.name, *before])
        for shape in shapes(thresholds):
            expected = expected_rows(ledger, shape, thresholds)
            found = view_rows(client, shape)
            compared[shape.view] = len(expected.keys() | found.keys())
            rows += row_differences(shape, expected, found)
        totals = ledger_totals(ledger, late_after_ms(client, log))
        counts = meter_counts(client, log, before)
        return AuditResult(totals, counts, compared, rows, list(count_differences(totals, counts)))


def wait_until_metered(
    admin: ExplainingAdmin,
    client: Client,
    log: Log,
    timeout_seconds: float,
    progress: Progress,
    chain: Sequence[Succession] = (),
) -> None:
    """Wait until the checkpoint of each partition is at its log's end, and those of the chain."""
    best, deadline = -1, time.monotonic() + timeout_seconds
    while True:
        ends = end_offsets(admin, log)
        done = checkpoint_offsets(client, log)
        behind = {p: (done.get(p, 0), end) for p, end in ends.items() if done.get(p, 0) < end}
        # Before this one is begun, those before it are metered to their ends.
        left = sum(one.unmetered(read_next_offsets(client, one.predecessor_log)) for one in chain)
        metered = sum(min(done.get(p, 0), end) for p, end in ends.items()) - left
        progress(metered, sum(ends.values()))
        if not behind and not left:
            return
        if metered > best:
            best, deadline = metered, time.monotonic() + timeout_seconds
        if time.monotonic() > deadline:
            partition, (at, end) = min(behind.items(), default=(0, (0, 0)))
            raise NotCaughtUpError(
                f"the aggregator made no progress for {timeout_seconds:g} s:"
                f" {len(behind)} partitions are behind, partition {partition} is at {at} of {end};"
                " is `wattoken aggregator` running?"
            )
        time.sleep(POLL_SECONDS)


def end_offsets(admin: ExplainingAdmin, log: Log) -> dict[int, int]:
    """Look up where each partition of the log ends."""
    asked = {TopicPartition(log.topic, p): OffsetSpec.latest() for p in range(log.partitions)}
    try:
        answers = admin.list_offsets(asked, request_timeout=ADMIN_TIMEOUT_SECONDS)
        return {place.partition: answer.result().offset for place, answer in answers.items()}
    except KafkaException as error:
        raise admin.unanswered(error) from None


def checkpoint_offsets(client: Client, log: Log) -> dict[int, int]:
    """Look up how far each partition is metered."""
    rows = all_rows(
        client,
        "SELECT partition, next_offset FROM checkpoints FINAL WHERE log = {log:String}",
        {"log": log.name},
    )
    return {int(partition): int(offset) for partition, offset in rows}


def view_rows(client: Client, shape: ViewShape) -> Rows:
    """Read a whole view; windows as seconds since 1970.

    Not grouped here by the whole key: a view with a row twice must not look right.
    """
    key = [
        "toUnixTimestamp(window_start)" if name == "window_start" else name for name in shape.key
    ]
    query = f"SELECT {', '.join(key)}, {', '.join(shape.columns)} FROM {shape.view}"
    if shape not in VIEWS:
        sums = ", ".join(f"sum({name})" for name in shape.columns)
        query = f"SELECT {', '.join(key)}, {sums} FROM {shape.view} GROUP BY {', '.join(shape.key)}"
    rows: Rows = {}
    with mapped_errors(), client.query_rows_stream(query) as stream:
        for row in stream:
            rows[tuple(row[: len(key)])] = tuple(row[len(key) :])
    return rows


def late_after_ms(client: Client, log: Log) -> Bounds:
    """Look up from what age on events count as late, under all rules that the log had."""
    (row,) = all_rows(
        client,
        "SELECT min(late_after_ms), max(late_after_ms), count() FROM metering_rules FINAL"
        " WHERE log = {log:String}",
        {"log": log.name},
    )
    if not row[2]:
        raise ConfigurationError(f"no rules are stored for log {log.name}: run `wattoken migrate`")
    return Bounds(int(row[0]), int(row[1]))


def context_thresholds(client: Client, logs: Sequence[str]) -> Thresholds:
    """Look up where the bands of input begin; None where the logs' rules are not all alike."""
    found = all_rows(
        client,
        "SELECT DISTINCT context_thresholds FROM metering_rules FINAL"
        " WHERE log IN {logs:Array(String)} LIMIT 2",
        {"logs": list(logs)},
    )
    if len(found) != 1:
        return None
    return tuple(int(threshold) for threshold in found[0][0])


def meter_counts(client: Client, log: Log, before: Sequence[str] = ()) -> MeterCounts:
    """Sum the checkpoints of the log and of those named before it, and count the dead letters."""
    logs = {"logs": [log.name, *before]}
    (row,) = all_rows(
        client,
        "SELECT sum(received), sum(accepted), sum(duplicate), sum(late), sumMap(rejected)"
        " FROM checkpoints FINAL WHERE log IN {logs:Array(String)}",
        logs,
    )
    letters = all_rows(
        client,
        "SELECT reason, count() FROM dead_letters FINAL WHERE log IN {logs:Array(String)}"
        " GROUP BY reason",
        logs,
    )
    received, accepted, duplicate, late, rejected = row
    return MeterCounts(
        received=int(received),
        accepted=int(accepted),
        duplicate=int(duplicate),
        late=int(late),
        rejected={str(reason): int(count) for reason, count in dict(rejected).items()},
        dead_letters={str(reason): int(count) for reason, count in letters},
    )

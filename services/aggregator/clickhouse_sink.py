"""ClickHouse as the aggregator uses it: slices, dead letters and checkpoints, in and out.

Synchronous; the caller runs it in a thread. Library errors arrive as `UnavailableError` (a retry
may help) or `ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.slices import MEASURES, Series, SliceKey, Totals
from services.aggregator.core.timing import RuleBook, epoch_ms
from services.aggregator.core.windows import FAMILIES, FAMILY_BY_NAME, Family
from services.platform.clickhouse import connect, mapped_errors
from services.platform.kafka import Log
from services.platform.settings import ClickHouseSettings

DEAD_LETTER_COLUMNS = (
    "log",
    "partition",
    "offset",
    "topic",
    "reason",
    "error",
    "payload",
    "payload_bytes",
    "append_time",
)
CHECKPOINT_COLUMNS = (
    "log",
    "partition",
    "topic",
    "next_offset",
    "start_offset",
    "received",
    "accepted",
    "duplicate",
    "late",
    "rejected",
    "newest_event",
    "last_append",
)
#: Keys asked for in one look-up; more would make the query text and its parsing long.
LOOK_UP_KEYS_MAX = 2000


def key_columns(family: Family) -> list[str]:
    """The columns of a family's table that make up the slice key within a partition."""
    window = [] if family.window_ms is None else ["window_start"]
    tenant = ["tenant"] if family.has_tenant else []
    return [*window, *tenant, "entry", "region", "provider", "model"]


def to_time(time_ms: int) -> datetime:
    """A UTC datetime from milliseconds since 1970."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


class ClickHouseSink:
    """One connection to ClickHouse for one log; made anew after an error. Not thread-safe."""

    def __init__(self, settings: ClickHouseSettings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._client: Client | None = None

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self._settings)
        return self._client

    def write_rows(self, snapshots: Iterable[Snapshot]) -> None:
        """Insert slices and dead letters. Partial success is harmless: try again as it is."""
        client = self._connected()
        snapshots = list(snapshots)
        for family in FAMILIES:
            rows = [
                self._slice_row(family, snapshot, key, totals)
                for snapshot in snapshots
                for key, totals in snapshot.rows.get(family.name, ())
            ]
            if rows:
                columns = [*key_columns(family), "log", "partition", "version", *MEASURES]
                with mapped_errors():
                    client.insert(f"slices_{family.name}", rows, column_names=columns)
        letters = [
            [
                self._log.name,
                snapshot.partition,
                letter.offset,
                self._log.topic,
                letter.reason,
                letter.error,
                letter.payload,
                letter.payload_bytes,
                to_time(letter.append_ms),
            ]
            for snapshot in snapshots
            for letter in snapshot.dead_letters
        ]
        if letters:
            with mapped_errors():
                client.insert("dead_letters", letters, column_names=list(DEAD_LETTER_COLUMNS))

    def _slice_row(
        self, family: Family, snapshot: Snapshot, key: SliceKey, totals: Totals
    ) -> list[Any]:
        row: list[Any] = []
        if family.window_ms is not None:
            row.append(key.window_start_ms // 1000)
        if family.has_tenant:
            row.append(key.tenant)
        row += key.series
        row += (self._log.name, snapshot.partition, snapshot.checkpoint.next_offset)
        row += totals
        return row

    def write_checkpoints(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        """Insert checkpoints by partition. Only after their rows."""
        rows = [
            [
                self._log.name,
                partition,
                self._log.topic,
                checkpoint.next_offset,
                checkpoint.start_offset,
                checkpoint.received,
                checkpoint.accepted,
                checkpoint.duplicate,
                checkpoint.late,
                dict(checkpoint.rejected),
                to_time(checkpoint.newest_event_ms),
                to_time(checkpoint.last_append_ms),
            ]
            for partition, checkpoint in checkpoints.items()
        ]
        with mapped_errors():
            self._connected().insert("checkpoints", rows, column_names=list(CHECKPOINT_COLUMNS))

    def read_offsets(self) -> dict[int, int]:
        """Read the checkpoints' next offsets by partition."""
        rows = self._query(
            "SELECT partition, max(next_offset) FROM checkpoints WHERE log = {log:String}"
            " GROUP BY partition"
        )
        return {int(partition): int(offset) for partition, offset in rows}

    def read_checkpoints(self, partitions: Sequence[int]) -> dict[int, Checkpoint]:
        """Read the checkpoints of these partitions; one never metered is missing."""
        rows = self._query(
            "SELECT partition, next_offset, start_offset, received, accepted, duplicate, late,"
            " rejected, newest_event, last_append FROM checkpoints FINAL"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}",
            partitions=list(partitions),
        )
        return {
            int(row[0]): Checkpoint(
                next_offset=row[1],
                start_offset=row[2],
                received=row[3],
                accepted=row[4],
                duplicate=row[5],
                late=row[6],
                rejected=tuple(sorted(row[7].items())),
                newest_event_ms=utc_ms(row[8]),
                last_append_ms=utc_ms(row[9]),
            )
            for row in rows
        }

    def read_rules(self, partitions: Sequence[int]) -> dict[int, RuleBook]:
        """Read the metering rules of these partitions; one without any is missing."""
        names = [rule.name for rule in fields(MeteringRules)]
        rows = self._query(
            f"SELECT partition, from_offset, {', '.join(names)} FROM metering_rules FINAL"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}"
            " ORDER BY partition, from_offset",
            partitions=list(partitions),
        )
        entries: dict[int, list[tuple[int, MeteringRules]]] = {}
        for partition, from_offset, *values in rows:
            entries.setdefault(int(partition), []).append((from_offset, MeteringRules(*values)))
        return {partition: RuleBook(tuple(rules)) for partition, rules in entries.items()}

    def read_slices(
        self, family: Family, loaded_from_ms: Mapping[int, int]
    ) -> Iterable[tuple[int, SliceKey, Totals, int]]:
        """Read slices as (partition, key, totals, version).

        ``loaded_from_ms`` says, per partition, from which window start on.
        """
        for partition, from_ms in loaded_from_ms.items():
            where = "" if family.window_ms is None else " AND window_start >= {from_time:DateTime}"
            rows = self._query(
                self._select_slices(family) + where,
                partition=partition,
                from_time=to_time(max(0, from_ms)),
            )
            for row in rows:
                yield (partition, *slice_of(family, row))

    def look_up(
        self, family: str, partition: int, keys: Iterable[SliceKey]
    ) -> list[tuple[SliceKey, Totals, int]]:
        """Read single slices as (key, totals, version); one that does not exist is missing."""
        family_ = FAMILY_BY_NAME[family]
        found: list[tuple[SliceKey, Totals, int]] = []
        wanted = list(keys)
        columns = ", ".join(key_columns(family_))
        for start in range(0, len(wanted), LOOK_UP_KEYS_MAX):
            tuples = [
                tuple(self._key_values(family_, key))
                for key in wanted[start : start + LOOK_UP_KEYS_MAX]
            ]
            rows = self._query(
                self._select_slices(family_) + f" AND ({columns}) IN {{keys:{key_type(family_)}}}",
                partition=partition,
                keys=tuples,
            )
            found += [slice_of(family_, row) for row in rows]
        return found

    def _select_slices(self, family: Family) -> str:
        columns = ", ".join([*key_columns(family), *MEASURES, "version"])
        return (
            f"SELECT {columns} FROM slices_{family.name} FINAL"
            " WHERE log = {log:String} AND partition = {partition:UInt32}"
        )

    def _key_values(self, family: Family, key: SliceKey) -> Iterable[Any]:
        if family.window_ms is not None:
            yield to_time(key.window_start_ms)
        if family.has_tenant:
            yield key.tenant
        yield from key.series

    def _query(self, text: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        with mapped_errors():
            result = self._connected().query(text, {"log": self._log.name, **parameters})
        rows: Sequence[Sequence[Any]] = result.result_rows
        return rows


def key_type(family: Family) -> str:
    """The ClickHouse type of a list of keys of a family."""
    kinds = ["DateTime('UTC')"] if family.window_ms is not None else []
    kinds += ["String"] * (len(key_columns(family)) - len(kinds))
    return f"Array(Tuple({', '.join(kinds)}))"


def slice_of(family: Family, row: Sequence[Any]) -> tuple[SliceKey, Totals, int]:
    """Read one row of `_select_slices`."""
    values = list(row)
    window_ms = utc_ms(values.pop(0)) if family.window_ms is not None else 0
    tenant = values.pop(0) if family.has_tenant else ""
    series = Series(*values[:4])
    totals = tuple(int(value) for value in values[4 : 4 + len(MEASURES)])
    return SliceKey(window_ms, tenant, series), totals, int(values[-1])


def utc_ms(time: datetime) -> int:
    """Milliseconds since 1970; the driver gives UTC times without their zone."""
    return epoch_ms(time.replace(tzinfo=UTC))

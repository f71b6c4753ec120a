"""ClickHouse as the aggregator uses it: slices, dead letters and checkpoints, in and out.

Synchronous; the caller runs it in a thread. Library errors arrive as `DatabaseUnavailableError` (a
retry may help) or `ConfigurationError`.

On a full disk ClickHouse may answer 200 and nothing, as if there were no rows. What decides here
must not be taken for fact then: a small question is put so that its answer always is one row, and
to a large one a row is added that marks an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.aggregator.core.key_index import Ints
from services.aggregator.core.labels import Labels, Series
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slices import (
    MEASURES,
    SliceRows,
    TotalTooLargeError,
    label_numbers,
    labels_of,
    pack,
    windows_of,
)
from services.aggregator.core.timing import RuleBook, epoch_ms
from services.aggregator.core.windows import FAMILIES, FAMILY_BY_NAME, Family
from services.aggregator.native_block import NativeBlock
from services.platform.clickhouse import all_rows, connect, mapped_errors, nothing_answered
from services.platform.errors import UnavailableError
from services.platform.kafka import Log
from services.platform.settings import ClickHouseSettings

T = TypeVar("T", bound=Hashable)

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
ADMISSION_COLUMNS = ("log", "partition", "topic", *Series._fields, "used", "offset")
#: Keys asked for in one look-up; more would make the query text and its parsing long.
LOOK_UP_KEYS_MAX = 2000
INT64_MAX = np.iinfo(np.int64).max


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

    def __init__(self, settings: ClickHouseSettings, log: Log, labels: Labels) -> None:
        self._settings = settings
        self._log = log
        self._labels = labels
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
        """Insert slices, admissions and dead letters.

        Partial success is harmless: try again as it is.
        """
        client = self._connected()
        snapshots = list(snapshots)
        for family in FAMILIES:
            block = self._slice_block(family, snapshots)
            if block is not None:
                self._insert_block(f"slices_{family.name}", block)
        for snapshot in snapshots:
            self.write_admissions(snapshot.partition, snapshot.admissions)
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

    def write_admissions(self, partition: int, admissions: Sequence[Admission]) -> None:
        """Insert which series a partition admitted. Before the checkpoint that they are below."""
        if not admissions:
            return
        series = self._labels.series.meaning
        place = [self._log.name, partition, self._log.topic]
        rows = [[*place, *series[one.series], one.used, one.offset] for one in admissions]
        with mapped_errors():
            self._connected().insert("admitted_series", rows, column_names=ADMISSION_COLUMNS)

    def _insert_block(self, table: str, block: NativeBlock) -> None:
        client = self._connected()
        try:
            with mapped_errors():
                client.raw_insert(table, block.names, block.data(), fmt="Native")
        except UnavailableError:
            # A server that refuses does not read a long body to its end, and its answer may be lost
            # with the connection. Asked with an empty one, it says what no retry would mend.
            with mapped_errors():
                client.raw_insert(table, block.names, b"", fmt="Native")
            raise

    def _slice_block(self, family: Family, snapshots: Sequence[Snapshot]) -> NativeBlock | None:
        """The dirty slices of one family, all partitions together; None where there are none."""
        changed = [snapshot for snapshot in snapshots if len(snapshot.rows[family.name])]
        if not changed:
            return None
        keys = np.concatenate([snapshot.rows[family.name].keys for snapshot in changed])
        totals = np.concatenate([snapshot.rows[family.name].totals for snapshot in changed])
        counts = [len(snapshot.rows[family.name]) for snapshot in changed]
        block = NativeBlock(len(keys))
        if family.window_ms is not None:
            seconds = windows_of(keys) * (family.window_ms // 1000)
            block.add_numbers("window_start", "DateTime('UTC')", seconds.astype(np.uint32))
        tenants, series = labels_of(family, self._labels, keys)
        if tenants is not None:
            tenants, indexes = np.unique(tenants, return_inverse=True)
            names = [self._labels.tenants.meaning[number] for number in tenants.tolist()]
            block.add_texts("tenant", names, indexes)
        series, indexes = np.unique(series, return_inverse=True)
        meanings = [self._labels.series.meaning[number] for number in series.tolist()]
        for name, texts in zip(Series._fields, zip(*meanings, strict=True), strict=True):
            unlike = list(dict.fromkeys(texts))
            where = {text: index for index, text in enumerate(unlike)}
            block.add_texts(name, unlike, np.array([where[text] for text in texts])[indexes])
        block.add_texts("log", [self._log.name], np.zeros(len(keys), np.int64))
        partitions = np.array([snapshot.partition for snapshot in changed], np.uint32)
        block.add_numbers("partition", "UInt32", np.repeat(partitions, counts))
        versions = np.array([snapshot.checkpoint.next_offset for snapshot in changed], np.uint64)
        block.add_numbers("version", "UInt64", np.repeat(versions, counts))
        for name, column in zip(MEASURES, totals.T, strict=True):
            # The table says 0 where a column is missing.
            if column.any():
                block.add_numbers(name, "UInt64", column.astype(np.uint64))
        return block

    def _key_values(self, family: Family, keys: Ints) -> dict[str, list[Any]]:
        """The columns that make up the keys, windows as seconds since 1970."""
        values: dict[str, list[Any]] = {}
        if family.window_ms is not None:
            seconds = windows_of(keys) * (family.window_ms // 1000)
            values["window_start"] = seconds.tolist()
        tenants, series = labels_of(family, self._labels, keys)
        if tenants is not None:
            known = self._labels.tenants.meaning
            values["tenant"] = [known[number] for number in tenants.tolist()]
        names = [self._labels.series.meaning[number] for number in series.tolist()]
        for index, column in enumerate(Series._fields):
            values[column] = [name[index] for name in names]
        return values

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
        rows = self._all_rows(
            "SELECT partition, max(next_offset) FROM checkpoints WHERE log = {log:String}"
            " GROUP BY partition"
        )
        return {int(partition): int(offset) for partition, offset in rows}

    def read_checkpoints(self, partitions: Sequence[int]) -> dict[int, Checkpoint]:
        """Read the checkpoints of these partitions; one never metered is missing."""
        rows = self._all_rows(
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

    def read_admissions(self, partitions: Sequence[int]) -> dict[int, list[Admission]]:
        """Read which series these partitions admitted; one that admitted none is missing."""
        names = ", ".join(Series._fields)
        rows = self._all_rows(
            f"SELECT partition, {names}, used, min(offset) FROM admitted_series"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}"
            f" GROUP BY partition, {names}, used",
            partitions=list(partitions),
        )
        found: dict[int, list[Admission]] = {}
        for partition, *names_of, used, offset in rows:
            number = self._labels.series.number(Series(*names_of))
            found.setdefault(int(partition), []).append(Admission(number, bool(used), int(offset)))
        return found

    def read_starts(self, partitions: Sequence[int]) -> dict[int, int]:
        """Read where these partitions begin; one that `migrate` has not seen is missing."""
        rows = self._all_rows(
            "SELECT partition, start_offset FROM log_partitions FINAL"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}",
            partitions=list(partitions),
        )
        return {int(partition): int(offset) for partition, offset in rows}

    def read_rules(self, partitions: Sequence[int]) -> dict[int, RuleBook]:
        """Read the metering rules of these partitions; one without any is missing."""
        names = [rule.name for rule in fields(MeteringRules)]
        rows = self._all_rows(
            f"SELECT partition, from_offset, {', '.join(names)} FROM metering_rules FINAL"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}",
            partitions=list(partitions),
        )
        entries: dict[int, list[tuple[int, MeteringRules]]] = {}
        for partition, from_offset, *values in sorted(rows):
            entries.setdefault(int(partition), []).append((from_offset, MeteringRules(*values)))
        return {partition: RuleBook(tuple(rules)) for partition, rules in entries.items()}

    def read_slices(
        self, family: Family, partition: int, first_window: int
    ) -> tuple[SliceRows, Ints]:
        """Read a partition's slices from a window (its number) on: rows and their versions."""
        return self._read_rows(
            family,
            self._select_slices(family) + from_window(family),
            partition=partition,
            from_time=to_time(family.window_start_ms(first_window)),
        )

    def find_contradiction(self, family: Family, partition: int, first_window: int) -> str | None:
        """Name a key and version of which rows with unlike totals are stored, or None."""
        key = ", ".join([*key_columns(family), "version"])
        totals = f"sipHash64({', '.join(MEASURES)})"
        rows = self._all_rows(
            f"SELECT {key} FROM slices_{family.name}"
            " WHERE log = {log:String} AND partition = {partition:UInt32}"
            f"{from_window(family)} GROUP BY {key}"
            # Two numbers a key; counting unlike totals would keep a set for each.
            f" HAVING min({totals}) != max({totals}) LIMIT 1",
            partition=partition,
            from_time=to_time(family.window_start_ms(first_window)),
        )
        if not rows:
            return None
        names = [*key_columns(family), "version"]
        return ", ".join(f"{name} {value}" for name, value in zip(names, rows[0], strict=True))

    def look_up(self, family_name: str, partition: int, keys: Ints) -> tuple[SliceRows, Ints]:
        """Read single slices: rows and their versions; one that does not exist is missing."""
        family = FAMILY_BY_NAME[family_name]
        names = key_columns(family)
        found: list[tuple[SliceRows, Ints]] = []
        for start in range(0, len(keys), LOOK_UP_KEYS_MAX):
            values = self._key_values(family, keys[start : start + LOOK_UP_KEYS_MAX])
            if family.window_ms is not None:
                values["window_start"] = [to_time(1000 * at) for at in values["window_start"]]
            found.append(
                self._read_rows(
                    family,
                    self._select_slices(family)
                    + f" AND ({', '.join(names)}) IN {{keys:{key_type(family)}}}",
                    partition=partition,
                    keys=list(zip(*(values[name] for name in names), strict=True)),
                )
            )
        return (
            SliceRows(
                np.concatenate([rows.keys for rows, _ in found]),
                np.concatenate([rows.totals for rows, _ in found]),
            ),
            np.concatenate([versions for _, versions in found]),
        )

    def _select_slices(self, family: Family) -> str:
        # A number of seconds: as times, the driver would make an object for each row.
        window = [] if family.window_ms is None else ["toUnixTimestamp(window_start) AS seconds"]
        names = [name for name in key_columns(family) if name != "window_start"]
        columns = ", ".join([*window, *names, *MEASURES, "version"])
        return (
            f"SELECT {columns} FROM slices_{family.name} FINAL"
            " WHERE log = {log:String} AND partition = {partition:UInt32}"
        )

    def _read_rows(self, family: Family, text: str, **parameters: Any) -> tuple[SliceRows, Ints]:
        # No slice has version 0: it marks the row that says the answer came.
        blocks = [
            self._rows_of(family, list(block))
            for block in self._column_blocks(f"{text} UNION ALL {no_slice(family)}", **parameters)
        ]
        if not blocks:
            raise nothing_answered()
        keys, totals, versions = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        slices = versions > 0
        if slices.all():
            raise nothing_answered()
        return SliceRows(keys[slices], totals[slices]), versions[slices]

    def _rows_of(self, family: Family, columns: list[Sequence[Any]]) -> tuple[Ints, Ints, Ints]:
        """Keys, totals and versions of a block, in the order of `_select_slices`."""
        windows = tenants = np.zeros(len(columns[0]), np.int64)
        if family.window_ms is not None:
            windows = family.window_numbers(np.asarray(columns.pop(0), np.int64))
        if family.has_tenant:
            tenants = numbers_of(columns.pop(0), self._labels.tenants.number)
        labels = zip(*columns[:4], strict=True)
        series = numbers_of(labels, lambda one: self._labels.series.number(Series(*one)))
        totals = np.stack([np.asarray(column, np.uint64) for column in columns[4:-1]], axis=1)
        if totals.max(initial=0) > INT64_MAX:
            raise TotalTooLargeError(f"slices_{family.name} holds a sum above 2^63")
        return (
            pack(windows, label_numbers(family, self._labels, tenants, series)),
            totals.astype(np.int64),
            np.asarray(columns[-1], np.uint64).astype(np.int64),
        )

    def _column_blocks(self, text: str, **parameters: Any) -> Iterator[Sequence[Sequence[Any]]]:
        """The answer to a query in blocks of columns; numbers come without an object each."""
        with (
            mapped_errors(),
            self._connected().query_column_block_stream(
                text, {"log": self._log.name, **parameters}
            ) as blocks,
        ):
            yield from blocks

    def _all_rows(self, text: str, **parameters: Any) -> Sequence[tuple[Any, ...]]:
        return all_rows(self._connected(), text, {"log": self._log.name, **parameters})


def no_slice(family: Family) -> str:
    """A query for one row in the columns of `ClickHouseSink._select_slices`, of version 0."""
    window = [] if family.window_ms is None else ["toUInt32(0)"]
    texts = ["''"] if family.has_tenant else []
    texts += ["CAST('usage' AS Enum8('usage' = 0, 'debit' = 1, 'credit' = 2))"]
    texts += ["toLowCardinality('')"] * 3
    return f"SELECT {', '.join([*window, *texts, *['toUInt64(0)'] * (len(MEASURES) + 1)])}"


def numbers_of(things: Iterable[T], number: Callable[[T], int]) -> Ints:
    """The number of each thing; each unlike thing is numbered once."""
    known: dict[T, int] = {}
    found: list[int] = []
    for thing in things:
        if (at := known.get(thing)) is None:
            at = known[thing] = number(thing)
        found.append(at)
    return np.array(found, np.int64)


def from_window(family: Family) -> str:
    """A condition on the first window, where the family has windows."""
    if family.window_ms is None:
        return ""
    return " AND window_start >= {from_time:DateTime('UTC')}"


def key_type(family: Family) -> str:
    """The ClickHouse type of a list of keys of a family."""
    kinds = ["DateTime('UTC')"] if family.window_ms is not None else []
    kinds += ["String"] * (len(key_columns(family)) - len(kinds))
    return f"Array(Tuple({', '.join(kinds)}))"


def utc_ms(time: datetime) -> int:
    """Milliseconds since 1970; the driver gives UTC times without their zone."""
    return epoch_ms(time.replace(tzinfo=UTC))

"""Writes to ClickHouse: slices, admissions, events kept whole, dead letters; then checkpoints.

Library errors arrive as `DatabaseUnavailableError` (a retry may help) or `ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.windows import FAMILIES
from services.aggregator.decoding.labels import Series
from services.aggregator.storage.adjustment_rows import (
    ADJUSTMENT_COLUMNS,
    BELATED_COLUMNS,
    adjustment_rows,
    belated_rows,
)
from services.aggregator.storage.checkpoint_rows import CHECKPOINT_COLUMNS, checkpoint_rows
from services.aggregator.storage.connection import SinkConnection
from services.aggregator.storage.native_block import NativeBlock
from services.aggregator.storage.slice_blocks import slice_block, to_time
from services.platform.clickhouse import INSERT_SETTINGS, mapped_errors
from services.platform.errors import UnavailableError

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
#: A block holds no key twice, so merging it in itself before it is stored, as ClickHouse does by
#: default, finds nothing, and takes half to three quarters of an insert's time.
BLOCK_SETTINGS: Final = {"optimize_on_insert": 0, **INSERT_SETTINGS}
ADMISSION_COLUMNS = ("log", "partition", "topic", *Series._fields, "used", "offset")


class ClickHouseWriter(SinkConnection):
    """Writes what a flush holds. Rows may be written again: they are pure functions of the log."""

    def write_rows(self, snapshots: Iterable[Snapshot]) -> None:
        """Insert slices, admissions, adjustments, belated events and dead letters.

        Partial success is harmless: try again as it is.
        """
        snapshots = list(snapshots)
        for family in FAMILIES:
            block = slice_block(family, snapshots, self._labels, self._log.name)
            if block is not None:
                self._insert_block(f"slices_{family.name}", block)
        for snapshot in snapshots:
            self.write_admissions(snapshot.partition, snapshot.admissions)
        self._insert_rows(
            "adjustments", ADJUSTMENT_COLUMNS, adjustment_rows(snapshots, self._labels, self._log)
        )
        self._insert_rows(
            "belated_events", BELATED_COLUMNS, belated_rows(snapshots, self._labels, self._log)
        )
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
        self._insert_rows("dead_letters", DEAD_LETTER_COLUMNS, letters)

    def write_admissions(self, partition: int, admissions: Sequence[Admission]) -> None:
        """Insert which series a partition admitted. Before the checkpoint that they are below."""
        if not admissions:
            return
        series = self._labels.series.meaning
        place = [self._log.name, partition, self._log.topic]
        rows = [[*place, *series[one.series], one.used, one.offset] for one in admissions]
        with mapped_errors():
            self._insert("admitted_series", rows, ADMISSION_COLUMNS)

    def _insert_rows(self, table: str, columns: Sequence[str], rows: list[list[Any]]) -> None:
        if rows:
            with mapped_errors():
                self._insert(table, rows, columns)

    def _insert_block(self, table: str, block: NativeBlock) -> None:
        client = self._connected()
        try:
            with mapped_errors():
                client.raw_insert(
                    table, block.names, block.data(), settings=BLOCK_SETTINGS, fmt="Native"
                )
        except UnavailableError:
            # A server that refuses does not read a long body to its end, and its answer may be lost
            # with the connection. Asked with an empty one, it says what no retry would fix.
            with mapped_errors():
                client.raw_insert(table, block.names, b"", settings=BLOCK_SETTINGS, fmt="Native")
            raise

    def write_checkpoints(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        """Insert checkpoints by partition. Only after their rows."""
        rows = checkpoint_rows(checkpoints, self._log)
        with mapped_errors():
            self._insert("checkpoints", rows, CHECKPOINT_COLUMNS)

    def _insert(self, table: str, rows: list[list[Any]], columns: Sequence[str]) -> None:
        self._connected().insert(table, rows, column_names=list(columns), settings=INSERT_SETTINGS)

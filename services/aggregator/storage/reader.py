"""Reads from ClickHouse what a worker goes on from: checkpoints, rules, slices.

On a full disk ClickHouse may answer 200 and nothing, as if there were no rows. What decides here
must not be taken for fact then: a small question is put so that its answer always is one row, and
to a large one a row is added that marks an answer.

Library errors arrive as `DatabaseUnavailableError` (a retry may help) or `ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.external import ExternalData

from schemas.metering_rules import RULE_NAMES, MeteringRules, rules_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import stacked
from services.aggregator.core.partition import Checkpoint
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slices import SliceRows
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import FAMILY_BY_NAME, Family
from services.aggregator.decoding.labels import Series
from services.aggregator.storage.checkpoint_rows import CHECKPOINT_COLUMNS, checkpoints_of
from services.aggregator.storage.connection import SinkConnection
from services.aggregator.storage.slice_blocks import (
    from_window,
    key_block,
    key_columns,
    key_types,
    no_slice,
    rows_of,
    select_slices,
    to_time,
)
from services.platform.clickhouse import all_rows, mapped_errors, nothing_answered

#: Keys asked for in one query, which bounds the memory of its answer.
LOOK_UP_KEYS_MAX: Final = 50_000
KEYS_TABLE: Final = "keys"


class ClickHouseReader(SinkConnection):
    """Reads what was written. Each answer is whole, or an error."""

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
            f"SELECT {', '.join(CHECKPOINT_COLUMNS)} FROM checkpoints FINAL"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}",
            partitions=list(partitions),
        )
        return checkpoints_of(rows)

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
        rows = self._all_rows(
            f"SELECT partition, from_offset, {', '.join(RULE_NAMES)} FROM metering_rules FINAL"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}",
            partitions=list(partitions),
        )
        entries: dict[int, list[tuple[int, MeteringRules]]] = {}
        for partition, from_offset, *values in sorted(rows):
            entries.setdefault(int(partition), []).append((from_offset, rules_of(values)))
        return {partition: RuleBook(tuple(rules)) for partition, rules in entries.items()}

    def read_slices(
        self, family: Family, partition: int, first_window: int
    ) -> tuple[SliceRows, Ints]:
        """Read a partition's slices from a window (its number) on: rows and their versions."""
        return self._read_rows(
            family,
            select_slices(family) + from_window(family),
            partition=partition,
            from_time=to_time(family.window_start_ms(first_window)),
        )

    def find_contradiction(self, family: Family, partition: int, first_window: int) -> str | None:
        """Name a key and version of which rows with distinct totals are stored, or None."""
        key = ", ".join([*key_columns(family), "version"])
        totals = f"sipHash64({', '.join(family.measures)})"
        rows = self._all_rows(
            f"SELECT {key} FROM slices_{family.name}"
            " WHERE log = {log:String} AND partition = {partition:UInt32}"
            f"{from_window(family)} GROUP BY {key}"
            # Two numbers a key; counting distinct totals would keep a set for each.
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
        names = ", ".join(key_columns(family))
        text = f"{select_slices(family)} AND ({names}) IN (SELECT {names} FROM {KEYS_TABLE})"
        found: list[tuple[SliceRows, Ints]] = []
        for start in range(0, len(keys), LOOK_UP_KEYS_MAX):
            block = key_block(family, keys[start : start + LOOK_UP_KEYS_MAX], self._labels)
            # As a table beside the query: the server refuses parameters beyond 128 KiB.
            asked = ExternalData(
                file_name=KEYS_TABLE, data=block.data(), fmt="Native", structure=key_types(family)
            )
            found.append(self._read_rows(family, text, asked, partition=partition))
        return (
            SliceRows(
                np.concatenate([rows.keys for rows, _ in found]),
                stacked([rows.totals for rows, _ in found]),
            ),
            np.concatenate([versions for _, versions in found]),
        )

    def _read_rows(
        self, family: Family, text: str, beside: ExternalData | None = None, **parameters: Any
    ) -> tuple[SliceRows, Ints]:
        # No slice has version 0: it marks the row that says the answer came.
        text = f"{text} UNION ALL {no_slice(family)}"
        blocks = [
            rows_of(family, list(block), self._labels)
            for block in self._column_blocks(text, beside, **parameters)
        ]
        if not blocks:
            raise nothing_answered()
        all_keys, all_totals, all_versions = zip(*blocks, strict=True)
        keys, versions = np.concatenate(all_keys), np.concatenate(all_versions)
        totals = stacked(all_totals)
        slices = versions > 0
        if slices.all():
            raise nothing_answered()
        return SliceRows(keys[slices], totals[slices]), versions[slices]

    def _column_blocks(
        self, text: str, beside: ExternalData | None, **parameters: Any
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """The answer to a query in blocks of columns; numbers come without an object each."""
        with (
            mapped_errors(),
            self._connected().query_column_block_stream(
                text, {"log": self._log.name, **parameters}, external_data=beside
            ) as blocks,
        ):
            yield from blocks

    def _all_rows(self, text: str, **parameters: Any) -> Sequence[tuple[Any, ...]]:
        return all_rows(self._connected(), text, {"log": self._log.name, **parameters})

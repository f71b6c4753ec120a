"""What the exporter asks ClickHouse. Views and checkpoints, never slices.

The texts take no values; a query that will need one passes it as a server-side parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.exporter.rows import REGISTER_COLUMNS, CheckpointRow, RegisterRow, Series
from services.platform.clickhouse import mapped_errors

REGISTERS_SQL: Final = (
    f"SELECT region, provider, model, {', '.join(REGISTER_COLUMNS)} FROM registers"
)

# FINAL: until parts merge, an older checkpoint of a partition still lies beside the newer one.
CHECKPOINTS_SQL: Final = """
SELECT
    log, partition, topic, next_offset, received, accepted, duplicate, late, rejected,
    toUnixTimestamp64Milli(newest_event) AS newest_event_ms,
    toUnixTimestamp64Milli(last_append) AS last_append_ms
FROM checkpoints FINAL
"""


def read_registers(client: Client) -> list[RegisterRow]:
    """Read all registers. Raises `UnavailableError` and `ConfigurationError`."""
    return [
        RegisterRow(
            Series(str(row[0]), str(row[1]), str(row[2])), tuple(int(value) for value in row[3:])
        )
        for row in _rows(client, REGISTERS_SQL)
    ]


def read_checkpoints(client: Client) -> list[CheckpointRow]:
    """Read the checkpoints of all logs. Raises `UnavailableError` and `ConfigurationError`."""
    return [CheckpointRow(*row) for row in _rows(client, CHECKPOINTS_SQL)]


def _rows(client: Client, sql: str) -> Sequence[Sequence[Any]]:
    with mapped_errors():
        return client.query(sql).result_rows  # type: ignore[no-any-return]

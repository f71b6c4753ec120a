"""Rows of FOCUS as Parquet: money and quantities as decimals, never floats; needs pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from services.billing.focus.columns import COLUMNS, PRECISION, Column, FocusRow, values
from services.platform.errors import ConfigurationError

_TYPES: Final = {
    "string": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "datetime": pa.timestamp("ms", tz="UTC"),
}


class ParquetFile:
    """A `RowFile` of Parquet: a row group for each block of rows."""

    def __init__(self, path: Path) -> None:
        self._schema = pa.schema([_field(column) for column in COLUMNS])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[FocusRow]) -> None:
        """Write some rows.

        Raises `OSError`, and `ConfigurationError` for a number that has too many digits: 38 are
        what readers of Parquet know, and no digit is left out.
        """
        if not rows:
            return
        columns = zip(*map(values, rows), strict=True)
        arrays = [
            _array(field, column) for field, column in zip(self._schema, columns, strict=True)
        ]
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the file's end; raises `OSError`."""
        self._writer.close()


def _field(column: Column) -> Any:
    kind = _TYPES.get(column.kind) or pa.decimal128(PRECISION, column.scale)
    return pa.field(column.name, kind, nullable=column.nullable)


def _array(field: Any, column: Sequence[Any]) -> Any:
    try:
        return pa.array(column, type=field.type)
    except pa.ArrowInvalid as error:
        raise ConfigurationError(
            f"{field.name} has more digits than Parquet's {field.type} holds ({error}):"
            " take --format csv"
        ) from None

"""Rows of bills as a Parquet file, for warehouses; needs the extra `parquet` (pyarrow).

Money is Decimal: of 38 digits where all of a column fit, as most readers know no wider one, and of
76 where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from services.billing.statement_rows import LineRow

#: Decimals of each column of money: of an amount as ClickHouse has it, of a rate, of both.
SCALES: Final = {"price": 9, "amount": 15, "rate": 12, "billed_amount": 27}
DIGITS, WIDE_DIGITS = 38, 76
INT64_MAX: Final = 2**63 - 1
#: Types of the other columns, by what stands in the annotation of the field.
TYPES: Final[dict[str, Any]] = {
    "str": pa.string(),
    "int": pa.int64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("ms", tz="UTC"),
}


class ParquetRows:
    """Rows of many bills, held until they are written: how wide is known only then."""

    def __init__(self) -> None:
        self._tables: list[Any] = [_table(())]

    def add(self, rows: Sequence[LineRow]) -> None:
        """Take rows of one or more bills."""
        if rows:
            self._tables.append(_table(rows))

    def write(self, path: Path) -> None:
        """Write all rows; raises `OSError`."""
        pq.write_table(pa.concat_tables(self._widened()), path)

    def _widened(self) -> list[Any]:
        schema = pa.schema(
            pa.field(name, max((one.schema.field(name).type for one in self._tables), key=_width))
            for name in self._tables[0].column_names
        )
        return [one.cast(schema) for one in self._tables]


def _table(rows: Sequence[LineRow]) -> Any:
    columns = {}
    for field in fields(LineRow):
        values = [getattr(row, field.name) for row in rows]
        kind = _type(field.name, str(field.type).removesuffix(" | None"), values)
        columns[field.name] = pa.array(values, type=kind)
    return pa.table(columns)


def _type(name: str, annotation: str, values: Sequence[Any]) -> Any:
    if name == "quantity" and any(value is not None and value > INT64_MAX for value in values):
        return _decimal(0, values)
    if name in SCALES:
        return _decimal(SCALES[name], values)
    return TYPES[annotation]


def _decimal(scale: int, values: Sequence[Decimal | int | None]) -> Any:
    known = [Decimal(one).copy_abs() for one in values if one is not None]
    highest = max(known, default=Decimal(0))
    fits = highest < 10 ** (DIGITS - scale)
    return pa.decimal128(DIGITS, scale) if fits else pa.decimal256(WIDE_DIGITS, scale)


def _width(kind: Any) -> int:
    """How many digits a type holds, so that of two types of a column the wider one is taken."""
    return int(kind.precision) if pa.types.is_decimal(kind) else 0

"""Parquet: exact decimals, and no digit left out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from services.billing.focus.columns import COLUMNS, values
from services.platform.errors import ConfigurationError
from tests.unit.services.billing.focus.charges import CREDITED, UNPRICED, USED, row_of

pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra `parquet`")

import pyarrow as pa
import pyarrow.parquet as pq

from services.billing.focus.parquet_file import ParquetFile


def test_rows_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    rows = [row_of(one) for one in (USED, CREDITED, UNPRICED)]
    file = ParquetFile(path)
    file.write(rows[:2])
    file.write([])
    file.write(rows[2:])
    file.close()
    found = pq.read_table(path)
    assert found.column_names == [column.name for column in COLUMNS]
    assert [tuple(one.values()) for one in found.to_pylist()] == [values(row) for row in rows]
    assert pq.ParquetFile(path).num_row_groups == 2


def test_money_is_never_a_float(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    ParquetFile(path).close()
    schema = pq.read_schema(path)
    assert not [field for field in schema if pa.types.is_floating(field.type)]
    assert schema.field("BilledCost").type == pa.decimal128(38, 27)
    assert schema.field("ListUnitPrice").nullable and not schema.field("BilledCost").nullable


def test_a_number_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = ParquetFile(tmp_path / "focus.parquet")
    row = row_of(USED)
    for cost in (Decimal(10) ** 11, Decimal("1E-28")):
        with pytest.raises(ConfigurationError, match=r"BilledCost has more digits.*--format csv"):
            file.write([replace(row, billed_cost=cost)])

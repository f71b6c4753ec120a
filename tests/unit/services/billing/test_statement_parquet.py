"""Bills as Parquet: money is Decimal, as wide as it has to be."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow.parquet as pq

from services.billing.bill import Bill
from services.billing.exact import total
from services.billing.statement_parquet import ParquetRows
from services.billing.statement_rows import LineRow, columns, line_rows
from tests.unit.services.billing.bills import billed, full, line, statement


def test_rows_are_read_back_with_every_digit(tmp_path: Path) -> None:
    found = pq.read_table(_written(tmp_path, full("北京")))
    assert found.column_names == columns(LineRow)
    amounts = [one for one in found["billed_amount"].to_pylist() if one is not None]
    assert total(amounts) == full().due
    assert set(found["tenant"].to_pylist()) == {"北京"}
    types = {name: str(found.schema.field(name).type) for name in found.column_names}
    assert types["amount"] == "decimal128(38, 15)"
    assert types["billed_amount"] == "decimal128(38, 27)"
    assert (types["quantity"], types["time"]) == ("int64", "timestamp[ms, tz=UTC]")


def test_amounts_of_76_digits_fit(tmp_path: Path) -> None:
    amount = Decimal("9" * 49 + "." + "9" * 15)
    bill = billed(statement(line("energy", 2**127, str(amount))))
    found = pq.read_table(_written(tmp_path, full(), bill, full()))
    assert str(found.schema.field("amount").type) == "decimal256(76, 15)"
    assert amount in found["amount"].to_pylist() and Decimal("1.20") in found["amount"].to_pylist()
    assert {2**127, 1_000_000} <= set(found["quantity"].to_pylist())
    assert found.num_rows == 2 * len(list(line_rows(full()))) + 2


def test_a_file_without_rows_has_its_columns(tmp_path: Path) -> None:
    assert pq.read_table(_written(tmp_path, billed(statement()))).num_rows == 0


def _written(folder: Path, *bills: Bill) -> Path:
    path = folder / "lines.parquet"
    rows = ParquetRows()
    for bill in bills:
        rows.add(list(line_rows(bill)))
    rows.write(path)
    return path

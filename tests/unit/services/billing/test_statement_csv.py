"""Bills as CSV: every digit, and nothing that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from services.billing.exact import total
from services.billing.statement_csv import ENCODING, field, write_csv
from services.billing.statement_rows import LineRow, columns, line_rows
from tests.unit.services.billing.bills import billed, full, line, statement


def test_rows_are_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    with path.open("w", encoding=ENCODING, newline="") as file:
        write_csv(file, LineRow, line_rows(full('北京,\n"智谱"')))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfinvoice_number,tenant,")
    with path.open(encoding=ENCODING, newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == set(columns(LineRow))
    assert {row["tenant"] for row in rows} == {'北京,\n"智谱"'}
    amounts = [Decimal(row["billed_amount"]) for row in rows if row["billed_amount"]]
    assert total(amounts) == full().due
    assert [row["quantity"] for row in rows if row["kind"] == "unpriced"] == ["77"]


def test_numbers_of_any_length_keep_their_digits() -> None:
    digits = f"{'9' * 61}.{'9' * 15}"
    file = io.StringIO()
    write_csv(file, LineRow, line_rows(billed(statement(line("energy", 2**127, digits)))))
    assert digits in file.getvalue() and str(2**127) in file.getvalue()
    assert "E+" not in file.getvalue()


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_that_a_spreadsheet_would_compute_is_marked_as_text(name: str) -> None:
    assert field(name) == f"'{name}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (Decimal("-0.50"), "-0.50"),
        (Decimal("1E+3"), "1000"),
        (-5, "-5"),
        (True, "true"),
        (date(2026, 5, 1), "2026-05-01"),
        (datetime(2026, 5, 1, 7, tzinfo=UTC), "2026-05-01T07:00:00Z"),
        ("a=b", "a=b"),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert field(value) == text

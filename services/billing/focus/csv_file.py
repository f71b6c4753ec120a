"""Rows of FOCUS as CSV: RFC 4180 in UTF-8, numbers and times as FOCUS' attributes have them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from services.billing.focus.charge_rows import plain
from services.billing.focus.columns import COLUMNS, FocusRow, Value, values


class CsvFile:
    """A `RowFile` of CSV with a head of column names; null is an empty field."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow([column.name for column in COLUMNS])

    def write(self, rows: Sequence[FocusRow]) -> None:
        """Write some rows; raises `OSError`."""
        self._writer.writerows([text(value) for value in values(row)] for row in rows)

    def close(self) -> None:
        """Write what is left; raises `OSError`."""
        self._file.close()


def text(value: Value) -> str:
    """A value as NumericFormat and DateTimeFormat have it; '' is null."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)

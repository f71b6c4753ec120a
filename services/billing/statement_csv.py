"""Rows of bills as CSV, for spreadsheets: UTF-8 with its mark, every digit, no formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO, Final

from services.billing.statement_json import plain
from services.billing.statement_rows import BillRow, LineRow, columns

#: Spreadsheets of Western versions take UTF-8 without it for another encoding.
ENCODING: Final = "utf-8-sig"
#: A text that begins with one of these is a formula to a spreadsheet; names come from others.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(
    file: IO[str],
    kind: type[LineRow] | type[BillRow],
    rows: Iterable[LineRow | BillRow],
    *,
    head: bool = True,
) -> None:
    """Write the rows, and a head above them; what there is none of is an empty field."""
    names = columns(kind)
    writer = csv.writer(file)
    if head:
        writer.writerow(names)
    for row in rows:
        writer.writerow([field(getattr(row, name)) for name in names])


def field(value: object) -> str:
    """One value as text, so that no spreadsheet computes with it unasked."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(plain(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text

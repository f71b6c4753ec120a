"""A bill as PDF/A on A4, with its fonts embedded; needs the extra `bills` (Typst, Noto fonts).

`bill.typ` says how it looks. The same bill is the same file, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, Final

import typst

from services.billing.bill import Bill
from services.billing.bill_sections import NOTE, sections
from services.billing.fonts import BillFonts
from services.billing.masthead import masthead
from services.billing.sections import Column, Row, Section
from services.platform.printable import shown

TEMPLATE: Final = Path(__file__).with_name("bill.typ")
#: Words of a number and its unit stay on one line.
NO_BREAK: Final = "\u00a0"
#: A column is as wide as the widest of its longest texts: digits are of one width, commas are not.
LONGEST: Final = 8
#: Columns of texts share what is left by their longest texts, in characters, between these.
SHARE_MIN, SHARE_MAX = 8, 40
#: Most characters of a name in the small print at the edges of a page.
EDGE_LENGTH: Final = 48


@dataclass(frozen=True, slots=True)
class Pdf:
    """The file, and the characters in it that no font has: they are written as their numbers."""

    content: bytes
    missing: tuple[str, ...]


def render_pdf(bill: Bill, fonts: BillFonts) -> Pdf:
    """Render the bill. Raises `ConfigurationError` where it cannot be drawn with these fonts."""
    given = _document(bill)
    missing = fonts.missing(_texts(given))
    if missing:
        given = _replaced(given, {ord(one): f"U+{ord(one):04X}" for one in missing})
    given["fonts"] = fonts.order(_texts(given))
    compiler = typst.Compiler(
        TEMPLATE,
        font_paths=fonts.loaded,
        ignore_system_fonts=True,
        sys_inputs={"bill": json.dumps(given)},
    )
    content = compiler.compile(
        format="pdf",
        pdf_standards=["a-2a"],
        timestamp=datetime.combine(bill.terms.issued, time(), UTC),
    )
    assert isinstance(content, bytes), "one file, in memory"
    return Pdf(content, tuple(missing))


def _document(bill: Bill) -> dict[str, Any]:
    """All that the template draws, as texts."""
    head = masthead(bill)
    title = f"{head.title} {_short(bill.statement.tenant)} {bill.statement.period_start:%Y-%m}"
    number = dict(head.facts).get("Number", "")
    return {
        "document": shown(title),
        "author": shown(_short(head.issuer[0])) if head.issuer else "Wattoken",
        "title": head.title,
        "number": shown(number),
        "issuer": [shown(one) for one in head.issuer],
        "customer": [shown(one) for one in head.customer],
        "facts": [[name, shown(text)] for name, text in head.facts],
        "due-label": head.due_label,
        "due": _whole(head.due),
        "warnings": list(head.warnings),
        "payment": [shown(one) for one in head.payment],
        "note": NOTE,
        "sections": [_section(one) for one in sections(bill)],
    }


def _section(section: Section) -> dict[str, Any]:
    highest = max((tokens for _, tokens in section.daily_tokens), default=0)
    return {
        "title": section.title,
        "columns": [_column(section, place) for place in range(len(section.columns))],
        "rows": [_row(section.columns, row) for row in section.rows],
        "note": section.note,
        "days": [
            {"label": f"{int(day[-2:])}", "height": 100 * tokens / highest if highest else 0}
            for day, tokens in section.daily_tokens
        ],
    }


def _column(section: Section, place: int) -> dict[str, Any]:
    column = section.columns[place]
    texts = {row.cells[place] for row in section.rows if row.kind != "heading"}
    # A head may be broken between its words.
    longest = sorted((*texts, *column.title.split(" ")), key=lambda text: (-len(text), text))
    share = min(max(map(len, longest), default=0), SHARE_MAX)
    return {
        "title": column.title,
        "number": column.number,
        "share": max(share, SHARE_MIN),
        "widest": [_whole(text) for text in longest[:LONGEST]] if column.number else [],
    }


def _row(columns: tuple[Column, ...], row: Row) -> dict[str, Any]:
    if row.kind == "heading":
        cells = [shown(row.cells[0])]
    else:
        cells = [
            _whole(text) if column.number else shown(text)
            for column, text in zip(columns, row.cells, strict=True)
        ]
    return {"cells": cells, "kind": row.kind, "detail": shown(row.detail)}


def _whole(text: str) -> str:
    return shown(text).replace(" ", NO_BREAK)


def _short(name: str) -> str:
    return name if len(name) <= EDGE_LENGTH else f"{name[: EDGE_LENGTH - 1]}…"


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _replaced(value: Any, table: dict[int, str]) -> Any:
    if isinstance(value, str):
        return value.translate(table)
    if isinstance(value, dict):
        return {name: _replaced(one, table) for name, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, table) for one in value]
    return value

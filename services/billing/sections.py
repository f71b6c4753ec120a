"""PURE. A section of a bill: a table of texts, as the page, the PDF and the terminal all draw it.

No renderer computes, rounds or sorts anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RowKind = Literal["line", "heading", "subtotal", "total"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head, and whether it holds numbers, which are never broken nor cut."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: a text for each column; a heading has one for all. ``detail`` stands below it."""

    cells: tuple[str, ...]
    kind: RowKind = "line"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table and what is to be said below it."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    #: The tokens of each day, where the section is a chart of them instead of a table.
    daily_tokens: tuple[tuple[str, int], ...] = ()


def texts(*titles: str) -> tuple[Column, ...]:
    """Columns of texts."""
    return tuple(Column(title) for title in titles)


def numbers(*titles: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(title, number=True) for title in titles)

"""PURE. A view's own SQL with other tables under it: what `charges` would be with other prices.

ClickHouse keeps the text of each view, in which every table is named with its database. Here those
texts become one query, a CTE each, in which some tables are given as values. So other prices are
tried with the very SQL that bills, by who may only read, and nothing is made in the database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

_STRING: Final = r"'(?:[^'\\]|\\.|'')*'"
_NAME: Final = r"`(?:[^`\\]|\\.)+`|\w+"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column of a table as the database has it; ``default`` is '' where it has none."""

    name: str
    type: str
    default: str


@dataclass(frozen=True, slots=True)
class Views:
    """The text of each view of a database, by name."""

    database: str
    texts: Mapping[str, str]

    def names_in(self, text: str) -> list[str]:
        """What a text reads of the database, in its order, each once."""
        found = [match["name"] for match in self._qualified().finditer(text) if match["name"]]
        return list(dict.fromkeys(map(_bare, found)))

    def columns_read(self, table: str, columns: Sequence[str]) -> list[str]:
        """Those columns of a table that some view which reads it may need; all behind a ``*``."""
        readers = [text for text in self.texts.values() if table in self.names_in(text)]
        every = re.compile(rf"\*\s+FROM\s+(?:{_NAME})\.`?{re.escape(table)}`?(?!\w)")
        if any(every.search(text) for text in readers):
            return list(columns)
        words = {word for text in readers for word in re.findall(r"\w+", text)}
        return [column for column in columns if column in words]

    def over(self, root: str, tables: Mapping[str, str]) -> str:
        """A list of CTEs for ``WITH``, the last one named ``root``: that view over other tables.

        ``tables`` has a query for each table that is to be another; it gives each row once, as
        ``FINAL`` is of tables only and left out behind it. Views that read none of them are asked
        as they are. Raises `KeyError` if ``root`` is no view that reads one of them.
        """
        found: dict[str, str] = {}
        if not self._gather(root, tables, found):
            raise KeyError(root)
        return ",\n".join(f"`{name}` AS ({text})" for name, text in found.items())

    def _gather(self, name: str, tables: Mapping[str, str], found: dict[str, str]) -> bool:
        """Put into ``found`` what ``name`` stands on, then itself; whether it reads the tables."""
        if name in found:
            return True
        if name in tables:
            found[name] = tables[name]
            return True
        if name not in self.texts:
            return False
        text = self.texts[name]
        others = [one for one in self.names_in(text) if self._gather(one, tables, found)]
        if others:
            found[name] = self._without_database(text, others)
        return bool(others)

    def _without_database(self, text: str, names: Sequence[str]) -> str:
        """The text with some names as they stand in a CTE."""

        def name(match: re.Match[str]) -> str:
            plain = match["name"]
            if not plain or _bare(plain) not in names:
                return match[0]
            return f"`{_bare(plain)}`{match['alias'] or ''}"

        return self._qualified().sub(name, text)

    def _qualified(self) -> re.Pattern[str]:
        """Matches strings, in which nothing is a name, and names with the database before them.

        With a name goes a ``FINAL`` behind it, and behind its alias.
        """
        plain = re.escape(self.database)
        final = rf"(?:(?P<alias>\s+AS\s+(?:{_NAME}))?\s+FINAL\b)?"
        return re.compile(rf"{_STRING}|(?<![\w`.])(?:{plain}|`{plain}`)\.(?P<name>{_NAME}){final}")


def _bare(name: str) -> str:
    return name.strip("`")


def values_query(
    columns: Sequence[ColumnType], given: Sequence[str], rows: Sequence[Sequence[Any]]
) -> str:
    """A query that gives these rows of the columns ``given``, of the types that a table has.

    What ``columns`` has besides takes its default, as it does on an insert.
    """
    types = {column.name: column.type for column in columns}
    inner = ", ".join(types[name] for name in given)
    texts = ",".join(f"({','.join(map(literal, row))})" for row in rows)
    array = f"CAST({quoted(f'[{texts}]')}, {quoted(f'Array(Tuple({inner}))')})"
    picked = [f"row.{place} AS `{name}`" for place, name in enumerate(given, 1)]
    for column in columns:
        if column.name not in given:
            value = column.default or f"defaultValueOfTypeName({quoted(column.type)})"
            picked.append(f"CAST({value}, {quoted(column.type)}) AS `{column.name}`")
    return f"SELECT {', '.join(picked)} FROM (SELECT arrayJoin({array}) AS row)"


def literal(value: Any) -> str:
    """A value as ClickHouse reads it within a text of a tuple; times are in UTC."""
    if value is None:
        return "NULL"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, date):
        return f"'{value:%Y-%m-%d}'"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{','.join(map(literal, value))}]"
    raise TypeError(f"no literal of {type(value).__name__}")


def quoted(text: str) -> str:
    """A string in SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

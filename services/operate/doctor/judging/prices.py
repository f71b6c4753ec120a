"""PURE. Whether prices are of these days, and the database has those of this program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.operate.doctor.finding import Finding, ok, warning


@dataclass(frozen=True, slots=True)
class PriceList:
    """A source of published prices: how old its version is, for people, and whether too old."""

    source: str
    age: str
    is_old: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """The price lists, and which tables hold another catalogue than this program's files.

    ``other_tables`` is None where the database was not asked.
    """

    lists: tuple[PriceList, ...]
    other_tables: tuple[str, ...] | None


def judge(facts: Prices) -> Iterator[Finding]:
    """Judge the age of price lists, then the catalogue in the database."""
    for one in facts.lists:
        what = f"price list {one.source}"
        if one.is_old:
            yield warning(what, one.age, "install a newer one, then `wattoken tariffs sync`")
        else:
            yield ok(what, one.age)
    if facts.other_tables:
        yield warning(
            "catalogue",
            f"the database has another than this program's files: {', '.join(facts.other_tables)}",
            "`wattoken migrate` loads it (with the WATTOKEN_CATALOGUE_DIR that is to hold)",
        )
    elif facts.other_tables is not None:
        yield ok("catalogue", "the database has that of this program's files")

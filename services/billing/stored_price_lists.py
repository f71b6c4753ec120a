"""PURE. The price lists as far as ClickHouse was asked for them: rows as what a file would say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.catalogue.listed_tariffs import SEPARATOR
from schemas.catalogue.price_list_rows import LISTED_MODEL_COLUMNS

Fields = dict[str, Any]


def price_lists_of(
    rows: Iterable[Sequence[Any]], prices: Mapping[str, Fields], calendars: list[Fields]
) -> Fields:
    """The lists that the rows of `listed_models` name, with the prices of their tariffs by id.

    What is left has the order of the whole, so that of some models each finds the same tariff.
    """
    named = [dict(zip(LISTED_MODEL_COLUMNS, row, strict=True)) for row in rows]
    tariffs: dict[str, list[Fields]] = defaultdict(list)
    providers: dict[str, dict[str, None]] = defaultdict(dict)
    for row in sorted(named, key=lambda one: (one["provider"], one["list_rank"], one["place"])):
        providers[row["provider"]][row["list"]] = None
        tariffs[row["tariff_id"]].append(row)
    return {
        "header": {
            "providers": {name: tuple(lists) for name, lists in providers.items()},
            "calendars": calendars,
        },
        "tariffs": [_tariff(name, one, prices.get(name)) for name, one in tariffs.items()],
    }


def _tariff(name: str, rows: list[Fields], prices: Fields | None) -> Fields:
    listed = rows[0]["list"]
    patterns = dict.fromkeys(
        (tuple(row["found"]), tuple(row["not_found"])) for row in rows if not row["name"]
    )
    return {
        "list": listed,
        "model": name.removeprefix(f"{listed}{SEPARATOR}"),
        "names": tuple(dict.fromkeys(row["name"] for row in rows if row["name"])),
        "patterns": [{"like": like, "unlike": unlike} for like, unlike in patterns],
        **(prices or {"not_taken": "its list has no price that could be taken over"}),
    }

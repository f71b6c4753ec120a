"""The file of the price lists: JSON, the header and then one tariff on each line, list by list.

Written by `wattoken tariffs sync`; a line changes only if its prices do, so that a change can be
read in the file's history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from schemas.catalogue.entries import Entry
from schemas.catalogue.files import CatalogueError, problem
from schemas.catalogue.listed_tariffs import ListedTariff, ListsHeader
from schemas.catalogue.price_lists import PriceLists

FILE: Final = "price_lists.jsonl"
#: What is left out of a moment that is a day.
_MIDNIGHT: Final = "T00:00:00Z"


def load_price_lists(path: Path) -> PriceLists:
    """Load the price lists; no file and an empty one are none. Raises `CatalogueError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return PriceLists()
    except (OSError, ValueError) as error:
        raise CatalogueError(f"cannot read {path}: {error}") from None
    return _parsed(path, text) if text.strip() else PriceLists()


@lru_cache(maxsize=1)
def _parsed(path: Path, text: str) -> PriceLists:
    """What a file of this text says: thousands of entries take a second, so the last is kept."""
    lines = text.splitlines()
    header, *rest = (_line(path, number, line) for number, line in enumerate(lines, 1))
    try:
        return PriceLists(
            header=ListsHeader.model_validate(header),
            tariffs=tuple(map(ListedTariff.model_validate, rest)),
        )
    except ValidationError as error:
        raise CatalogueError(f"{path}: {problem(error)}") from None


def price_list_text(lists: PriceLists) -> str:
    """The file's text."""
    return "".join(f"{line}\n" for line in _lines(lists))


def _lines(lists: PriceLists) -> Iterator[str]:
    for one in (lists.header, *lists.tariffs):
        yield _json(one)


def _json(entry: Entry) -> str:
    content = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for version in content.get("versions", ()):
        for name in ("valid_from", "valid_to"):
            if name in version:
                version[name] = version[name].removesuffix(_MIDNIGHT)
    return json.dumps(content, ensure_ascii=False, separators=(", ", ": "))


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line, parse_float=str)
    except ValueError as error:
        raise CatalogueError(f"{path}, line {number}: {error}") from None

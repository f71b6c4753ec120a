"""The files of real electricity: `energy.yaml` by hand, two JSONL files that tools write.

`energy_models.jsonl` is written by tools/energy/models.py, `energy_grids.jsonl` by
tools/energy/grids.py: a header, then an entry on each line. A version that held is never changed by
them, so a month that was reported stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from schemas.catalogue.energy import DerivedHeader
from schemas.catalogue.energy_entries import Grid, Rating
from schemas.catalogue.entries import Entry
from schemas.catalogue.files import CatalogueError, problem

BY_HAND: Final = "energy.yaml"
MODELS: Final = "energy_models.jsonl"
GRIDS: Final = "energy_grids.jsonl"

E = TypeVar("E", Rating, Grid)


def load_models(path: Path) -> tuple[DerivedHeader | None, tuple[Rating, ...]]:
    """Load the ratings that were derived; an empty file has none. Raises `CatalogueError`."""
    return _loaded(path, Rating)


def load_grids(path: Path) -> tuple[DerivedHeader | None, tuple[Grid, ...]]:
    """Load the grids; an empty file has none. Raises `CatalogueError`."""
    return _loaded(path, Grid)


def derived_text(header: DerivedHeader, entries: Iterable[Rating | Grid]) -> str:
    """The text of a derived file."""
    return "".join(f"{line}\n" for line in _lines(header, entries))


def _lines(header: DerivedHeader, entries: Iterable[Rating | Grid]) -> Iterator[str]:
    for one in (header, *entries):
        content = one.model_dump(exclude_defaults=True)
        yield json.dumps(content, ensure_ascii=False, separators=(", ", ": "), default=_written)


def _written(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)


def _loaded(path: Path, shape: type[E]) -> tuple[DerivedHeader | None, tuple[E, ...]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CatalogueError(f"cannot read {path}: {error}") from None
    return _parsed(path, text, shape) if text.strip() else (None, ())


@lru_cache(maxsize=2)
def _parsed(path: Path, text: str, shape: type[E]) -> tuple[DerivedHeader, tuple[E, ...]]:
    header, *rest = text.splitlines()
    return (
        _entry(path, 1, header, DerivedHeader),
        tuple(_entry(path, number, line, shape) for number, line in enumerate(rest, 2)),
    )


S = TypeVar("S", bound=Entry)


def _entry(path: Path, number: int, line: str, shape: type[S]) -> S:
    try:
        return shape.model_validate(json.loads(line, parse_float=str))
    except ValidationError as error:
        raise CatalogueError(f"{path}, line {number}: {problem(error)}") from None
    except ValueError as error:
        raise CatalogueError(f"{path}, line {number}: {error}") from None

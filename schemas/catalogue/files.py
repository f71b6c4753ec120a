"""Where the catalogue's files are, and how it is said that one of them cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

SHIPPED: Final = Path(__file__).parent


class CatalogueError(ValueError):
    """A catalogue file cannot be read or contradicts itself; the text says which and where."""


def path_of(name: str, folder: Path | None) -> Path:
    """A file of the catalogue: that of the folder if it has one, else the shipped one."""
    if folder is not None and (folder / name).exists():
        return folder / name
    return SHIPPED / name


def problem(error: ValidationError) -> str:
    """Say in one line where the first problem is, and how many more there are."""
    problems = error.errors(include_url=False)
    # Of a value that may have either of two shapes, pydantic names the validator too.
    place = ".".join(str(part) for part in problems[0]["loc"] if "[" not in str(part))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {problems[0]['msg']}{more}".removeprefix(": ")

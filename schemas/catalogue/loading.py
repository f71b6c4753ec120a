"""Reads the catalogue's YAML files; a folder of your own may replace any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import ValidationError

from schemas.catalogue.catalogue import (
    Catalogue,
    ModelsFile,
    ProvidersFile,
    RegionsFile,
    TariffsFile,
    TouFile,
)
from schemas.catalogue.entries import Entry
from schemas.catalogue.rates import RatesFile

SHIPPED: Final = Path(__file__).parent
F = TypeVar("F", bound=Entry)


class CatalogueError(ValueError):
    """A catalogue file cannot be read or contradicts itself; the text says which and where."""


class _ExactLoader(yaml.SafeLoader):
    """YAML whose numbers with a point stay text: 0.1 must become the decimal 0.1, not a float."""


_ExactLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_catalogue(folder: Path | None = None) -> Catalogue:
    """Load the catalogue; a file of it that ``folder`` has replaces the shipped one.

    Raises `CatalogueError`.
    """
    if folder is not None and not folder.is_dir():
        raise CatalogueError(f"{folder} is no folder")
    models = read_file(_path("models.yaml", folder), ModelsFile)
    providers = read_file(_path("providers.yaml", folder), ProvidersFile)
    regions = read_file(_path("regions.yaml", folder), RegionsFile)
    tariffs = read_file(_path("tariffs.yaml", folder), TariffsFile)
    tou = read_file(_path("tou.yaml", folder), TouFile)
    rates = read_file(_path("rates.yaml", folder), RatesFile)
    try:
        return Catalogue(
            models=models,
            providers=providers,
            regions=regions,
            tariffs=tariffs,
            tou=tou,
            rates=rates,
        )
    except ValidationError as error:
        raise CatalogueError(f"the catalogue contradicts itself: {_problem(error)}") from None


def _path(name: str, folder: Path | None) -> Path:
    if folder is not None and (folder / name).exists():
        return folder / name
    return SHIPPED / name


def read_file(path: Path, shape: type[F]) -> F:
    """Read one YAML file, its numbers digit by digit. Raises `CatalogueError`."""
    try:
        # _ExactLoader is a SafeLoader: it builds plain values only.
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_ExactLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        # ValueError: text that is no UTF-8, or a day such as 2026-10-32.
        line = " ".join(str(error).split())[:300]
        raise CatalogueError(f"cannot read {path}: {line}") from None
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        raise CatalogueError(f"{path}: {_problem(error)}") from None


def _problem(error: ValidationError) -> str:
    """Say in one line where the first problem is, and how many more there are."""
    problems = error.errors(include_url=False)
    # Of a value that may have either of two shapes, pydantic names the validator too.
    place = ".".join(str(part) for part in problems[0]["loc"] if "[" not in str(part))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {problems[0]['msg']}{more}".removeprefix(": ")

"""Reads the catalogue's YAML files; a folder of your own may replace any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

try:
    # The parser in C, which PyYAML's wheels have: every service and command reads the catalogue.
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

from schemas.catalogue.catalogue import (
    Catalogue,
    ModelsFile,
    ProvidersFile,
    RegionsFile,
    TariffsFile,
    TouFile,
)
from schemas.catalogue.energy import Energy, EnergyFile
from schemas.catalogue.energy_files import BY_HAND, GRIDS, MODELS, load_grids, load_models
from schemas.catalogue.entries import Entry

# Who looked for the first here before finds it here still.
from schemas.catalogue.files import SHIPPED as SHIPPED
from schemas.catalogue.files import CatalogueError, path_of, problem
from schemas.catalogue.price_list_file import FILE, load_price_lists
from schemas.catalogue.price_lists import PriceLists
from schemas.catalogue.rates import RatesFile

F = TypeVar("F", bound=Entry)


class _ExactLoader(SafeLoader):
    """YAML whose numbers with a point stay text: 0.1 must become the decimal 0.1, not a float."""


_ExactLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}


def load_catalogue(folder: Path | None = None, *, with_price_lists: bool = True) -> Catalogue:
    """Load the catalogue; a file of it that ``folder`` has replaces the shipped one.

    Who needs no prices can do without the price lists, which are by far the most of it, and then
    has nothing of electricity either. Raises `CatalogueError`.
    """
    if folder is not None and not folder.is_dir():
        raise CatalogueError(f"{folder} is no folder")
    models = read_file(path_of("models.yaml", folder), ModelsFile)
    providers = read_file(path_of("providers.yaml", folder), ProvidersFile)
    regions = read_file(path_of("regions.yaml", folder), RegionsFile)
    tariffs = read_file(path_of("tariffs.yaml", folder), TariffsFile)
    tou = read_file(path_of("tou.yaml", folder), TouFile)
    rates = read_file(path_of("rates.yaml", folder), RatesFile)
    lists = load_price_lists(path_of(FILE, folder)) if with_price_lists else PriceLists()
    try:
        return Catalogue(
            models=models,
            providers=providers,
            regions=regions,
            tariffs=tariffs,
            tou=tou,
            rates=rates,
            price_lists=lists,
            energy=load_energy(folder) if with_price_lists else Energy(),
        )
    except ValidationError as error:
        raise CatalogueError(f"the catalogue contradicts itself: {problem(error)}") from None


def load_energy(folder: Path | None = None) -> Energy:
    """Load what is known of real electricity; a folder replaces files of it as of the rest.

    Raises `CatalogueError`.
    """
    by_hand = read_file(path_of(BY_HAND, folder), EnergyFile)
    models_header, models = load_models(path_of(MODELS, folder))
    grids_header, grids = load_grids(path_of(GRIDS, folder))
    headers = tuple(one for one in (models_header, grids_header) if one is not None)
    try:
        return Energy(file=by_hand, models=models, grids=grids, headers=headers)
    except ValidationError as error:
        raise CatalogueError(f"{path_of(BY_HAND, folder)}: {problem(error)}") from None


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
        raise CatalogueError(f"{path}: {problem(error)}") from None

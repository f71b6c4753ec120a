"""The catalogue: who makes which model, where tokens are served, and what they cost.

Seven YAML files (`models`, `providers`, `regions`, `tariffs`, `tou`, `rates`, `energy`) and three
that tools write, the pydantic models that they are held to, and a loader. `wattoken migrate` puts
them into ClickHouse; docs/tariffs.md and docs/energy.md say what they mean.
"""

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.entries import ModelEntry, RegionEntry
from schemas.catalogue.files import CatalogueError
from schemas.catalogue.loading import load_catalogue
from schemas.catalogue.prices import TOKEN_CLASSES, TokenClass

__all__ = [
    "TOKEN_CLASSES",
    "Catalogue",
    "CatalogueError",
    "ModelEntry",
    "RegionEntry",
    "TokenClass",
    "load_catalogue",
]

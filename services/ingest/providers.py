"""Who serves a model where neither its event nor its key says so, by the catalogue."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from schemas.catalogue import Catalogue
from services.platform.catalogue import read_catalogue
from services.platform.settings import CatalogueSettings, read_settings

#: Stands for a provider that neither the event, its key nor the catalogue names.
PROVIDER_UNKNOWN: Final = "unknown"
#: Models come from clients, so what is remembered of them is bounded.
_REMEMBERED_MAX: Final = 4096


@lru_cache(_REMEMBERED_MAX)
def provider_of(model: str) -> str | None:
    """Tell who serves a model; None where the catalogue does not say."""
    entry = catalogue().model_of(model)
    return (entry.provider or None) if entry is not None else None


@cache
def catalogue() -> Catalogue:
    """The catalogue of this process; as constant as its settings.

    Raises `ConfigurationError` when the files are wrong.
    """
    return read_catalogue(read_settings(CatalogueSettings).catalogue_dir)

"""Who served a model, and the one name of both, by the catalogue.

What an event says comes first, then what is bound to its key, then a model's name that tells who
served it (`azure/gpt-5`, `us.anthropic.claude…`), then the catalogue's usual provider of the model.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from schemas.catalogue import Catalogue
from schemas.catalogue.names import Names
from services.platform.catalogue import read_catalogue
from services.platform.settings import CatalogueSettings, read_settings

#: Stands for a provider that neither the event, its key nor the catalogue names.
PROVIDER_UNKNOWN: Final = "unknown"
#: Models come from clients, so what is remembered of them is bounded.
_REMEMBERED_MAX: Final = 4096
_LENGTH_MAX: Final = 256


def provider_and_model_of(model: str, provider: str | None) -> tuple[str | None, str]:
    """Find the one name of the provider and of the model; None for a provider nobody knows.

    ``provider`` is what the event says, else what its key does. ``vendor/model`` is split only
    where the vendor is known, or is that provider; a name like ``Qwen/Qwen3-32B``, which says
    nothing of who served, has the provider `PROVIDER_UNKNOWN` where nothing else says more.
    """
    if max(len(model), len(provider or "")) > _LENGTH_MAX:
        return provider, model  # No event takes it.
    return _found(model, provider)


@lru_cache(_REMEMBERED_MAX)
def _found(model: str, provider: str | None) -> tuple[str | None, str]:
    names = _names()
    route = names.route(model)
    if provider is not None:
        served = names.provider(provider)
        vendor, slash, rest = model.partition("/")
        if route is not None and route[0] == served:
            model = route[1]
        elif slash and rest and vendor == provider == served and not names.is_route(vendor):
            model = rest
        return served, names.model(model)
    if route is not None:
        return route[0], names.model(route[1])
    known = names.model(model)
    by_prefix = names.provider_by_prefix(model)
    if by_prefix is not None:
        return by_prefix, known
    if "/" in model.strip("/"):
        return PROVIDER_UNKNOWN, known
    return provider_of(known), known


@lru_cache(_REMEMBERED_MAX)
def provider_of(model: str) -> str | None:
    """Tell who serves a model; None where the catalogue does not say."""
    entry = catalogue().model_of(model)
    return (entry.provider or None) if entry is not None else None


def is_known_provider(provider: str) -> bool:
    """Say whether the catalogue has this provider."""
    return _names().knows_provider(provider)


def is_known_model(model: str) -> bool:
    """Say whether the catalogue has this model by its name."""
    return _names().knows_model(model)


@cache
def _names() -> Names:
    return Names(catalogue())


@cache
def catalogue() -> Catalogue:
    """The catalogue of this process; as constant as its settings.

    Raises `ConfigurationError` when the files are wrong.
    """
    return read_catalogue(read_settings(CatalogueSettings).catalogue_dir)


def forget() -> None:
    """Read the catalogue anew at the next question; for tests that set another."""
    for remembered in (catalogue, _names, provider_of, _found):
        remembered.cache_clear()

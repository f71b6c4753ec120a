"""PURE but for which catalogue it was given: who served a model, and the one name of both.

What an event says comes first, then what is bound to its key, then a model's name that tells who
served it (`azure/gpt-5`, `us.anthropic.claude…`), then the catalogue's usual provider of the model.

Every reader of every format asks, so the catalogue is handed over once, by `use`, before any
request is read; it is as constant as the settings of its process.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.names import Names

#: Stands for a provider that neither the event, its key nor the catalogue names.
PROVIDER_UNKNOWN: Final = "unknown"
#: Models come from clients, so what is remembered of them is bounded.
_REMEMBERED_MAX: Final = 4096
_LENGTH_MAX: Final = 256


class Providers:
    """Answers from one catalogue, and remembers the answers."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._names = Names(catalogue)
        self.provider_and_model = lru_cache(_REMEMBERED_MAX)(self._provider_and_model)
        self.provider_of = lru_cache(_REMEMBERED_MAX)(self._provider_of)

    def has_model_like(self, model: str) -> bool:
        """Say whether the catalogue has an entry that a model's name fits."""
        return self._catalogue.model_of(model) is not None

    def knows_provider(self, provider: str) -> bool:
        """Say whether the catalogue has this provider."""
        return self._names.knows_provider(provider)

    def knows_model(self, model: str) -> bool:
        """Say whether the catalogue has this model by its name."""
        return self._names.knows_model(model)

    def _provider_and_model(self, model: str, provider: str | None) -> tuple[str | None, str]:
        names = self._names
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
        return self.provider_of(known), known

    def _provider_of(self, model: str) -> str | None:
        entry = self._catalogue.model_of(model)
        return (entry.provider or None) if entry is not None else None


_in_use: Providers | None = None


def use(catalogue: Catalogue) -> None:
    """Answer from this catalogue from now on."""
    global _in_use  # noqa: PLW0603 - see the module's docstring
    _in_use = Providers(catalogue)


def provider_and_model_of(model: str, provider: str | None) -> tuple[str | None, str]:
    """Find the one name of the provider and of the model; None for a provider nobody knows.

    ``provider`` is what the event says, else what its key does. ``vendor/model`` is split only
    where the vendor is known, or is that provider; a name like ``Qwen/Qwen3-32B``, which says
    nothing of who served, has the provider `PROVIDER_UNKNOWN` where nothing else says more.
    """
    if max(len(model), len(provider or "")) > _LENGTH_MAX:
        return provider, model  # No event takes it.
    return in_use().provider_and_model(model, provider)


def in_use() -> Providers:
    """Give the answers of the catalogue that was handed over."""
    if _in_use is None:
        raise RuntimeError("no catalogue was handed to services.ingest.providers.use")
    return _in_use

"""Reads the price lists that the installed package genai-prices has in it; nothing is fetched."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from schemas.catalogue.entries import CalendarEntry
from schemas.catalogue.listed_tariffs import ListedTariff, ListSource
from services.billing.price_lists.drawn import NOT_INSTALLED, NotTaken, Reading, Skipped
from services.billing.price_lists.genai_models import Drawing, draw
from services.platform.errors import ConfigurationError

PACKAGE: Final = "genai-prices"


def read_genai_prices(seen: date) -> Reading:
    """Read all lists. Raises `ConfigurationError` where the package is not installed."""
    try:
        providers: list[Any] = import_module("genai_prices.data").providers
        found = version(PACKAGE)
    except (ModuleNotFoundError, PackageNotFoundError):
        raise ConfigurationError(NOT_INSTALLED) from None
    source = ListSource(source=PACKAGE, version=found, license="MIT", first_seen=seen)
    return read_lists(providers, source)


def read_lists(providers: list[Any], source: ListSource) -> Reading:
    """Draw the tariffs of all providers' lists; behind its own, what a list borrows of another."""
    by_id = {provider.id: provider for provider in providers}
    tariffs: list[ListedTariff] = []
    calendars: dict[str, CalendarEntry] = {}
    skipped: list[Skipped] = []
    for provider in providers:
        drawing = _drawing(provider, provider, source, tiers=True)
        models = [(model, model.id, drawing) for model in provider.models]
        for other in map(by_id.get, provider.fallback_model_providers or ()):
            if other is not None:
                borrowed = _drawing(provider, other, source, tiers=False)
                models += [(one, f"{other.id}:{one.id}", borrowed) for one in other.models]
        for model, name, how in models:
            try:
                tariff, calendar = draw(model, name, how)
            except NotTaken as reason:
                skipped.append(Skipped(PACKAGE, provider.id, name, str(reason)))
                continue
            tariffs.append(tariff)
            if calendar is not None:
                calendars[calendar.calendar] = calendar
    return Reading(source, tuple(tariffs), tuple(calendars.values()), tuple(skipped))


def _drawing(provider: Any, prices_of: Any, source: ListSource, *, tiers: bool) -> Drawing:
    """How to draw models in a provider's list; the page is that of whose prices they are."""
    page = next(iter(prices_of.pricing_urls or ()), None)
    said = f"{source.source} {source.version}" + ("" if page is None else f", {page}")
    return Drawing(provider.id, said, source.first_seen, tiers)

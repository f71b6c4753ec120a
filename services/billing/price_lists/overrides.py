"""PURE. Which listed prices a tariff written by hand goes before, and whether it says the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.globs import ANY, matches
from schemas.catalogue.listed_tariffs import ListedTariff
from schemas.catalogue.prices import TOKEN_CLASSES
from schemas.catalogue.tariff_entries import PriceVersion, TariffEntry
from services.billing.price_lists.drawn import plain


@dataclass(frozen=True, slots=True)
class Override:
    """A tariff by hand, the listed one behind it, and where their prices of now differ."""

    by_hand: str
    listed: str
    differs: tuple[str, ...]
    #: Tiers that only the listed one has prices for: usage in them is unpriced.
    tiers_missing: tuple[str, ...]


def overrides(catalogue: Catalogue, now: datetime) -> Iterator[Override]:
    """Each listed tariff that one of tariffs.yaml holds instead of now."""
    for own in catalogue.tariffs.tariffs:
        version = next((v for v in own.versions if v.valid_from <= now < v.valid_to), None)
        if version is None:
            continue
        for listed in _behind(catalogue, own):
            there = listed.version_at(now)
            if there is not None:
                missing = _tiers(there) - _tiers(version)
                yield Override(
                    own.tariff,
                    listed.tariff,
                    tuple(_differences(version, there)),
                    tuple(sorted(missing)),
                )


def _behind(catalogue: Catalogue, own: TariffEntry) -> list[ListedTariff]:
    """The listed tariffs of the models that a tariff is for."""
    lists = catalogue.price_lists
    providers = lists.header.providers if own.provider == ANY else (own.provider.lower(),)
    found: dict[str, ListedTariff] = {}
    for provider in providers:
        if ANY in own.model:
            names = [
                name
                for listed in lists.header.providers.get(provider, ())
                for one in lists.by_list[listed]
                for name in one.names
                if matches(own.model, name)
            ]
        else:
            names = [own.model]
        for name in names:
            one = lists.find(provider, name)
            if one is not None:
                found[one.tariff] = one
    return list(found.values())


def _tiers(version: PriceVersion) -> set[str]:
    return {variant.service_tier for variant in version.all_variants}


def _differences(own: PriceVersion, listed: PriceVersion) -> Iterator[str]:
    """Where a request of usual length in the standard tier costs something else."""
    if not listed.prices:
        return
    for period, prices in own.prices.items():
        for name in TOKEN_CLASSES:
            said = {plain(one.price(name)) for one in listed.prices.values()}
            price = plain(prices.price(name))
            if prices.billed_as(name) == name and price not in said:
                place = "" if period == "flat" else f" ({period})"
                yield f"{name}{place} {price} by hand, {' or '.join(sorted(said))} listed"

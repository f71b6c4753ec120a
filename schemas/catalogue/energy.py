"""All that the catalogue knows of real electricity as one value, and which of it holds when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import cached_property
from typing import Self, TypeVar

from pydantic import model_validator

from schemas.catalogue.energy_entries import (
    ANY,
    Contract,
    FactorVersion,
    Grid,
    Name,
    Rating,
    RatingVersion,
    RegionGrid,
    Site,
    SiteVersion,
)
from schemas.catalogue.entries import Entry, Text
from schemas.catalogue.tariff_entries import Dated

V = TypeVar("V", bound=Dated)


def _unique(what: str, keys: Iterable[tuple[str, ...]]) -> None:
    twice = [key for key, times in Counter(keys).items() if times > 1]
    if twice:
        raise ValueError(f"{what} {', '.join(twice[0])} is there twice")


class DerivedHeader(Entry):
    """The first line of a file that a tool writes: what it was made of, when, and whose it is."""

    version: Text
    made_of: Text
    license: Text
    source: Text
    source_date: date


class EnergyFile(Entry):
    """`energy.yaml`: what is written by hand.

    ``ratings`` replace those of `energy_models.jsonl` of the same provider and model. A provider
    of ``served_by`` has the ratings of the one that it names, a model of ``names`` those of that
    model.
    """

    version: Text
    ratings: tuple[Rating, ...] = ()
    served_by: dict[Name, Name] = {}
    names: dict[Name, Name] = {}
    sites: tuple[Site, ...] = ()
    regions: tuple[RegionGrid, ...] = ()
    contracts: tuple[Contract, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        _unique("rating", ((one.provider, one.model) for one in self.ratings))
        _unique("site", ((one.provider, one.region) for one in self.sites))
        _unique("region", ((one.region,) for one in self.regions))
        _unique("contract", ((one.provider, one.region) for one in self.contracts))
        return self


class Energy(Entry):
    """The three files, consistent: a region's grid is known. Without them nothing is rated."""

    file: EnergyFile = EnergyFile(version="none")
    models: tuple[Rating, ...] = ()
    grids: tuple[Grid, ...] = ()
    headers: tuple[DerivedHeader, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        _unique("rating", ((one.provider, one.model) for one in self.models))
        _unique("grid", ((one.grid,) for one in self.grids))
        for region in self.file.regions:
            if region.grid not in self._grids:
                raise ValueError(
                    f"region {region.region}: energy_grids.jsonl has no grid {region.grid}; a"
                    " country is called by its three letters, a state of the US US-VA"
                )
        return self

    @cached_property
    def _grids(self) -> dict[str, Grid]:
        return {one.grid: one for one in self.grids}

    @cached_property
    def ratings(self) -> dict[tuple[str, str], Rating]:
        """Every rating by (provider, model), other names of either resolved."""
        found = {(one.provider, one.model): one for one in self.models}
        found |= {(one.provider, one.model): one for one in self.file.ratings}
        for name, model in self.file.names.items():
            for provider, rated in list(found):
                if rated == model:
                    found.setdefault((provider, name), found[provider, rated])
        for server, provider in self.file.served_by.items():
            for owner, model in list(found):
                if owner == provider:
                    found.setdefault((server, model), found[owner, model])
        return found

    @cached_property
    def sites(self) -> dict[tuple[str, str], Site]:
        """Every site by (provider, region)."""
        return {(one.provider, one.region): one for one in self.file.sites}

    @cached_property
    def region_grids(self) -> dict[str, Grid]:
        """The grid of each region that is known to lie on one."""
        return {one.region: self._grids[one.grid] for one in self.file.regions}

    @cached_property
    def contracts(self) -> dict[tuple[str, str], Contract]:
        """Every contract by (provider, region)."""
        return {(one.provider, one.region): one for one in self.file.contracts}

    def rating(self, provider: str, model: str, at: datetime) -> RatingVersion | None:
        """What a model takes; None if nobody says: its tokens are unrated, which is not 0.

        The rating for the provider comes before the one for any; letters' case does not matter.
        """
        keys = [(name, model.lower()) for name in (provider.lower(), ANY)]
        return _first((self.ratings[key].versions for key in keys if key in self.ratings), at)

    def site(self, provider: str, region: str, at: datetime) -> SiteVersion | None:
        """The overhead where a provider serves a region.

        Of both, then of the provider anywhere, then of anybody in the region, then anywhere.
        """
        keys = _places(provider, region)
        return _first((self.sites[key].versions for key in keys if key in self.sites), at)

    def location_factor(self, region: str, at: datetime) -> FactorVersion | None:
        """What a kWh of the region's grid emits; None if its grid is not known."""
        grid = self.region_grids.get(region)
        return None if grid is None else _first([grid.versions], at)

    def market_factor(self, provider: str, region: str, at: datetime) -> FactorVersion | None:
        """What a kWh emits by contract; None if none is known, in the order of `site`."""
        keys = _places(provider, region)
        return _first((self.contracts[key].versions for key in keys if key in self.contracts), at)


def _places(provider: str, region: str) -> Iterator[tuple[str, str]]:
    for place in (region, ANY):
        yield provider.lower(), place
    for place in (region, ANY):
        yield ANY, place


def _first(candidates: Iterable[Iterable[V]], at: datetime) -> V | None:
    """The first version that holds at a moment."""
    return next(
        (
            version
            for versions in candidates
            for version in versions
            if version.valid_from <= at < version.valid_to
        ),
        None,
    )

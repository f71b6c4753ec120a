"""The whole catalogue as one value, and questions about it that need no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Self

from pydantic import model_validator

from schemas.catalogue.energy import Energy
from schemas.catalogue.entries import (
    FLAT,
    CalendarEntry,
    Entry,
    HolidayList,
    ModelEntry,
    ProviderEntry,
    RegionEntry,
    Text,
)
from schemas.catalogue.globs import literal_length, matches
from schemas.catalogue.price_lists import PriceLists
from schemas.catalogue.rates import RatesFile
from schemas.catalogue.tariff_entries import DemandChargeEntry, TariffEntry, Unpriced


class ModelsFile(Entry):
    """`models.yaml`."""

    version: Text
    models: tuple[ModelEntry, ...]


class ProvidersFile(Entry):
    """`providers.yaml`."""

    version: Text
    providers: tuple[ProviderEntry, ...]


class RegionsFile(Entry):
    """`regions.yaml`."""

    version: Text
    regions: tuple[RegionEntry, ...]


class TariffsFile(Entry):
    """`tariffs.yaml`."""

    version: Text
    tariffs: tuple[TariffEntry, ...]
    demand_charges: tuple[DemandChargeEntry, ...] = ()
    unpriced: tuple[Unpriced, ...] = ()


class TouFile(Entry):
    """`tou.yaml`."""

    version: Text
    calendars: tuple[CalendarEntry, ...]
    holidays: tuple[HolidayList, ...] = ()


class Catalogue(Entry):
    """All files, consistent with each other: names are unique and what is named exists."""

    models: ModelsFile
    #: Without it everyone goes by the name that is given.
    providers: ProvidersFile = ProvidersFile(version="none", providers=())
    regions: RegionsFile
    tariffs: TariffsFile
    tou: TouFile
    #: Without it nothing is converted.
    rates: RatesFile = RatesFile(version="none")
    #: What `wattoken tariffs sync` took over; consistent by itself.
    price_lists: PriceLists = PriceLists()
    #: Real electricity; consistent by itself. Without it every token is unrated.
    energy: Energy = Energy()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("pattern", (p.lower() for m in self.models.models for p in m.patterns))
        _unique(
            "provider",
            (
                name.casefold()
                for one in self.providers.providers
                for name in {one.provider.casefold(), *map(str.casefold, one.aliases)}
            ),
        )
        _unique("route", (route for one in self.providers.providers for route in one.routes))
        _unique("alias", (name.casefold() for one in self.models.models for name in one.aliases))
        _unique("region", (region.region for region in self.regions.regions))
        _unique("tariff", (tariff.tariff for tariff in self.tariffs.tariffs))
        _unique("demand charge", (d.demand_charge for d in self.tariffs.demand_charges))
        listed = self.price_lists.header.calendars
        _unique("calendar", (one.calendar for one in (*self.tou.calendars, *listed)))
        _unique("list of holidays", (one.holidays for one in self.tou.holidays))
        for calendar in self.tou.calendars:
            if calendar.holidays is not None and self.holidays_of(calendar) is None:
                raise ValueError(
                    f"{calendar.calendar}: tou has no list of holidays {calendar.holidays}"
                )
        for tariff in self.tariffs.tariffs:
            periods = {FLAT}
            if tariff.calendar is not None:
                found = self.calendar(tariff.calendar)
                if found is None:
                    raise ValueError(
                        f"{tariff.tariff}: tou has no calendar {tariff.calendar}: take it over from"
                        " the shipped tou.yaml, or bring a tariffs.yaml of your own too"
                    )
                periods = set(found.periods)
            for version in tariff.versions:
                strange = sorted(set(version.prices) - periods)
                if strange:
                    raise ValueError(f"{tariff.tariff}: its calendar has no period {strange[0]}")
        return self

    def model_of(self, name: str) -> ModelEntry | None:
        """The entry of the model ``name``: of those that match, the one of highest priority.

        Of equal priorities the longer pattern wins, then the last by alphabet; the view
        `model_origins` decides alike.
        """
        found = [
            (entry.priority, literal_length(pattern), pattern.lower(), entry)
            for entry in self.models.models
            for pattern in entry.patterns
            if matches(pattern, name)
        ]
        return max(found, key=lambda one: one[:3])[3] if found else None

    def region(self, name: str) -> RegionEntry | None:
        """The region ``name``, if the catalogue has it."""
        return next((one for one in self.regions.regions if one.region == name), None)

    def calendar(self, name: str) -> CalendarEntry | None:
        """The time-of-use calendar ``name``, if the catalogue has it."""
        calendars = (*self.tou.calendars, *self.price_lists.header.calendars)
        return next((one for one in calendars if one.calendar == name), None)

    def holidays_of(self, calendar: CalendarEntry) -> HolidayList | None:
        """The list by which a calendar has holidays, if it has any."""
        return next((one for one in self.tou.holidays if one.holidays == calendar.holidays), None)


def _unique(what: str, names: Iterable[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is there twice")

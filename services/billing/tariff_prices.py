"""Which price holds, decided in Python as the view `charges` decides it in SQL; values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.catalogue import Catalogue
from schemas.catalogue.entries import FLAT, REGION_ZONE, PriceVersion, TariffEntry
from schemas.catalogue.globs import ANY, literal_length, matches

#: How specific a tariff is: a model by its whole name, then the longer glob; then a named
#: provider; then a named region.
Specificity = tuple[bool, int, bool, bool]


@dataclass(frozen=True, slots=True)
class Priced:
    """A tariff that fits: its period at that hour, and its prices then."""

    tariff: TariffEntry
    version: PriceVersion
    period: str


def specificity(tariff: TariffEntry) -> Specificity:
    """Of the tariffs that fit, the one with the greatest wins."""
    return (
        ANY not in tariff.model,
        literal_length(tariff.model),
        tariff.provider != ANY,
        tariff.region != ANY,
    )


def fits(tariff: TariffEntry, region: str, provider: str, model: str) -> bool:
    """Whether a tariff is for this series at all."""
    return (
        tariff.region in (ANY, region)
        and tariff.provider in (ANY, provider)
        and matches(tariff.model, model)
    )


def periods_at(catalogue: Catalogue, tariff: TariffEntry, region: str, hour: datetime) -> list[str]:
    """The tariff's periods at an hour's start: one, unless its calendar has a gap or an overlap.

    None if the calendar follows the region's zone and the catalogue does not know the region.
    """
    if tariff.calendar is None:
        return [FLAT]
    calendar = catalogue.calendar(tariff.calendar)
    assert calendar is not None, "the catalogue is consistent"
    zone: str | None = calendar.zone
    if zone == REGION_ZONE:
        known = catalogue.region(region)
        zone = None if known is None else known.time_zone
    if zone is None:
        return []
    local = hour.astimezone(ZoneInfo(zone))
    kind = calendar.kind_of(local.date(), catalogue.holidays_of(calendar))
    return calendar.periods_at(kind, local.hour)


def tariffs_of(catalogue: Catalogue, region: str, provider: str, model: str) -> list[TariffEntry]:
    """The tariffs that are for a series, at any time."""
    return [one for one in catalogue.tariffs.tariffs if fits(one, region, provider, model)]


def prices_at(
    catalogue: Catalogue, tariffs: Sequence[TariffEntry], region: str, hour: datetime
) -> list[Priced]:
    """Of a series' tariffs, the most specific at an hour's start: one; none if it is unpriced.

    More than one is an overlap: nothing says which is meant.
    """
    found = [
        Priced(tariff, version, period)
        for tariff in tariffs
        for version in tariff.versions
        if version.valid_from <= hour < version.valid_to
        for period in periods_at(catalogue, tariff, region, hour)
        if period in version.prices
    ]
    greatest = max((specificity(one.tariff) for one in found), default=None)
    return [one for one in found if specificity(one.tariff) == greatest]

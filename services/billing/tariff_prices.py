"""Which price holds, decided in Python as the view `charges` decides it in SQL; values only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.catalogue import Catalogue
from schemas.catalogue.entries import DAY_KINDS, FLAT, REGION_ZONE, DayKind
from schemas.catalogue.globs import ANY, literal_length, matches
from schemas.catalogue.listed_tariffs import ListedTariff
from schemas.catalogue.tariff_entries import PriceVersion, TariffEntry

#: A tariff that is written by hand, or one of a price list.
Tariff = TariffEntry | ListedTariff
#: How specific a tariff is: one by hand before any list's; then a model by its whole name, then the
#: longer glob; then a named provider; then a named region.
Specificity = tuple[bool, bool, int, bool, bool]


@dataclass(frozen=True, slots=True)
class Priced:
    """A tariff that fits: its period at that hour, and its prices then."""

    tariff: Tariff
    version: PriceVersion
    period: str


def specificity(tariff: Tariff) -> Specificity:
    """Of the tariffs that fit, the one with the greatest wins."""
    if isinstance(tariff, ListedTariff):
        return (False, False, 0, False, False)
    return (
        True,
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


def periods_at(catalogue: Catalogue, tariff: Tariff, region: str, hour: datetime) -> list[str]:
    """The tariff's periods at an hour's start: one, unless its calendar has a gap or an overlap.

    None if the calendar follows the region's zone and the catalogue does not know the region.
    """
    if tariff.calendar is None:
        return [FLAT]
    clock = clock_at(catalogue, tariff.calendar, region, hour)
    return [] if clock is None else list(clock.periods)


@dataclass(frozen=True, slots=True)
class Clock:
    """What a calendar shows at an hour's start: local time, kind of day, and periods (one)."""

    calendar: str
    zone: str
    local: datetime
    day_kind: DayKind
    periods: tuple[str, ...]


def clock_at(catalogue: Catalogue, name: str, region: str, hour: datetime) -> Clock | None:
    """What a calendar shows; None where it follows a region's zone that is not known."""
    calendar = catalogue.calendar(name)
    assert calendar is not None, "the catalogue is consistent"
    zone: str | None = calendar.zone
    if zone == REGION_ZONE:
        known = catalogue.region(region)
        zone = None if known is None else known.time_zone
    if zone is None:
        return None
    local = hour.astimezone(ZoneInfo(zone))
    kind = calendar.kind_of(local.date(), catalogue.holidays_of(calendar))
    periods = tuple(calendar.periods_at(kind, local.hour))
    return Clock(name, zone, local, DAY_KINDS[kind - 1], periods)


def tariffs_of(catalogue: Catalogue, region: str, provider: str, model: str) -> list[TariffEntry]:
    """The tariffs by hand that are for a series, at any time."""
    return [one for one in catalogue.tariffs.tariffs if fits(one, region, provider, model)]


def with_tariffs_of(catalogue: Catalogue, series: Iterable[tuple[str, str, str]]) -> Catalogue:
    """A catalogue with only the tariffs that may price these: each region, provider and model."""
    metered = list(series)
    by_hand = tuple(
        one for one in catalogue.tariffs.tariffs if any(fits(one, *each) for each in metered)
    )
    return catalogue.model_copy(
        update={
            "tariffs": catalogue.tariffs.model_copy(update={"tariffs": by_hand}),
            "price_lists": catalogue.price_lists.of(
                (provider, model) for _, provider, model in metered
            ),
        }
    )


def every_tariff_of(catalogue: Catalogue, region: str, provider: str, model: str) -> list[Tariff]:
    """The tariffs that are for a series, at any time: those by hand, and one of a price list."""
    listed = catalogue.price_lists.find(provider, model)
    by_hand = tariffs_of(catalogue, region, provider, model)
    return [*by_hand] if listed is None else [*by_hand, listed]


def fitting_at(
    catalogue: Catalogue, tariffs: Sequence[Tariff], region: str, hour: datetime
) -> list[Priced]:
    """What of a series' tariffs fits at an hour's start, in the order in which `charges` takes it.

    The most specific comes first. Of equal ones, which is an overlap, the later version does, then
    the last tariff and period by alphabet.
    """
    found = [
        Priced(tariff, version, period)
        for tariff in tariffs
        for version in tariff.versions
        if version.valid_from <= hour < version.valid_to
        for period in periods_at(catalogue, tariff, region, hour)
        if period in version.periods
    ]
    return sorted(found, key=_order, reverse=True)


def _order(one: Priced) -> tuple[Specificity, datetime, str, str]:
    return specificity(one.tariff), one.version.valid_from, one.tariff.tariff, one.period


def prices_at(
    catalogue: Catalogue, tariffs: Sequence[Tariff], region: str, hour: datetime
) -> list[Priced]:
    """Of a series' tariffs, the most specific at an hour's start: one; none if it is unpriced.

    More than one is an overlap: nothing says which is meant.
    """
    found = fitting_at(catalogue, tariffs, region, hour)
    return [one for one in found if specificity(one.tariff) == specificity(found[0].tariff)]

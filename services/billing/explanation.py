"""Why usage costs what it does: which tariffs fitted, which won, by which price; values only.

Decided from a catalogue as the view `charges` decides it in SQL, which a test holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from schemas.catalogue import TOKEN_CLASSES, Catalogue, TokenClass
from schemas.catalogue.globs import ANY, matches
from schemas.catalogue.listed_tariffs import ListedTariff
from schemas.catalogue.prices import PriceVariant
from schemas.catalogue.tariff_entries import PriceVersion
from services.billing.tariff_prices import (
    Clock,
    Priced,
    Tariff,
    clock_at,
    every_tariff_of,
    fits,
    fitting_at,
    specificity,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Usage whose price is asked for. ``service_tier`` is '' where none was reported."""

    hour: datetime
    region: str
    provider: str
    model: str
    service_tier: str = ""
    context_band: int = 0


@dataclass(frozen=True, slots=True)
class Considered:
    """A tariff for the model, and in words why it wins, comes behind the one that does, or is out.

    ``version`` is the one that holds then, None if none does.
    """

    tariff: Tariff
    version: PriceVersion | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Price:
    """What a token class or unit costs: a million tokens, or a thousand units.

    ``price`` is None where it is unpriced; ``billed_as`` is the class whose price it is.
    """

    price: Decimal | None
    billed_as: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the price of some usage comes about.

    ``considered`` has every tariff for the model, the winner first. ``chosen`` is None where no
    tariff fits, and ``variant`` where the one that does has no price for the tier.
    """

    place: Place
    considered: tuple[Considered, ...]
    clock: Clock | None
    chosen: Priced | None
    variant: PriceVariant | None

    def price_of(self, token_class: str, unit: str) -> Price:
        """The price of a token class, or of a unit where that is not ''."""
        if self.chosen is None:
            return Price(None, "")
        if unit:
            return Price(self.chosen.version.units.get(unit), "")
        if self.variant is None:
            return Price(None, "")
        prices = self.variant.prices[self.chosen.period]
        name = _token_class(token_class)
        return Price(prices.price(name), prices.billed_as(name))


def explain(catalogue: Catalogue, place: Place) -> Explanation:
    """Find what prices some usage, and say of each tariff for its model why it does or does not."""
    series = (place.region, place.provider, place.model)
    found = fitting_at(catalogue, every_tariff_of(catalogue, *series), place.region, place.hour)
    chosen = found[0] if found else None
    behind = [
        Considered(one.tariff, one.version, _behind(found[0], one))
        for one in found[1:]
        if one.tariff is not found[0].tariff
    ]
    names = {one.tariff.tariff for one in found}
    by_hand = [one for one in catalogue.tariffs.tariffs if matches(one.model, place.model)]
    listed = catalogue.price_lists.find(place.provider, place.model)
    out = [
        Considered(one, _version(one, place.hour), _out(catalogue, one, place))
        for one in (*by_hand, *(() if listed is None else (listed,)))
        if one.tariff not in names
    ]
    clock = variant = None
    considered = [*behind, *out]
    if chosen is not None:
        considered.insert(0, Considered(chosen.tariff, chosen.version, _wins(chosen, behind)))
        variant = chosen.version.variant_for(place.service_tier, place.context_band)
        if chosen.tariff.calendar is not None:
            clock = clock_at(catalogue, chosen.tariff.calendar, place.region, place.hour)
    return Explanation(place, tuple(considered), clock, chosen, variant)


def _token_class(name: str) -> TokenClass:
    for one in TOKEN_CLASSES:
        if one == name:
            return one
    raise ValueError(f"{name!r} is no token class: {', '.join(TOKEN_CLASSES)}")


def _version(tariff: Tariff, hour: datetime) -> PriceVersion | None:
    held = (one for one in tariff.versions if one.valid_from <= hour < one.valid_to)
    return max(held, key=lambda one: one.valid_from, default=None)


def _wins(chosen: Priced, behind: list[Considered]) -> str:
    return "wins: it is more specific than the others" if behind else "wins: no other one fits"


def _behind(winner: Priced, other: Priced) -> str:
    """In words, the first point in which another tariff that fits is less specific."""
    won, lost = winner.tariff, other.tariff
    points = (
        f"it is of a price list, and {won.tariff} is written by hand",
        f"for models {lost.model}, and {won.tariff} names this one in full",
        f"its {lost.model} says less of the model's name than {won.model}",
        f"for any provider, and {won.tariff} is for {won.provider}",
        f"for any region, and {won.tariff} is for {won.region}",
    )
    for point, more, less in zip(points, specificity(won), specificity(lost), strict=True):
        if more != less:
            return f"fits as well, but is less specific: {point}"
    if winner.version.valid_from != other.version.valid_from:
        return "fits as well and is as specific, which is an overlap: the later version wins"
    return "fits as well and is as specific, which is an overlap: the last name by alphabet wins"


def _out(catalogue: Catalogue, tariff: Tariff, place: Place) -> str:
    """In words, why a tariff for the model does not fit."""
    if isinstance(tariff, ListedTariff):
        if tariff.not_taken is not None:
            return f"has no price: {tariff.not_taken}"
    elif not fits(tariff, place.region, place.provider, place.model):
        if tariff.provider not in (ANY, place.provider):
            return f"is for the provider {tariff.provider}"
        return f"is for the region {tariff.region}"
    version = _version(tariff, place.hour)
    if version is None:
        begins = [one.valid_from for one in tariff.versions if one.valid_from > place.hour]
        if begins:
            return f"has no price then: the next holds from {min(begins):%Y-%m-%d %H:%M} UTC on"
        ends = max(one.valid_to for one in tariff.versions)
        return f"has no price any more: the last held until {ends:%Y-%m-%d %H:%M} UTC"
    assert tariff.calendar is not None, "a tariff without one fits at every hour"
    clock = clock_at(catalogue, tariff.calendar, place.region, place.hour)
    if clock is None:
        return "goes by the time in the region, which the catalogue does not know"
    if not clock.periods:
        return f"has no period for that hour in its calendar {clock.calendar}"
    return f"has no price for the period {', '.join(clock.periods)} of its calendar"

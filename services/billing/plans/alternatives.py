"""PURE. Every plan that differs from what was used in one thing, as far as the catalogue has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.billing.plans.known import Known
from services.billing.plans.plan import Labels, Plan

#: What is not reported is billed as this tier.
STANDARD: Final = "standard"
HOURS_OF_DAY: Final = 24


def alternatives(known: Known, *, running: bool) -> list[Plan]:
    """All of them, in an order that stays the same.

    Of a month that runs none moves usage in time: its last hours would come to its first.
    """
    return [
        *_tariffs(known),
        *_providers(known),
        *_regions(known),
        *_tiers(known),
        *(() if running else _hours(known)),
    ]


def _tariffs(known: Known) -> Iterator[Plan]:
    """Tariffs that are for what was used, and bill none of it: another one is more specific."""
    for name, labels in sorted(known.fitting.items()):
        others = {
            one: name for one in sorted(labels) if name not in known.billed.get(one, frozenset())
        }
        if others:
            yield Plan("tariff", f"tariff {name}", tariffs=others)


def _providers(known: Known) -> Iterator[Plan]:
    for provider in sorted(known.sellers):
        yield Plan("provider", f"at {provider}", labels=at_provider(known, provider))


def at_provider(known: Known, provider: str) -> dict[Labels, Labels]:
    """What a provider has a price for, there; the rest stays where it is."""
    return {
        labels: Labels(labels.region, provider, name)
        for labels, name in known.sellers[provider].items()
    }


def _regions(known: Known) -> Iterator[Plan]:
    for region in sorted(known.regions):
        moved = {one: one._replace(region=region) for one in known.labels if one.region != region}
        if moved:
            yield Plan("region", f"in {region}", labels=moved)


def _tiers(known: Known) -> Iterator[Plan]:
    """Of each tier what has a price in it; the rest stays in its own."""
    names = {tier for billed in known.billed.values() for one in billed for tier in _of(known, one)}
    for tier in sorted(names - {STANDARD}):
        priced = {
            labels: tier
            for labels, billed in sorted(known.billed.items())
            if any(tier in _of(known, one) for one in billed)
        }
        yield Plan("tier", f"tier {tier}", tiers=priced)


def _of(known: Known, tariff: str) -> frozenset[str]:
    return known.tiers.get(tariff, frozenset())


def _hours(known: Known) -> Iterator[Plan]:
    """Each hour of the day, where a price depends on it."""
    if known.by_time_of_use:
        for hours in range(1, HOURS_OF_DAY):
            yield Plan("hour", f"{hours} h later", shift_hours=hours)

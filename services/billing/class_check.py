"""What is wrong with prices by class: bands that are not metered, tiers without a price.

Variants that contradict each other are no finding: such a catalogue is not loaded at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from schemas.catalogue import TOKEN_CLASSES, Catalogue
from schemas.catalogue.tariff_entries import PriceVersion, TariffEntry
from schemas.price_class import CONTEXT_THRESHOLDS
from services.billing.findings import Finding


def class_findings(catalogue: Catalogue) -> Iterator[Finding]:
    """What is wrong with the classes of each tariff."""
    for tariff in catalogue.tariffs.tariffs:
        yield from _bands(tariff)
        yield from _gaps(tariff)
        yield from _dropped(tariff)
        yield from _zero_prices(tariff)


def _bands(tariff: TariffEntry) -> Iterator[Finding]:
    """Usage is kept by bands: a threshold at which none begins would price a part of one."""
    thresholds = {
        variant.above_input_tokens for version in tariff.versions for variant in version.variants
    }
    for threshold in sorted(thresholds - {0, *CONTEXT_THRESHOLDS}):
        known = ", ".join(f"{one:,}" for one in CONTEXT_THRESHOLDS)
        yield Finding(
            "error",
            "band_not_metered",
            tariff.tariff,
            f"has prices above {threshold:,} input tokens, where no band begins: usage is metered"
            f" in bands above {known}",
        )


def _gaps(tariff: TariffEntry) -> Iterator[Finding]:
    """A tier that is priced has a price for input of any length."""
    reported: set[tuple[str, int]] = set()
    for version in tariff.versions:
        for tier in _tiers(version):
            least = min(
                one.above_input_tokens for one in version.all_variants if one.service_tier == tier
            )
            if least > 0 and (tier, least) not in reported:
                reported.add((tier, least))
                message = f"{tier} has no price for requests with up to {least:,} input tokens"
                yield Finding("error", "class_gap", tariff.tariff, message)


def _dropped(tariff: TariffEntry) -> Iterator[Finding]:
    """A tier that had a price has one in the version that follows."""
    versions = sorted(tariff.versions, key=lambda one: one.valid_from)
    for before, after in pairwise(versions):
        for tier in _tiers(before):
            if tier not in _tiers(after):
                message = f"{tier} has no price any more from {after.valid_from:%Y-%m-%d} on"
                yield Finding("warning", "tier_dropped", tariff.tariff, message)


def _tiers(version: PriceVersion) -> list[str]:
    return list(dict.fromkeys(variant.service_tier for variant in version.all_variants))


def _zero_prices(tariff: TariffEntry) -> Iterator[Finding]:
    free = {
        name
        for version in tariff.versions
        for variant in version.all_variants
        for prices in variant.prices.values()
        for name in TOKEN_CLASSES
        # A class that is billed as another says nothing of its own.
        if prices.price(name) == 0 and prices.billed_as(name) == name
    }
    units = {unit for version in tariff.versions for unit, usd in version.units.items() if usd == 0}
    if free or units:
        names = ", ".join(sorted(free | units))
        yield Finding("warning", "price_zero", tariff.tariff, f"bills {names} at 0")

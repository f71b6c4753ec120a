"""PURE. Where two sources say different things of one model's prices now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schemas.catalogue.listed_tariffs import Dispute, ListedTariff, ListedVersion
from schemas.catalogue.prices import TOKEN_CLASSES, ClassPrices, TokenClass
from services.billing.price_lists.drawn import plain


def dispute(ours: ListedTariff, theirs: ListedTariff, now: datetime) -> Dispute | None:
    """What ``theirs`` says of the tokens and units that both price, where it differs; else None."""
    here, there = ours.version_at(now), theirs.version_at(now)
    if here is None or there is None:
        return None
    differs = dict((*_differences(here, there), *_units(here, there)))
    if not differs:
        return None
    source = there.source.partition(",")[0]
    return Dispute(source=source, name=theirs.tariff, differs=differs)


def agree_on_tokens(ours: ListedTariff, theirs: ListedTariff, now: datetime) -> bool:
    """Whether both have prices of tokens, and no class differs in any tier that both price."""
    here, there = ours.version_at(now), theirs.version_at(now)
    if here is None or there is None or not here.prices or not there.prices:
        return False
    return next(_differences(here, there), None) is None


def _differences(
    here: ListedVersion, there: ListedVersion
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each price that differs: of what, what is listed here, and what there."""
    for tier in sorted({variant.service_tier for variant in here.all_variants}):
        thresholds = {
            variant.above_input_tokens
            for version in (here, there)
            for variant in version.all_variants
            if variant.service_tier == tier
        }
        for above in sorted(thresholds):
            ours, theirs = here.variant_for(tier, above), there.variant_for(tier, above)
            if ours is None or theirs is None:
                continue
            (said,) = theirs.prices.values()
            found = [dict(_by_class(one, said)) for one in ours.prices.values()]
            # Of prices by the hour the other source knows one: it is right if it is any of them.
            for name, prices in min(found, key=len).items():
                yield _label(name, tier, above), prices


def _units(here: ListedVersion, there: ListedVersion) -> Iterator[tuple[str, tuple[str, str]]]:
    for unit in sorted(here.units.keys() & there.units.keys()):
        if here.units[unit] != there.units[unit]:
            yield unit, (plain(here.units[unit]), plain(there.units[unit]))


def _by_class(
    ours: ClassPrices, theirs: ClassPrices
) -> Iterator[tuple[TokenClass, tuple[str, str]]]:
    """The classes that either prices apart and that would be billed at different prices."""
    for name in TOKEN_CLASSES:
        apart = name in (ours.billed_as(name), theirs.billed_as(name))
        if apart and ours.price(name) != theirs.price(name):
            yield name, (plain(ours.price(name)), plain(theirs.price(name)))


def _label(name: str, tier: str, above: int) -> str:
    length = f" above {above:,} input tokens" if above else ""
    return f"{name}{length}" if tier == "standard" else f"{tier} {name}{length}"

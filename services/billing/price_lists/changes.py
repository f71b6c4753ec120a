"""PURE. What a sync would change: each new, changed and vanished tariff, and each new dispute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.catalogue.listed_tariffs import ListedTariff, ListedVersion
from schemas.catalogue.price_lists import PriceLists
from schemas.catalogue.prices import TOKEN_CLASSES, ClassPrices
from services.billing.price_lists.drawn import plain
from services.billing.price_lists.timeline import content

Kind = Literal["new", "price", "not_taken", "gone", "names", "dispute", "settled", "remark"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise than before; ``what`` is a line for people."""

    kind: Kind
    tariff: str
    what: str
    source: str


def changes(before: PriceLists, now: PriceLists, seen: datetime) -> Iterator[Change]:
    """All that differs, in the order of the lists. ``seen`` is the day from which on it holds."""
    known = {one.tariff: one for one in before.tariffs}
    for one in now.tariffs:
        was = known.get(one.tariff)
        source = one.versions[-1].source if one.versions else ""
        if was is None:
            kind: Kind = "new" if one.versions else "not_taken"
            yield Change(kind, one.tariff, one.not_taken or _summary(one, seen), source)
        else:
            yield from (Change("price", one.tariff, what, source) for what in _prices(was, one))
            yield from _other(was, one, source)
        yield from _disputes(was, one)
    there = {one.tariff for one in now.tariffs}
    for name in known:
        if name not in there:
            yield Change("gone", name, "is in no list of its own any more", "")


def _summary(tariff: ListedTariff, now: datetime) -> str:
    """The prices of now in the standard tier, as one line."""
    version = tariff.version_at(now)
    return "no price now" if version is None else "; ".join(_texts(version).values())


def _prices(was: ListedTariff, now: ListedTariff) -> Iterator[str]:
    """Each span in which other prices hold than before, with what they were and are."""
    if was.versions == now.versions:
        return
    versions = (*was.versions, *now.versions)
    cuts = sorted({moment for v in versions for moment in (v.valid_from, v.valid_to)})
    for start, end in zip(cuts, cuts[1:], strict=False):
        earlier, later = was.version_at(start), now.version_at(start)
        if earlier is None or later is None:
            if earlier is not later:
                yield f"from {start:%Y-%m-%d}: {'priced' if earlier is None else 'not priced'}"
        elif content(earlier) != content(later):
            until = "" if end.year > 2100 else f" to {end:%Y-%m-%d}"
            yield f"from {start:%Y-%m-%d}{until}: {_difference(earlier, later)}"


def _difference(was: ListedVersion, now: ListedVersion) -> str:
    before, after = _texts(was), _texts(now)
    return "; ".join(
        f"{name} {before.get(name, 'none').removeprefix(name + ' ')}"
        f" -> {after.get(name, 'none').removeprefix(name + ' ')}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )


def _texts(version: ListedVersion) -> dict[str, str]:
    """Each price by what it is of, as `what price`; prices of tiers and lengths named so."""
    found: dict[str, str] = {}
    for variant in version.all_variants:
        for period, prices in variant.prices.items():
            place = "" if variant.name == "standard" else f"{variant.name} "
            place += "" if period == "flat" else f"{period} "
            for name, price in _own(prices):
                found[f"{place}{name}"] = f"{place}{name} {price}"
    for unit, usd in version.units.items():
        found[unit] = f"{unit} {plain(usd)}"
    return found


def _own(prices: ClassPrices) -> Iterator[tuple[str, str]]:
    for name in TOKEN_CLASSES:
        if prices.billed_as(name) == name:
            yield name, plain(prices.price(name))


def _other(was: ListedTariff, now: ListedTariff, source: str) -> Iterator[Change]:
    if (set(was.names), set(was.patterns)) != (set(now.names), set(now.patterns)):
        gained = sorted({*now.names} - {*was.names}) or ["none"]
        lost = sorted({*was.names} - {*now.names}) or ["none"]
        what = f"names gained: {', '.join(gained)}; lost: {', '.join(lost)}"
        if was.patterns != now.patterns:
            what += "; other patterns"
        yield Change("names", now.tariff, what, source)
    for remark in now.remarks:
        if remark not in was.remarks:
            yield Change("remark", now.tariff, remark, source)


def _disputes(was: ListedTariff | None, now: ListedTariff) -> Iterator[Change]:
    """Disputes that were not there with these very prices, and those that are over."""
    known = {one.name: one.differs for one in was.disputes} if was is not None else {}
    for one in now.disputes:
        if known.get(one.name) != one.differs:
            yield Change("dispute", now.tariff, differs(one.name, one.differs), one.source)
    for name in known.keys() - {one.name for one in now.disputes}:
        yield Change("settled", now.tariff, f"{name}: the sources agree", "")


def differs(name: str, prices: dict[str, tuple[str, str]]) -> str:
    """A dispute as one line: what of a model is listed at which price, and what is said instead."""
    said = "; ".join(
        f"{what} listed {ours}, said {theirs}" for what, (ours, theirs) in prices.items()
    )
    return f"{name}: {said}"

"""PURE. Real electricity of the month by region: kWh and CO2e, from least to most.

Everywhere else on the page tokens are likened to electricity; here nothing is a likeness. Estimates
are floats: what they leave out is far more than what a float does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.exporter.control_room.money import month_start
from services.exporter.control_room.rows import Window

#: More regions than a person reads; they are in the sum all the same.
REGIONS_MAX: Final = 8

Number = float | None


class ElectricityRow(NamedTuple):
    """One region's month so far; each triple is low, mean and high, None where nothing is rated."""

    region: str
    tokens: int
    unrated_tokens: int
    kwh: tuple[Number, Number, Number]
    location_gco2e: tuple[Number, Number, Number]
    market_gco2e: tuple[Number, Number, Number]
    embodied_gco2e: tuple[Number, Number, Number]


@dataclass(frozen=True, slots=True)
class Estimate:
    """From the least to the most held possible; ``mean`` is their middle."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Amounts:
    """Electricity with the overhead of sites, and its CO2e in grams; None where none is known.

    ``location`` and ``market`` are two accounts of the same kWh, never added; ``embodied`` is the
    share of making the computers, and in neither.
    """

    kwh: Estimate | None
    location_gco2e: Estimate | None
    market_gco2e: Estimate | None
    embodied_gco2e: Estimate | None
    tokens: str
    #: Tokens of models that nobody rated: they are in no kWh, which does not make them 0.
    unrated_tokens: str


@dataclass(frozen=True, slots=True)
class RegionAmounts:
    """The same of one region."""

    region: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Electricity:
    """Since the first of the month, UTC. Most kWh first."""

    month_start: int
    system: Amounts
    regions: list[RegionAmounts]


def electricity(rows: Sequence[ElectricityRow], window: Window) -> Electricity:
    """Sum up, and name the regions that take most."""
    ordered = sorted(rows, key=lambda row: (-(row.kwh[1] or 0.0), row.region))
    return Electricity(
        month_start(window.day_from),
        _amounts(rows),
        [RegionAmounts(row.region, _amounts([row])) for row in ordered[:REGIONS_MAX]],
    )


def _amounts(rows: Sequence[ElectricityRow]) -> Amounts:
    return Amounts(
        kwh=_sum([row.kwh for row in rows]),
        location_gco2e=_sum([row.location_gco2e for row in rows]),
        market_gco2e=_sum([row.market_gco2e for row in rows]),
        embodied_gco2e=_sum([row.embodied_gco2e for row in rows]),
        tokens=str(sum(row.tokens for row in rows)),
        unrated_tokens=str(sum(row.unrated_tokens for row in rows)),
    )


def _sum(triples: Sequence[tuple[Number, Number, Number]]) -> Estimate | None:
    known = [
        (low, mean, high)
        for low, mean, high in triples
        if low is not None and mean is not None and high is not None
    ]
    if not known:
        return None
    return Estimate(*(sum(column) for column in zip(*known, strict=True)))

"""PURE. Real electricity of tokens: kWh and gCO2e, from the least to the most held possible.

The model is that of EcoLogits, affine in output tokens and requests; docs/energy.md has it and
says what it leaves out. Decimals throughout: what requests take one by one and what their sum takes
are the same to the last digit, so any window follows from its registers. The view `energy_parts`
computes the same in SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Final

from schemas.catalogue.energy import Energy
from schemas.catalogue.energy_entries import FactorVersion

#: Digits of the arithmetic: those of ClickHouse's Decimal(76), and none is ever rounded away.
PRECISION: Final = 100
HALF: Final = Decimal("0.5")
#: The fields of `Electricity` that are ranges.
RANGES: Final = ("it_kwh", "kwh", "location_gco2e", "market_gco2e", "embodied_gco2e")


@dataclass(frozen=True, slots=True)
class Range:
    """From the least to the most held possible; the mean is their middle, as in EcoLogits."""

    low: Decimal
    high: Decimal

    @property
    def mean(self) -> Decimal:
        """The middle of the two, exactly."""
        with localcontext(prec=PRECISION):
            return (self.low + self.high) * HALF

    def __add__(self, other: Range) -> Range:
        with localcontext(prec=PRECISION):
            return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Use:
    """What a register or an hour holds: requests, tokens of input and output, output tokens."""

    requests: int
    tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Electricity:
    """What use took. A range is None where nothing of the use is rated, which is not 0.

    ``kwh`` is with the overhead of the site, ``it_kwh`` without. CO2e of that electricity by the
    grid (``location``) and by what is bought (``market``) are two accounts of the same kWh and
    never added; ``embodied`` is of making the computers, and in neither. Tokens that a range says
    nothing of are counted.
    """

    tokens: int = 0
    unrated_tokens: int = 0
    location_unrated_tokens: int = 0
    market_unrated_tokens: int = 0
    it_kwh: Range | None = None
    kwh: Range | None = None
    location_gco2e: Range | None = None
    market_gco2e: Range | None = None
    embodied_gco2e: Range | None = None

    def __add__(self, other: Electricity) -> Electricity:
        both = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return Electricity(
            *(
                mine if more is None else more if mine is None else mine + more
                for mine, more in both
            )
        )


NONE: Final = Electricity()


@dataclass(frozen=True, slots=True)
class ModelElectricity:
    """What one model of a provider took."""

    provider: str
    model: str
    electricity: Electricity


def electricity(
    energy: Energy, use: Use, *, region: str, provider: str, model: str, at: datetime
) -> Electricity:
    """What use of a model took that began at a moment; ``at`` is the start of its hour, UTC."""
    rating = energy.rating(provider, model, at)
    site = energy.site(provider, region, at)
    location = energy.location_factor(region, at)
    market = energy.market_factor(provider, region, at)
    it_kwh = embodied = kwh = None
    if rating is not None:
        token, request = rating.it_kwh_per_output_token, rating.it_kwh_per_request
        it_kwh = Range(_affine(use, token.low, request.low), _affine(use, token.high, request.high))
        token = rating.embodied_gco2e_per_output_token
        request = rating.embodied_gco2e_per_request
        embodied = Range(
            _affine(use, token.low, request.low), _affine(use, token.high, request.high)
        )
        if site is not None:
            kwh = _times(it_kwh, site.pue.low, site.pue.high)
    location_gco2e, market_gco2e = _emitted(kwh, location), _emitted(kwh, market)
    return Electricity(
        tokens=use.tokens,
        unrated_tokens=use.tokens if kwh is None else 0,
        location_unrated_tokens=use.tokens if location_gco2e is None else 0,
        market_unrated_tokens=use.tokens if market_gco2e is None else 0,
        it_kwh=it_kwh,
        kwh=kwh,
        location_gco2e=location_gco2e,
        market_gco2e=market_gco2e,
        embodied_gco2e=embodied,
    )


def total(parts: Iterable[Electricity]) -> Electricity:
    """What several took together; of none it is `NONE`."""
    found = NONE
    for one in parts:
        found += one
    return found


def _affine(use: Use, per_token: Decimal, per_request: Decimal) -> Decimal:
    with localcontext(prec=PRECISION):
        return use.output_tokens * per_token + use.requests * per_request


def _times(found: Range, low: Decimal, high: Decimal) -> Range:
    with localcontext(prec=PRECISION):
        return Range(found.low * low, found.high * high)


def _emitted(kwh: Range | None, factor: FactorVersion | None) -> Range | None:
    if kwh is None or factor is None:
        return None
    return _times(kwh, factor.gco2e_per_kwh, factor.gco2e_per_kwh)

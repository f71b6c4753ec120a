"""What says how much real electricity tokens take: ratings, overheads of sites, grid factors.

All numbers are decimals, read digit by digit: kWh and gCO2e of it can be added up in any order
and come to the same. docs/energy.md has the formulas and says what they leave out.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.catalogue.entries import Entry, Text
from schemas.catalogue.prices import no_float
from schemas.catalogue.tariff_entries import Dated

#: Any provider, or any region.
ANY: Final = "*"
#: Digits behind the point of a coefficient; a float of the least that there is has all of its own.
COEFFICIENT_DECIMALS: Final = 30
#: 1 kWh, or 1 g, a token. What nobody needs; it keeps any UInt128 of tokens inside Decimal(76).
COEFFICIENT_MAX: Final = Decimal(1)
#: A first token is a matter of seconds: 1,000 kWh or g a request are beyond all.
REQUEST_MAX: Final = Decimal(1000)
PUE_DECIMALS: Final = 4
PUE_MAX: Final = Decimal(100)
FACTOR_DECIMALS: Final = 6
FACTOR_MAX: Final = Decimal(100_000)


V = TypeVar("V", bound=Dated)


def _number(most: Decimal, decimals: int, least: Decimal = Decimal(0)) -> object:
    return Field(ge=least, le=most, decimal_places=decimals, allow_inf_nan=False, max_digits=60)


PerToken = Annotated[
    Decimal, BeforeValidator(no_float), _number(COEFFICIENT_MAX, COEFFICIENT_DECIMALS)
]
PerRequest = Annotated[
    Decimal, BeforeValidator(no_float), _number(REQUEST_MAX, COEFFICIENT_DECIMALS)
]
Overhead = Annotated[Decimal, BeforeValidator(no_float), _number(PUE_MAX, PUE_DECIMALS, Decimal(1))]
Factor = Annotated[Decimal, BeforeValidator(no_float), _number(FACTOR_MAX, FACTOR_DECIMALS)]
#: As they are compared: in lower case.
Name = Annotated[Text, Field(pattern=r"^[^A-Z]*$")]


class _Bounds(Entry):
    low: Decimal
    high: Decimal

    @model_validator(mode="after")
    def _upwards(self) -> Self:
        if self.low > self.high:
            raise ValueError("low lies above high")
        return self


class TokenBounds(_Bounds):
    """A coefficient of a token, from the least to the most that it is held possible."""

    low: PerToken
    high: PerToken


class RequestBounds(_Bounds):
    """A coefficient of a request."""

    low: PerRequest
    high: PerRequest


class OverheadBounds(_Bounds):
    """A power usage effectiveness: all electricity of a site ÷ that of its computers; 1 or more."""

    low: Overhead
    high: Overhead


def _apart(versions: tuple[V, ...]) -> tuple[V, ...]:
    for before, after in pairwise(sorted(versions, key=lambda one: one.valid_from)):
        if after.valid_from < before.valid_to:
            raise ValueError(
                f"two versions hold from {after.valid_from:%Y-%m-%d %H:%M} UTC on: let the earlier"
                " one end there (valid_to)"
            )
    return versions


#: Of which no two hold at the same moment.
Versions = Annotated[tuple[V, ...], Field(min_length=1), AfterValidator(_apart)]


class RatingVersion(Dated):
    """What a model takes in one span of time. kWh at the computers, without the site's overhead.

    ``embodied_…`` is the share of making the computers that the time of their use is given.
    ``notes`` say what was assumed about the model.
    """

    it_kwh_per_output_token: TokenBounds
    it_kwh_per_request: RequestBounds
    embodied_gco2e_per_output_token: TokenBounds
    embodied_gco2e_per_request: RequestBounds
    notes: tuple[Text, ...] = ()


class Rating(Entry):
    """A model at a provider, or at any (``*``), and what it takes. Both in lower case."""

    provider: Name
    model: Name
    versions: Versions[RatingVersion]


class SiteVersion(Dated):
    """The overhead of a provider's sites in one span of time."""

    pue: OverheadBounds


class Site(Entry):
    """Where a provider's computers are: in a region, or in all that have no site of their own."""

    provider: Name
    region: Text
    versions: Versions[SiteVersion]


class FactorVersion(Dated):
    """What a kWh emits in one span of time; ``data_year`` is the year that was counted."""

    gco2e_per_kwh: Factor
    data_year: Annotated[int, Field(ge=2000, lt=2100)]


class Grid(Entry):
    """A grid that regions lie on, by name: DEU, US-VA. Its factor is location-based."""

    grid: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]*$", max_length=32)]
    versions: Versions[FactorVersion]


class RegionGrid(Entry):
    """On which grid a region lies, and why that is thought."""

    region: Text
    grid: str
    source: Text
    source_date: date


class Contract(Entry):
    """What a kWh emits by what a provider buys in a region: the market-based factor.

    By contract, certificates or the supplier; where nothing is bought, the residual mix.
    """

    provider: Name
    region: Text
    versions: Versions[FactorVersion]

"""What tariffs.yaml is made of: tariffs with their versions, demand charges, unpriced models."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from schemas.catalogue.currencies import USD, Currency
from schemas.catalogue.entries import FLAT, Entry, Moment, Slug, Sourced, Text
from schemas.catalogue.prices import STANDARD, ClassPrices, PriceVariant, Unit, Usd

#: The end of what has no end: the last midnight that a ClickHouse DateTime can hold.
FOREVER: Final = datetime(2106, 2, 7, tzinfo=UTC)


class Dated(Sourced):
    """What holds from a moment up to another, half-open: ``[valid_from, valid_to)``."""

    valid_from: Moment
    valid_to: Moment = FOREVER

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if not self.valid_from < self.valid_to <= FOREVER:
            raise ValueError("valid_from must lie before valid_to")
        return self


class PriceVersion(Dated):
    """The prices of a tariff in one span of time, by period of its calendar (or ``flat``).

    ``prices`` are those of the standard tier for input of any length; ``variants`` are for other
    tiers and for longer input. ``units`` are per thousand of what is billed beside tokens, in all
    periods and tiers. All prices of a version are in its ``currency``.
    """

    currency: Currency = USD

    prices: Annotated[dict[Slug, ClassPrices], Field(min_length=1)]
    variants: tuple[PriceVariant, ...] = ()
    units: dict[Unit, Usd] = {}

    @model_validator(mode="after")
    def _variants(self) -> Self:
        for variant in self.variants:
            if set(variant.prices) != set(self.prices):
                raise ValueError(
                    f"variant {variant.name}: it must have prices for the periods that the version"
                    f" has: {', '.join(sorted(self.prices))}"
                )
        times = Counter(variant.name for variant in self.all_variants)
        twice = [name for name, count in times.items() if count > 1]
        if twice == [STANDARD]:
            raise ValueError("a variant of standard above 0 tokens: that is what prices says")
        if twice:
            raise ValueError(f"two variants overlap: {twice[0]}")
        return self

    @property
    def periods(self) -> tuple[str, ...]:
        """The periods that it has prices for."""
        return tuple(self.prices)

    @property
    def all_variants(self) -> tuple[PriceVariant, ...]:
        """The variants, and first what ``prices`` says as one."""
        return (PriceVariant(prices=self.prices), *self.variants)

    def variant_for(self, service_tier: str, context_band: int) -> PriceVariant | None:
        """The variant by which usage of a class is billed; None if the tier has no price for it.

        ``service_tier`` is '' where none was reported. Of the variants of that very tier, it is the
        one with the greatest threshold that the band reaches.
        """
        tier = service_tier or STANDARD
        reached = [
            variant
            for variant in self.all_variants
            if variant.service_tier == tier and variant.above_input_tokens <= context_band
        ]
        return max(reached, key=lambda one: one.above_input_tokens, default=None)


class TariffEntry(Entry):
    """What tokens of a model cost at a provider in a region; ``*`` stands for any.

    ``calendar`` names the time-of-use calendar of its periods; without one the only period is
    ``flat``.
    """

    tariff: Slug
    provider: Text
    model: Text
    region: Text
    calendar: Slug | None = None
    versions: Annotated[tuple[PriceVersion, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _periods(self) -> Self:
        for version in self.versions:
            if self.calendar is None and set(version.prices) != {FLAT}:
                raise ValueError(f"a tariff without a calendar has one period, {FLAT}")
            if self.calendar is not None and FLAT in version.prices:
                raise ValueError(f"{FLAT} belongs to tariffs without a calendar")
        begins = Counter(version.valid_from for version in self.versions)
        twice = [moment for moment, times in begins.items() if times > 1]
        if twice:
            raise ValueError(f"two versions begin at {twice[0]:%Y-%m-%d %H:%M} UTC")
        return self


class DemandChargeEntry(Dated):
    """USD per token/s of a tenant's highest hourly demand in a billing period.

    ``region`` ``*`` measures all regions together.
    """

    demand_charge: Slug
    region: Text
    usd_per_token_per_second: Usd


class Unpriced(Entry):
    """Models that are known to have no price, and why; their usage is billed as unpriced."""

    model: Text
    reason: Text

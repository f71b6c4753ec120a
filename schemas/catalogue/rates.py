"""PURE. Rates of exchange, as the catalogue's file `rates.yaml` has them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from schemas.catalogue.currencies import Currency
from schemas.catalogue.entries import Day, Entry, Sourced, Text
from schemas.catalogue.prices import no_float

RATE_MAX: Final = Decimal(10**9)
RATE_DECIMALS: Final = 12
#: A weekend and the holidays around it: markets and central banks publish none on those.
MAX_AGE_DAYS: Final = 7


class RateEntry(Sourced):
    """What one unit of a currency is worth in another on a day, digit by digit as published."""

    from_currency: Annotated[Currency, Field(alias="from")]
    to_currency: Annotated[Currency, Field(alias="to")]
    date: Day
    rate: Annotated[
        Decimal,
        BeforeValidator(no_float),
        Field(gt=0, le=RATE_MAX, decimal_places=RATE_DECIMALS, allow_inf_nan=False),
    ]

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.from_currency == self.to_currency:
            raise ValueError(f"a rate from {self.from_currency} to itself")
        return self


class RatesFile(Entry):
    """`rates.yaml`. A day's rate is the latest on or before it, at most ``max_age_days`` old."""

    version: Text
    max_age_days: Annotated[int, Field(ge=0, le=366)] = MAX_AGE_DAYS
    rates: tuple[RateEntry, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        pairs = Counter((one.from_currency, one.to_currency, one.date) for one in self.rates)
        for (source, target, day), count in pairs.items():
            if count > 1:
                raise ValueError(f"{source} to {target} on {day} is there twice")
        return self

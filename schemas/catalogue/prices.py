"""Prices of tokens, by class, tier and length of input.

Money is Decimal, read from the digits as they stand in the file; a float never touches it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.catalogue.entries import Entry, Slug
from schemas.price_class import CONTEXT_THRESHOLD_MAX, SERVICE_TIERS, UNITS

TokenClass = Literal[
    "uncached_input",
    "cache_read",
    "cache_write",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "image_input",
    "cache_read_audio",
    "cache_read_image",
    "output",
    "reasoning",
    "audio_output",
    "image_output",
]
#: Every token of a request is in exactly one class, so nothing is priced twice. In the order of the
#: arrays of `usage_quantities` and `tariff_prices` (0016_class_prices.sql), which a test holds.
TOKEN_CLASSES: Final[tuple[TokenClass, ...]] = (
    *("uncached_input", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h"),
    *("audio_input", "image_input", "cache_read_audio", "cache_read_image"),
    *("output", "reasoning", "audio_output", "image_output"),
)
#: What a class that few lists price is billed as where a tariff says nothing of it.
BILLED_AS: Final[dict[TokenClass, TokenClass]] = {
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write",
    "audio_input": "uncached_input",
    "image_input": "uncached_input",
    "cache_read_audio": "cache_read",
    "cache_read_image": "cache_read",
    "audio_output": "output",
    "image_output": "output",
}
#: The tier of prices that hold for whatever was not served in another, or does not say in which.
STANDARD: Final = "standard"

#: 1 USD a token, or 1,000 USD a unit. It and 9 decimals keep any UInt64 of tokens or units x price
#: inside Decimal(38).
PRICE_MAX: Final = Decimal(1_000_000)
PRICE_DECIMALS: Final = 9


def no_float(value: object) -> object:
    """Refuse a float: money is read digit by digit."""
    if isinstance(value, float):
        raise ValueError("money must be written as digits, never a float")
    return value


def _known_tier(name: str) -> str:
    if name not in SERVICE_TIERS:
        raise ValueError(f"{name!r} is no service tier: {', '.join(SERVICE_TIERS)}")
    return name


def _known_unit(name: str) -> str:
    if name not in UNITS:
        raise ValueError(f"{name!r} is no unit: {', '.join(UNITS)}")
    return name


# The limits stand before the function, so that pydantic's core checks them: thousands of prices.
Usd = Annotated[
    Decimal,
    Field(ge=0, le=PRICE_MAX, decimal_places=PRICE_DECIMALS, allow_inf_nan=False),
    BeforeValidator(no_float),
]
Tier = Annotated[str, AfterValidator(_known_tier)]
Unit = Annotated[str, AfterValidator(_known_unit)]
Threshold = Annotated[int, Field(ge=0, le=CONTEXT_THRESHOLD_MAX)]


class SameAs(Entry):
    """Says that a token class is billed at the price of another."""

    same_as: TokenClass


class ClassPrices(Entry):
    """USD per million tokens of each class, or ``{same_as: output}``.

    The first five may not be left out. What may is billed as `BILLED_AS` says.
    """

    uncached_input: Usd | SameAs
    cache_read: Usd | SameAs
    cache_write: Usd | SameAs
    output: Usd | SameAs
    reasoning: Usd | SameAs
    cache_write_5m: Usd | SameAs | None = None
    cache_write_1h: Usd | SameAs | None = None
    audio_input: Usd | SameAs | None = None
    image_input: Usd | SameAs | None = None
    cache_read_audio: Usd | SameAs | None = None
    cache_read_image: Usd | SameAs | None = None
    audio_output: Usd | SameAs | None = None
    image_output: Usd | SameAs | None = None

    @model_validator(mode="after")
    def _one_step(self) -> Self:
        for name in TOKEN_CLASSES:
            said = getattr(self, name)
            if isinstance(said, SameAs) and not isinstance(getattr(self, said.same_as), Decimal):
                raise ValueError(f"{name}: same_as must name a class that has its own price")
        return self

    def price(self, token_class: TokenClass) -> Decimal:
        """The price of a class, in USD per million tokens."""
        price: Decimal = getattr(self, self.billed_as(token_class))
        return price

    def billed_as(self, token_class: TokenClass) -> TokenClass:
        """The class whose price is used: the class itself if it has one of its own."""
        said: Decimal | SameAs | None = getattr(self, token_class)
        if said is None:
            return self.billed_as(BILLED_AS[token_class])
        return said.same_as if isinstance(said, SameAs) else token_class


class PriceVariant(Entry):
    """Prices of a service tier, for requests with more input than a threshold; by period."""

    service_tier: Tier = STANDARD
    above_input_tokens: Threshold = 0
    prices: Annotated[dict[Slug, ClassPrices], Field(min_length=1)]

    @property
    def name(self) -> str:
        """What people call it: ``batch above 200,000 input tokens``."""
        if self.above_input_tokens == 0:
            return self.service_tier
        return f"{self.service_tier} above {self.above_input_tokens:,} input tokens"

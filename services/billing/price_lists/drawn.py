"""PURE. What is read from one model of a source, before it becomes a tariff of a price list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Final

from schemas.catalogue.entries import CalendarEntry
from schemas.catalogue.listed_tariffs import ListedTariff, ListSource
from schemas.catalogue.prices import (
    PRICE_DECIMALS,
    PRICE_MAX,
    ClassPrices,
    SameAs,
    TokenClass,
)

_STEP: Final = Decimal(1).scaleb(-PRICE_DECIMALS)
#: Digits that a division is carried to before it is rounded.
_DIGITS: Final = 60
#: Of which a remark names so many.
_DIGITS_SAID: Final = 18

#: Why nothing can be read. Of LiteLLM only the prices are read, so nothing that it needs is.
NOT_INSTALLED: Final = (
    "price lists come from two packages: `make price-lists` installs both in a clone, and elsewhere"
    " the extra `prices` genai-prices, and `--no-deps` litellm"
)


class NotTaken(ValueError):
    """A model's prices cannot be taken over; the text is the reason, as people read it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A model that has no tariff of its source's list, and why."""

    source: str
    list: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source says: tariffs in its order, their calendars, and what has no tariff at all."""

    source: ListSource
    tariffs: tuple[ListedTariff, ...]
    calendars: tuple[CalendarEntry, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens and units cost at one moment, in one tier, for input of one length.

    ``tokens`` are USD per million of each class that has a price of its own, ``units`` USD per
    thousand; ``remarks`` say what of the source is not, or not quite, in them.
    """

    tokens: Mapping[TokenClass, Decimal]
    units: Mapping[str, Decimal]
    remarks: tuple[str, ...]


def rounded(value: Decimal, per: int, what: str) -> tuple[Decimal, tuple[str, ...]]:
    """Divide a price and cut it to the decimals that a tariff has; a remark if that changed it.

    Raises `NotTaken` for what no price can be.
    """
    if not value.is_finite() or value < 0:
        raise NotTaken(f"{what} is {value}, which is no price")
    with localcontext() as context:
        context.prec = _DIGITS
        exact = value / per
        price = exact.quantize(_STEP)
        if price > PRICE_MAX:
            raise NotTaken(f"{what} is more than {PRICE_MAX:,} USD")
        said = plain(exact.normalize(Context(prec=_DIGITS_SAID)))
    remark = (f"{what}: {said} is rounded to {plain(price)}",) if price != exact else ()
    return trimmed(price), remark


def trimmed(price: Decimal) -> Decimal:
    """The same price with as few digits as it needs, so that 2.50 and 2.5 are one text."""
    return Decimal(plain(price))


def plain(price: Decimal) -> str:
    """A price as people write it: no exponent, no zeros behind."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def class_prices(tokens: Mapping[TokenClass, Decimal]) -> ClassPrices:
    """Say of each class that has no price of its own which one it is billed at.

    What a source does not price apart is part of what it prices: cached audio is audio where only
    audio has a price, and cache read where only that has one. A model that is priced by input alone
    (embeddings) has no price for output; its source bills nothing for it. Raises `NotTaken`.
    """
    if "uncached_input" not in tokens:
        raise NotTaken("has prices for some kinds of tokens, and none for input")
    said: dict[str, Decimal | SameAs] = {name: price for name, price in tokens.items()}
    said.setdefault("cache_read", SameAs(same_as="uncached_input"))
    said.setdefault("cache_write", SameAs(same_as="uncached_input"))
    said.setdefault("output", Decimal(0))
    said.setdefault("reasoning", SameAs(same_as="output"))
    for modality in ("audio", "image"):
        cached = f"cache_read_{modality}"
        if f"{modality}_input" in tokens and "cache_read" not in tokens:
            said.setdefault(cached, SameAs(same_as=_input_of(modality)))
    return ClassPrices.model_validate(said)


def _input_of(modality: str) -> TokenClass:
    return "audio_input" if modality == "audio" else "image_input"

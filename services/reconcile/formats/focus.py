"""PURE. FOCUS, the FinOps Open Cost and Usage Specification, of any vendor; versions 1.0 to 1.4.

Who provides is `ServiceProviderName` since 1.3 and `ProviderName` before; `SkuMeter` and
`SkuPriceDetails` are there since 1.1 (specification/columns of FOCUS_Spec, its versions' tags). A
row counts if its `ChargeCategory` is Usage and its unit one that is metered: tokens, or one of the
units beside them. All else, of a cloud's whole bill nearly everything, is left out and added up.

The kind of token is told by `TokenType` (or `TokenDirection` and `TokenCacheAction`) in
`SkuPriceDetails`, else by the words of `SkuMeter`, `ChargeDescription` or `SkuId`; the model by
`ModelId` there, else by `x_Model`, `ResourceName` or `ResourceId`. `BilledCost` is compared.
Periods are UTC; one of an hour or a day counts on its day, a longer one is compared as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import ANY_CONTEXT, Context, Days, Key
from services.reconcile.reading import Row
from services.reconcile.tally import Tally, days_of
from services.reconcile.words import class_of_text, context_of, plain, tier_of_text, tier_of_word

#: Columns by what they say, the newer name first.
PROVIDERS: Final = ("ServiceProviderName", "ProviderName", "PublisherName")
MODELS: Final = ("x_Model", "x_ModelName", "ResourceName", "ResourceId")
MODEL_DETAILS: Final = ("ModelId", "AIModelId", "ModelName", "Model", "model")
DESCRIPTIONS: Final = ("SkuMeter", "ChargeDescription", "SkuId", "SkuPriceId")
TIER_DETAILS: Final = ("ServiceTier", "service_tier", "InferenceTier")
#: Columns that every version has, by which a file is known.
COLUMNS: Final = frozenset(
    ("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd")
)
#: Units as they may be written, how many of ours make one, and which of ours.
UNITS: Final[Mapping[str, tuple[str, int]]] = {
    "web searches": ("web_searches", 1),
    "searches": ("web_searches", 1),
    "file searches": ("file_searches", 1),
    "tool calls": ("tool_calls", 1),
    "images": ("images", 1),
    "characters": ("characters", 1),
    "pages": ("pages", 1),
    "audio milliseconds": ("audio_milliseconds", 1),
    "video milliseconds": ("video_milliseconds", 1),
    "audio seconds": ("audio_milliseconds", 1000),
    "video seconds": ("video_milliseconds", 1000),
    "audio minutes": ("audio_milliseconds", 60_000),
}
TOKENS: Final = "tokens"
#: A unit with a block before it: ``1000000 Tokens``, ``1M tokens``, ``1K Tokens``.
_BLOCK: Final = re.compile(
    r"^(?:(?P<count>\d[\d,_]*(?:\.\d+)?)\s*(?P<scale>[kKmM](?![A-Za-z]))?)?"
    r"\s*(?P<unit>[A-Za-z_ -]*?)s?$"
)
_SCALES: Final[Mapping[str, int]] = {"": 1, "k": 1000, "m": 1_000_000}
#: TokenType of 1.4's appendix on prompt caching, in lower case.
_TOKEN_TYPES: Final[Mapping[str, str]] = {
    "input": "uncached_input",
    "output": "output",
    "cacheread": "cache_read",
    "cachewrite": "cache_write",
    "reasoning": "reasoning",
}


def read_rows(tally: Tally, rows: Iterable[Row]) -> None:
    """Read the rows of a FOCUS dataset."""
    for row in rows:
        category, amount = row.text("ChargeCategory"), row.decimal("BilledCost")
        if amount is None:
            raise ConfigurationError(f"{row.where}: BilledCost is missing")
        quantity = _quantity(row) if category == "Usage" else None
        if quantity is None:
            service = row.text("ServiceName") if category == "Usage" else ""
            tally.leave_out(f"{category} {service}".strip(), amount)
            continue
        unit, count, block = quantity
        details = row.within("SkuPriceDetails")
        # What does not say which tokens it is of is of all that no other line is of.
        billed_as = (_class(row, details) or TOKENS) if unit == TOKENS else unit
        tally.see_currency(row.text("BillingCurrency"))
        tally.cover_days(_days(row))
        key = Key(
            *(_days(row), _first(row, PROVIDERS), _model(row, details), billed_as),
            service_tier=_tier(row, details) if unit == TOKENS else "",
            context=_context(details) if unit == TOKENS else ANY_CONTEXT,
        )
        tally.add_blocks(key, count, block)
        tally.add_amount(key, amount)


def is_focus(header: Iterable[str]) -> bool:
    """Whether a CSV with this header is a FOCUS dataset."""
    return set(header) >= COLUMNS


def _quantity(row: Row) -> tuple[str, Decimal, Decimal] | None:
    """Give the unit, how many blocks of it, and how many make a block; None for other units.

    `ConsumedQuantity` counts tokens; where it is null, `PricingQuantity` counts blocks of them,
    which may be rounded.
    """
    for quantity_name, unit_name in (
        ("ConsumedQuantity", "ConsumedUnit"),
        ("PricingQuantity", "PricingUnit"),
    ):
        quantity = row.decimal(quantity_name)
        unit = _unit(row.text(unit_name), row.text("x_Unit"))
        if quantity is not None and unit is not None:
            name, size = unit
            return name, quantity, size
    return None


def _unit(text: str, ours: str) -> tuple[str, Decimal] | None:
    """Give our unit, which the row may name itself, and how many of it make one of these."""
    found = _BLOCK.match(text.strip())
    if found is None:
        return None
    count = Decimal(re.sub(r"[,_]", "", found["count"] or "1"))
    size = count * _SCALES[(found["scale"] or "").lower()]
    words = f"{plain(found['unit'])}s"
    if words in {TOKENS, "input tokens", "output tokens"}:
        return TOKENS, size
    name, factor = UNITS.get(words, ("", 1))
    if ours:
        return ours, size
    return (name, size * factor) if name else None


def _days(row: Row) -> Days:
    return days_of(row.moment("ChargePeriodStart"), row.moment("ChargePeriodEnd"), row.where)


def _first(row: Row, names: Iterable[str]) -> str:
    return next((text for name in names if (text := row.text(name))), "")


def _model(row: Row, details: Row) -> str:
    return _first(details, MODEL_DETAILS) or _first(row, MODELS)


def _class(row: Row, details: Row) -> str | None:
    ours = row.text("x_TokenClass")
    if ours:
        return ours
    told = details.text("TokenType").lower().replace("_", "").replace(" ", "")
    direction, action = details.text("TokenDirection"), details.text("TokenCacheAction")
    plain_class = _TOKEN_TYPES.get(told)
    if plain_class is None and direction:
        action = "" if action.lower() == "uncached" else action
        plain_class = class_of_text(f"{f'cache {action}' if action else ''} {direction}")
    texts = [class_of_text(row.text(name)) for name in DESCRIPTIONS]
    # Words may say more than the kind: `Audio Input Tokens`, of TokenType Input.
    closer = next((one for one in texts if one is not None), None)
    if plain_class is None or (closer is not None and _is_kind_of(closer, plain_class)):
        return closer
    return plain_class


def _is_kind_of(closer: str, plain_class: str) -> bool:
    """Whether a class is the same kind of token as the other, or a part of it."""
    side = plain_class.removeprefix("uncached_")
    return closer.startswith(plain_class) or closer in {f"audio_{side}", f"image_{side}"}


def _tier(row: Row, details: Row) -> str:
    said = row.text("x_ServiceTier") or _first(details, TIER_DETAILS)
    if said:
        return tier_of_word(said)
    return next((tier for name in DESCRIPTIONS if (tier := tier_of_text(row.text(name)))), "")


def _context(details: Row) -> Context:
    """Give the side of a threshold that a row is for, where its window names one."""
    return context_of(details.text("ContextWindow"))

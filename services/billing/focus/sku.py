"""PURE. What is sold, as FOCUS names it: SKU, price of a SKU, meter and units.

A SKU is what a model does with a kind of token, or one unit beyond tokens: provider, model and
token class or unit. A price of it also depends on region, service tier, context band and period of
the day; neither on the tenant nor on a date, so that its id stays the same over months and
customers, as FOCUS asks of SkuPriceId. With the hour, `wattoken tariffs explain` finds the price.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

#: SkuMeter of each token class. FOCUS' own examples of bills of models name the first four.
TOKEN_METERS: Final = {
    "uncached_input": "Input Tokens",
    "output": "Output Tokens",
    "cache_read": "Cache Read Input Tokens",
    "cache_write": "Cache Write Input Tokens",
    "cache_write_5m": "Cache Write 5 Minutes Input Tokens",
    "cache_write_1h": "Cache Write 1 Hour Input Tokens",
    "audio_input": "Audio Input Tokens",
    "image_input": "Image Input Tokens",
    "cache_read_audio": "Cache Read Audio Input Tokens",
    "cache_read_image": "Cache Read Image Input Tokens",
    "reasoning": "Reasoning Output Tokens",
    "audio_output": "Audio Output Tokens",
    "image_output": "Image Output Tokens",
}
#: SkuMeter and ConsumedUnit of each unit beyond tokens, the latter as UnitFormat has it.
UNIT_METERS: Final = {
    "web_searches": ("Web Searches", "Web Searches"),
    "file_searches": ("File Searches", "File Searches"),
    "tool_calls": ("Tool Calls", "Tool Calls"),
    "images": ("Images", "Images"),
    "audio_milliseconds": ("Audio", "Milliseconds"),
    "video_milliseconds": ("Video", "Milliseconds"),
    "characters": ("Characters", "Characters"),
    "pages": ("Pages", "Pages"),
}
TOKENS: Final = "Tokens"
#: Exponents of ten: prices are per million tokens, or per thousand of another unit.
TOKENS_EXPONENT: Final = 6
UNITS_EXPONENT: Final = 3
#: What usage without a tier is billed as.
STANDARD: Final = "standard"
#: Periods that no calendar has: of a price at all hours, and of usage that no price fits.
FLAT: Final = "flat"
UNPRICED: Final = "unpriced"


@dataclass(frozen=True, slots=True)
class Sku:
    """What is sold and what its price depends on; one of ``token_class`` and ``unit`` is ''.

    ``service_tier`` is '' where none was reported.
    """

    provider: str
    model: str
    token_class: str
    unit: str
    region: str
    service_tier: str
    context_band: int
    tou_period: str

    @property
    def id(self) -> str:
        """SkuId: different for different provider, model and token class or unit."""
        return joined(self.provider, self.model, self.token_class or self.unit)

    @property
    def price_id(self) -> str:
        """SkuPriceId: different for all that a price depends on but the date."""
        where = joined(self.region, self.billed_tier, str(self.context_band), self.tou_period)
        return f"{self.id}/{where}"

    @property
    def billed_tier(self) -> str:
        """The tier whose price it is."""
        return self.service_tier or STANDARD

    @property
    def meter(self) -> str:
        """SkuMeter."""
        return TOKEN_METERS[self.token_class] if not self.unit else UNIT_METERS[self.unit][0]

    @property
    def consumed_unit(self) -> str:
        """ConsumedUnit."""
        return UNIT_METERS[self.unit][1] if self.unit else TOKENS

    @property
    def exponent(self) -> int:
        """A price is for so many of the unit, as a power of ten."""
        return UNITS_EXPONENT if self.unit else TOKENS_EXPONENT

    @property
    def pricing_unit(self) -> str:
        """PricingUnit, such as ``1000000 Tokens``."""
        return f"{10**self.exponent} {self.consumed_unit}"

    @property
    def price_details(self) -> str:
        """SkuPriceDetails: the same for all charges of one `price_id`."""
        return key_values(
            x_ContextBand=str(self.context_band),
            x_ModelName=self.model,
            x_ServiceTier=self.billed_tier,
            x_TimeOfUsePeriod=self.tou_period,
            **({"x_Unit": self.unit} if self.unit else {"x_TokenClass": self.token_class}),
        )

    @property
    def description(self) -> str:
        """What ChargeDescription begins with."""
        words = [f"{self.meter} of {self.model} at {self.provider}", f"{self.billed_tier} tier"]
        if self.context_band:
            words.append(f"input above {self.context_band:,} tokens")
        if self.tou_period not in (FLAT, UNPRICED):
            words.append(self.tou_period)
        return ", ".join(words)


def joined(*parts: str) -> str:
    """An id of some parts: two ids are equal only if all parts are, whatever is in them."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def key_values(**pairs: str) -> str:
    """An object of FOCUS' KeyValueFormat: JSON without nesting, its keys in order."""
    return json.dumps(pairs, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

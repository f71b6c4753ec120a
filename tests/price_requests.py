"""Requests drawn at random over the price lists, and what they cost: by us, and by genai-prices.

What a request used is told to both in their own words. The one shares no code with the other: ours
goes by the lists' tariffs, theirs by the package's data and arithmetic.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from types import ModuleType
from typing import Any, Final

from schemas.catalogue import TokenClass
from schemas.catalogue.listed_tariffs import ListedTariff
from schemas.catalogue.price_lists import PriceLists
from schemas.price_class import CONTEXT_THRESHOLDS

#: How the package is told of a tier; not reported, and standard, is no context at all.
CONTEXTS: Final[dict[str, dict[str, str]]] = {
    "": {},
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
#: Digits enough for every sum.
DIGITS: Final = 60
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Request:
    """What was used: tokens by class, each in one, and units; ``name`` is what it was called."""

    tariff: ListedTariff
    name: str
    hour: datetime
    tier: str
    classes: Mapping[TokenClass, int]
    units: Mapping[str, int]

    def total(self, *classes: TokenClass) -> int:
        return sum(self.classes.get(name, 0) for name in classes)

    @property
    def input_tokens(self) -> int:
        return sum(self.classes.values()) - self.output_tokens

    @property
    def output_tokens(self) -> int:
        return self.total("output", "reasoning", "audio_output", "image_output")

    @property
    def context_band(self) -> int:
        """The highest threshold that the input is beyond, as the meter has it."""
        return max((one for one in CONTEXT_THRESHOLDS if self.input_tokens > one), default=0)


def draw_requests(
    tariffs: Sequence[ListedTariff], count: int, seed: int, first: datetime, last: datetime
) -> list[Request]:
    """Draw requests, of all tariffs in turns, at hours from one moment up to another."""
    draws = random.Random(seed)
    order: list[ListedTariff] = []
    while len(order) < count:
        order += draws.sample(tariffs, len(tariffs))
    return [draw_request(draws, one, first, last) for one in order[:count]]


def draw_request(
    draws: random.Random, tariff: ListedTariff, first: datetime, last: datetime
) -> Request:
    name = draws.choice(tariff.names or (tariff.model.rpartition(":")[2],))
    changes = [v.valid_from for v in tariff.versions if first <= v.valid_from < last]
    hour = first + draws.randrange((last - first) // HOUR) * HOUR
    if changes and draws.random() < 0.5:
        hour = draws.choice(changes) + draws.choice((-1, 0, 1, 30)) * HOUR
    # A unit that has no price then is unpriced here, and costs nothing in the package.
    held = tariff.version_at(hour)
    listed = {one.service_tier for one in held.all_variants} if held is not None else ()
    tiers = tuple(CONTEXTS) if draws.random() < 0.1 else ("", "standard", *sorted(listed))
    tier = draws.choice(tiers)
    units = {
        unit: draws.choice((0, 1, 7, draws.randrange(10**9)))
        for unit in (held.units if held is not None else ())
    }
    # Tokens of what is billed by units alone are unpriced here, and cost nothing in the package.
    has_tokens = any(version.prices for version in tariff.versions)
    return Request(tariff, name, hour, tier, draw_classes(draws) if has_tokens else {}, units)


def draw_classes(draws: random.Random) -> dict[TokenClass, int]:
    """Tokens whose input ends at, around or far from a threshold."""
    total = draws.choice(
        [
            *(threshold + draws.choice((0, 1)) for threshold in CONTEXT_THRESHOLDS),
            *(draws.randrange(1, 10_000) for _ in range(8)),
            *(draws.randrange(10**6, 10**11) for _ in range(2)),
        ]
    )
    parts: list[TokenClass] = ["cache_read", "cache_write", "cache_write_5m", "cache_write_1h"]
    parts += ["audio_input", "image_input", "cache_read_audio", "cache_read_image"]
    classes: dict[TokenClass, int] = {}
    left = total
    for name in draws.sample(parts, draws.randrange(len(parts) + 1)):
        classes[name] = draws.randrange(left + 1)
        left -= classes[name]
    classes["uncached_input"] = left
    outputs: tuple[TokenClass, ...] = ("output", "reasoning", "audio_output", "image_output")
    for name in outputs:
        classes[name] = draws.choice((0, draws.randrange(50_000)))
    return classes


def our_price(request: Request, lists: PriceLists) -> Decimal | None:
    """What the tariff of the lists asks for a request; None if any of it is unpriced."""
    version = request.tariff.version_at(request.hour)
    if version is None:
        return None
    period = "flat"
    if request.tariff.calendar is not None:
        calendar = lists.calendar(request.tariff.calendar)
        assert calendar is not None and calendar.zone == "UTC"
        (period,) = calendar.periods_at(request.hour.isoweekday(), request.hour.hour)
    variant = version.variant_for(request.tier, request.context_band)
    with localcontext() as context:
        context.prec = DIGITS
        total = Decimal(0)
        for name, tokens in request.classes.items():
            if tokens:
                if variant is None:
                    return None
                total += variant.prices[period].price(name) * tokens / 1_000_000
        for unit, quantity in request.units.items():
            if quantity:
                if unit not in version.units:
                    return None
                total += version.units[unit] * quantity / 1000
    return total


def usage_of(request: Request, package: ModuleType) -> Any:
    """The same request in the words of the package; 0 of what it did not use."""
    units = dict(request.units)
    seconds = Decimal(units.get("audio_milliseconds", 0)) / 1000
    cached_audio, cached_image = (
        request.total("cache_read_audio"),
        request.total("cache_read_image"),
    )
    hour, five = request.total("cache_write_1h"), request.total("cache_write_5m")
    return package.Usage(
        input_tokens=request.input_tokens,
        output_tokens=request.output_tokens,
        cache_read_tokens=request.total("cache_read") + cached_audio + cached_image,
        cache_write_tokens=request.total("cache_write") + hour + five,
        cache_write_5m_tokens=five,
        cache_write_1h_tokens=hour,
        input_audio_tokens=request.total("audio_input") + cached_audio,
        input_image_tokens=request.total("image_input") + cached_image,
        cache_audio_read_tokens=cached_audio,
        cache_image_read_tokens=cached_image,
        output_reasoning_tokens=request.total("reasoning"),
        output_audio_tokens=request.total("audio_output"),
        output_image_tokens=request.total("image_output"),
        web_searches=units.get("web_searches", 0),
        storage_searches=units.get("file_searches", 0),
        audio_seconds=seconds,
        input_audio_seconds=seconds,
        input_characters=units.get("characters", 0),
        input_document_pages=units.get("pages", 0),
    )


def their_price(request: Request, package: ModuleType) -> Decimal:
    """What the package says that a request costs, found by its names alone."""
    with localcontext() as context:
        context.prec = DIGITS
        found = package.calc_price(
            usage_of(request, package),
            request.name,
            provider_id=request.tariff.list,
            genai_request_timestamp=request.hour,
            price_context=CONTEXTS[request.tier] or None,
        )
    price: Decimal = found.total_price
    return price


def tier_is_listed(request: Request, package: ModuleType) -> bool:
    """Whether the package's list has prices for the tier of a request, at that time."""
    if not CONTEXTS[request.tier]:
        return True
    snapshot = package.data_snapshot.get_snapshot()
    provider, model = snapshot.find_provider_model(
        request.name.lower(), None, request.tariff.list, None
    )
    return any(one is model for one in provider.models) and any(
        variant.when.items() <= CONTEXTS[request.tier].items()
        and (variant.constraint is None or variant.constraint.active(request.hour))
        for variant in model.price_variants or ()
    )

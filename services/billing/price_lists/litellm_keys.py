"""PURE. What the prices of LiteLLM's file are of: its keys by class, tier and length of input.

A key is the name of what is priced, and behind it in any order for how long a cache is written to,
above how many input tokens, and in which tier: `input_cost_per_token_above_200k_tokens_priority`.
Prices are USD for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from schemas.catalogue.prices import STANDARD, TokenClass
from services.billing.price_lists.drawn import NotTaken

_CLASSES: Final[dict[str, TokenClass]] = {
    "input_cost_per_token": "uncached_input",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "input_cost_per_audio_token": "audio_input",
    "input_cost_per_image_token": "image_input",
    "cache_read_input_audio_token_cost": "cache_read_audio",
    "cache_read_input_image_token_cost": "cache_read_image",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "output_cost_per_image_token": "image_output",
}
#: Units of what is priced by the piece; a second is a thousand milliseconds, so nothing is divided.
_UNITS: Final = {
    "input_cost_per_character": ("characters", 1000),
    "ocr_cost_per_page": ("pages", 1000),
    "file_search_cost_per_1k_calls": ("file_searches", 1),
}
#: Units of a second, and of an image, by what a model does.
_BY_MODE: Final = {
    ("audio_transcription", "input_cost_per_second"): ("audio_milliseconds", 1),
    ("audio_speech", "output_cost_per_second"): ("audio_milliseconds", 1),
    ("video_generation", "output_cost_per_second"): ("video_milliseconds", 1),
    ("image_generation", "output_cost_per_image"): ("images", 1000),
    ("image_edit", "output_cost_per_image"): ("images", 1000),
}
TIERS: Final = {"batches": "batch", "flex": "flex", "priority": "priority"}
_THRESHOLD: Final = re.compile(r"_above_(\d+)(k?)_tokens")
_TIER: Final = re.compile(r"_(batches|flex|priority|ultrafast|balanced|decisions)$")
_HOUR: Final = "_above_1hr"
_SEARCHES: Final = "search_context_cost_per_query"
#: What would be missing from every bill.
_OF_EVERY_REQUEST: Final = "input_cost_per_request"
#: The same price once more: in another currency, or under an older name.
_AGAIN: Final = re.compile(r"dbu_cost_per_token|_cost_per_token_cache_hit")


@dataclass(frozen=True, slots=True)
class Key:
    """Of what a key's price is."""

    token_class: TokenClass
    tier: str
    above_input_tokens: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What an entry prices: USD per million tokens by key, USD per thousand units, and remarks."""

    tokens: Mapping[Key, Decimal]
    units: Mapping[str, Decimal]
    remarks: tuple[str, ...]


def parse(key: str, *, inclusive: bool) -> Key | None:
    """Read a key of tokens; None if it is of something else, or of a tier that is none of ours.

    ``inclusive`` says that a threshold itself already has the higher price.
    """
    tier = _TIER.search(key)
    if tier is not None and tier[1] not in TIERS:
        return None
    rest = key if tier is None else key.removesuffix(tier[0])
    threshold = _THRESHOLD.search(rest)
    above = 0
    if threshold is not None:
        rest = rest.replace(threshold[0], "")
        above = int(threshold[1]) * (1000 if threshold[2] else 1) - inclusive
    written_for_an_hour = rest.endswith(_HOUR)
    token_class = _CLASSES.get(rest.removesuffix(_HOUR))
    if written_for_an_hour:
        token_class = "cache_write_1h" if token_class == "cache_write" else None
    if token_class is None:
        return None
    return Key(token_class, STANDARD if tier is None else TIERS[tier[1]], above)


def rates_of(entry: Mapping[str, Any], *, inclusive: bool) -> Rates:
    """Read all prices of an entry. Raises `NotTaken`."""
    tokens: dict[Key, Decimal] = {}
    units: dict[str, Decimal] = {}
    untold: list[str] = []
    mode = entry.get("mode")
    for name, value in entry.items():
        if "cost" not in name or value is None or _AGAIN.search(name) is not None:
            continue
        if name == _OF_EVERY_REQUEST:
            raise NotTaken("costs something for each request, beside its tokens")
        unit = _UNITS.get(name) or _BY_MODE.get((str(mode), name))
        key = parse(name, inclusive=inclusive)
        if name == _SEARCHES:
            prices = set(value.values())
            if len(prices) == 1:
                units["web_searches"] = _number(name, prices.pop()) * 1000
            else:
                untold.append(name)
        elif unit is not None:
            units[unit[0]] = _number(name, value) * unit[1]
        elif key is not None:
            tokens[key] = _number(name, value) * 1_000_000
        else:
            untold.append(name)
    tokens |= _by_ranges(entry.get("tiered_pricing") or ())
    remarks = (f"not taken over: {', '.join(sorted(untold))}",) if untold else ()
    return Rates(tokens, units, remarks)


def _by_ranges(ranges: Any) -> dict[Key, Decimal]:
    """Prices by length of input as Alibaba's models have them: a range with all prices each."""
    found: dict[Key, Decimal] = {}
    for one in ranges:
        if "range" not in one:
            raise NotTaken("is priced by something else than length of input")
        above = int(one["range"][0])
        for name, value in one.items():
            if name == "range":
                continue
            key = parse(name, inclusive=False)
            if key is None or key.tier != STANDARD or key.above_input_tokens:
                raise NotTaken(f"has a range with a price that is not known here: {name}")
            found[Key(key.token_class, STANDARD, above)] = _number(name, value) * 1_000_000
    return found


def _number(name: str, value: object) -> Decimal:
    """A price as the file writes it, digit by digit."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise NotTaken(f"{name} is no number")
    return Decimal(value)

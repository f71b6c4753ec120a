"""PURE: what a price depends on besides an event's totals and their usual parts.

How a request was served, lifetimes of caches, kinds of content, and units beside tokens: each
from what a source tells, absent where it tells nothing.

No input token may be in two classes that are priced apart (`schemas/event_rules.py`). Some sources
tell how much was cached and how much was audio or images, but not how much was both. Cached tokens
count as text then, as far as there is text; the rest is proved to be of the one kind that is told.
Where two kinds are, or something was written to the cache too, nothing tells which it is: the kinds
are left out, and noted as unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from schemas.price_class import SERVICE_TIERS
from services.ingest.adapters.counts import optional_count
from services.ingest.adapters.totals import Totals, check_parts
from services.ingest.adapters.usage_fields import tiers, unread
from services.ingest.adapters.usage_fields.fields import Quantity
from services.ingest.adapters.usage_fields.reading import Told

#: The event's fields, and what is told of each: several are added up.
PARTS: Final[Mapping[str, tuple[Quantity, ...]]] = {
    "cache_write_5m_input_tokens": (
        *(Quantity.CACHE_WRITE_5M, Quantity.COMPACTION_CACHE_WRITE_5M),
    ),
    "cache_write_1h_input_tokens": (
        *(Quantity.CACHE_WRITE_1H, Quantity.COMPACTION_CACHE_WRITE_1H),
    ),
    "audio_input_tokens": (Quantity.AUDIO_INPUT, Quantity.MORE_AUDIO_INPUT),
    "image_input_tokens": (Quantity.IMAGE_INPUT, Quantity.MORE_IMAGE_INPUT),
    "cache_read_audio_input_tokens": (Quantity.CACHED_AUDIO,),
    "cache_read_image_input_tokens": (Quantity.CACHED_IMAGE,),
    "audio_output_tokens": (Quantity.AUDIO_OUTPUT,),
    "image_output_tokens": (Quantity.IMAGE_OUTPUT,),
}
UNITS: Final[Mapping[str, tuple[Quantity, ...]]] = {
    "web_searches": (Quantity.WEB_SEARCHES,),
    "file_searches": (Quantity.FILE_SEARCHES,),
    "tool_calls": (Quantity.TOOL_CALLS,),
    "images": (Quantity.IMAGES,),
    "audio_milliseconds": (Quantity.AUDIO_MILLISECONDS,),
    "video_milliseconds": (Quantity.VIDEO_MILLISECONDS,),
    "characters": (Quantity.CHARACTERS,),
    "pages": (Quantity.PAGES,),
}
_PART_OF: Final = {quantity: name for name, alike in PARTS.items() for quantity in alike}
_UNIT_OF: Final = {quantity: name for name, alike in UNITS.items() for quantity in alike}
_TIER: Final = "service_tier"
_AS_THEY_ARE: Final = dict(zip(SERVICE_TIERS, SERVICE_TIERS, strict=True))
#: Words that mean something else in a format: Anthropic's fast is a speed, OpenAI's a priority.
_OWN_WORDS: Final[Mapping[str, tiers.Words]] = {"anthropic": {"fast": "fast"}}
#: Each kind of input, with its cached part.
_KINDS: Final = (
    ("audio_input_tokens", "cache_read_audio_input_tokens"),
    ("image_input_tokens", "cache_read_image_input_tokens"),
)


def with_price_facts(totals: Totals, told: Told) -> Totals:
    """Add to totals what is told of their price.

    Raises `EventRejectedError` where parts are more than what they are parts of.
    """
    parts: dict[str, int] = {}
    units = dict(totals.units)
    for quantity, count in told.counts.items():
        if (name := _PART_OF.get(quantity)) is not None:
            parts[name] = parts.get(name, 0) + count
        elif (name := _UNIT_OF.get(quantity)) is not None:
            units[name] = count
    parts = {**totals.parts, **parts}
    if parts:
        _leave_out(parts, told, [cached for kind, cached in _KINDS if kind not in parts])
        check_parts(replace(totals, parts=parts))
        _leave_out(parts, told, _kinds_that_overlap(totals, parts))
    tier = told.service_tier or totals.service_tier
    found = replace(totals, parts=parts, units=units, service_tier=tier)
    return check_parts(found, apart=True)


def fields_beside(
    totals: Totals, beside: Mapping[str, Any], usage_format: str
) -> dict[str, int | str | None]:
    """Say an event's fields of a usage object, and of what is told of the price ``beside`` it.

    The tier may be a word of the provider's. Of a unit what the usage tells counts, where that is
    not 0. Raises `EventRejectedError` for what is no count.
    """
    found = totals.fields()
    for name in UNITS:
        value = optional_count(beside, name)
        if value is not None and not found.get(name):
            found[name] = value
    word = beside.get(_TIER)
    if isinstance(word, str):
        words = {**tiers.TIERS, **_OWN_WORDS.get(usage_format, {})}
        readings: list[tuple[str, str, tiers.Words]] = [(_TIER, word, words)]
        if totals.service_tier is not None:
            readings.append((f"usage.{_TIER}", totals.service_tier, _AS_THEY_ARE))
        told = tiers.told(readings)
        unread.note(usage_format, told.odd)
        found[_TIER] = told.tier
    elif word is not None:
        found[_TIER] = word  # No text, which the event's own check says.
    return found


def _kinds_that_overlap(totals: Totals, parts: dict[str, int]) -> list[str]:
    """Say which kinds must be left out, for more of them is cached than is told.

    Where the sums prove how much it is, that is added to ``parts``.
    """
    written = totals.cache_write_input_tokens or 0
    twice = (totals.cache_read_input_tokens or 0) + written - totals.input_tokens
    twice += sum(parts.get(kind, 0) - parts.get(cached, 0) for kind, cached in _KINDS)
    untold = {kind: cached for kind, cached in _KINDS if parts.get(kind) and cached not in parts}
    if twice <= 0:
        return []
    if len(untold) == 1 and not written:
        ((kind, cached),) = untold.items()
        if twice <= parts[kind]:
            parts[cached] = twice
            return []
    return list(untold)


def _leave_out(parts: dict[str, int], told: Told, names: list[str]) -> None:
    """Leave parts out, and note those that counted something as unread."""
    for name in names:
        if parts.pop(name, 0):
            fields = told.register.by_quantity[PARTS[name][0]]
            unread.note(told.register.name, [fields[0].leaves[0].place])

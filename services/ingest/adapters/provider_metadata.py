"""PURE: what the AI SDK hands on of a provider's answer: `ai.response.providerMetadata`.

A text of JSON with an object for each provider, and in it the usage object as the provider has it,
or single fields of the answer. The SDK's own counts have the totals; this has what they leave out:
lifetimes of caches, kinds of content, searches, the tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.ingest.adapters.price_facts import PARTS, UNITS
from services.ingest.adapters.provider_usage import FORMATS
from services.ingest.adapters.usage_fields import tiers, unread
from services.ingest.adapters.usage_fields.fields import Quantity
from services.ingest.errors import EventRejectedError

#: By the SDK's name of a provider: what its usage object is called, and its format.
_USAGES: Final[Mapping[str, tuple[str, str]]] = {
    "anthropic": ("usage", "anthropic"),
    "google": ("usageMetadata", "gemini"),
    "vertex": ("usageMetadata", "gemini"),
    "bedrock": ("usage", "bedrock_converse"),
}
#: What names the tier beside it: OpenAI's and Azure's, Groq's, Gemini's.
_TIER: Final = "serviceTier"
_READ: Final = frozenset(
    quantity for alike in (*PARTS.values(), *UNITS.values()) for quantity in alike
)


def told_by_provider(text: object) -> tuple[dict[Quantity, int], str | None]:
    """Read counts and tier; nothing of what cannot be read, for the SDK tells the totals."""
    try:
        metadata = msgspec.json.decode(text) if isinstance(text, str) else None
    except (msgspec.MsgspecError, RecursionError):
        return {}, None
    counts: dict[Quantity, int] = {}
    tier: str | None = None
    for provider, answer in metadata.items() if isinstance(metadata, dict) else ():
        if not isinstance(answer, dict):
            continue
        name, usage_format = _USAGES.get(provider, ("", ""))
        usage = answer.get(name)
        word = answer.get(_TIER)
        beside = [(_TIER, word, tiers.TIERS)] if isinstance(word, str) else []
        if isinstance(usage, dict):
            counts |= _counts(usage, usage_format)
            told = FORMATS[usage_format].register.tier(usage, *beside)
        else:
            told = tiers.told(beside)
        unread.note("opentelemetry", told.odd)
        tier = told.tier or tier
    return counts, tier


def _counts(usage: Mapping[str, Any], usage_format: str) -> dict[Quantity, int]:
    chosen = FORMATS[usage_format]
    try:
        told = chosen.gather(usage, chosen.register, "")
    except EventRejectedError:
        return {}
    return {one: count for one, count in told.counts.items() if one in _READ}

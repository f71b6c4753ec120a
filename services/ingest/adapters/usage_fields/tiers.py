"""PURE: what the words mean by which providers tell how a request was served.

Sources, by name: OpenAI's `service_tier` (its API reference: `default` is standard pricing, and an
answer that was asked for as `fast` says `priority`); Groq's (console.groq.com/docs/service-tiers:
`on_demand` is the default, `performance` is provisioned and paid as such); Anthropic's
`usage.service_tier` and `usage.speed` (its SDK's `Usage`); Bedrock's `serviceTier.type`
(docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html); Vertex AI's
`trafficType` and Gemini's `serviceTier` (google-genai's `TrafficType`, `ServiceTier`); OpenRouter's
(openrouter.ai/docs/guides/features/service-tiers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

#: What a word in lower case means; None where it says nothing of the tier.
Words = Mapping[str, str | None]

_STANDARD: Final = "standard"
#: Of fields that name the tier.
TIERS: Final[Words] = {
    **dict.fromkeys(("standard", "default", "on_demand", "standard_only"), _STANDARD),
    **dict.fromkeys(("priority", "fast"), "priority"),
    **dict.fromkeys(("reserved", "performance", "provisioned_throughput"), "reserved"),
    **{"batch": "batch", "flex": "flex", "scale": "scale"},
    **{"on_demand_priority": "priority", "on_demand_flex": "flex"},
    # What the project is set to: an answer that says so does not say what it is.
    **dict.fromkeys(("auto", "unspecified", "traffic_type_unspecified", ""), None),
}
#: Of fields that name the speed, which has a price of its own where it is not the usual one.
SPEEDS: Final[Words] = {"fast": "fast", "standard": None, "": None}


class Told(NamedTuple):
    """What a usage object tells of its tier."""

    #: One of the event's, None where it tells none.
    tier: str | None
    #: Where words stand that nobody knows, or that contradict each other: they are not guessed.
    odd: tuple[str, ...] = ()


NOTHING: Final = Told(None)


def told(readings: Iterable[tuple[str, str, Words]]) -> Told:
    """Take the tier out of all that tells one: each reading is where, the word, and what it may be.

    Two that differ are none, but that standard beside another says nothing: a fast answer of
    Anthropic's is one of its standard tier.
    """
    found: dict[str, str] = {}
    odd: list[str] = []
    for where, word, words in readings:
        known = word.lower()
        if known not in words:
            odd.append(f"{where}.{word}")
        elif (tier := words[known]) is not None:
            found.setdefault(tier, f"{where}.{word}")
    if len(found) > 1:
        found.pop(_STANDARD, None)
    if len(found) > 1:
        return Told(None, (*odd, *found.values()))
    return Told(next(iter(found), None), tuple(odd))

"""PURE. What the words of exports mean: classes of tokens, tiers, sides of a context threshold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.reconcile.bill import ANY_CONTEXT, Context

#: Tiers by the words that bills have for them. OpenAI's `default` is its standard tier (API
#: reference, service_tier); Anthropic's usage report says on demand or at a discount beside the
#: tier (`BetaAnalyticsServiceTier` of its SDK 2.12), which changes the price and not the tier.
TIERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("standard", "default", "on_demand", "on-demand"), "standard"),
    **dict.fromkeys(("batch", "message_batch", "message_batches", "batches"), "batch"),
    **dict.fromkeys(("flex", "flex_discount", "on_demand_flex"), "flex"),
    **dict.fromkeys(("priority", "priority_on_demand", "on_demand_priority"), "priority"),
    **dict.fromkeys(("scale", "scale_tier"), "scale"),
    **dict.fromkeys(("reserved", "provisioned", "provisioned_throughput"), "reserved"),
    "fast": "fast",
}
#: Of a text that describes a charge, what makes it a class; the first that fits counts.
_WRITE: Final = re.compile(
    r"\bcach\w*[\s_.-]*(writes?|writing|creations?|stores?)|write\w*[\s_.-]*cach"
)
_READ: Final = re.compile(r"\bcache(d|[\s_.-]*(read|hit)s?)?\b|\bcached[\s_.-]")
_HOUR: Final = re.compile(r"\b(1[\s_-]?h(our)?|60[\s_-]?m(in\w*)?)\b")
_MINUTES: Final = re.compile(r"\b5[\s_-]?m(in\w*)?\b")
_OUTPUT: Final = re.compile(r"\b(outputs?|completions?|generated|generation)\b")
_INPUT: Final = re.compile(r"\b(inputs?|prompts?)\b")
_REASONING: Final = re.compile(r"\b(reasoning|thinking|thoughts?)\b")
_AUDIO: Final = re.compile(r"\b(audio|speech)\b")
_IMAGE: Final = re.compile(r"\b(images?|vision)\b")
#: What is kept, by how long: no tokens used, though it may be measured in them.
_STORAGE: Final = re.compile(r"\bstorage|token[\s-]?hours?\b")
_TIER: Final = re.compile(r"\b(batch|flex|priority|fast|scale tier|provisioned)\b")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def plain(text: str) -> str:
    """Give a text in lower case, with a space between words of any spelling."""
    return re.sub(r"[\s_./|:,()-]+", " ", _CAMEL.sub(" ", text)).strip().lower()


def tier_of_word(word: str) -> str:
    """Give the tier that a word names; one that the meter does not know stands as it is."""
    plain_word = word.strip().lower()
    return TIERS.get(plain_word, plain_word)


def tier_of_text(text: str) -> str:
    """Give the tier that a description names; '' where it names none."""
    found = _TIER.search(plain(text))
    return (
        ""
        if found is None
        else {"scale tier": "scale", "provisioned": "reserved"}.get(found[1], found[1])
    )


def class_of_text(text: str) -> str | None:
    """Give the token class that a description is of; None where it is of none.

    ``cached input`` and ``Cache Read Input Tokens`` are cache_read, ``input`` alone is what was not
    cached, as bills have a line for each.
    """
    words = plain(text)
    if _STORAGE.search(words):
        return None
    if _WRITE.search(words):
        if _HOUR.search(words):
            return "cache_write_1h"
        return "cache_write_5m" if _MINUTES.search(words) else "cache_write"
    if _READ.search(words):
        kind = "_audio" if _AUDIO.search(words) else "_image" if _IMAGE.search(words) else ""
        return f"cache_read{kind}"
    if _REASONING.search(words):
        return "reasoning"
    side = "output" if _OUTPUT.search(words) else "input" if _INPUT.search(words) else None
    if side is None:
        return None
    if _AUDIO.search(words):
        return f"audio_{side}"
    if _IMAGE.search(words):
        return f"image_{side}"
    return "output" if side == "output" else "uncached_input"


def context_of(text: str) -> Context:
    """Give the side of 200,000 input tokens that Anthropic's context window names.

    Its API says ``0-200k`` and ``200k-1M``, its console ``≤ 200k`` and ``> 200k``; what names none
    is any.
    """
    words = text.replace(" ", "").lower()
    if words in {"0-200k", "≤200k", "<=200k"}:
        return Context(200_000, above=False)
    if words in {"200k-1m", ">200k"}:
        return Context(200_000, above=True)
    return ANY_CONTEXT

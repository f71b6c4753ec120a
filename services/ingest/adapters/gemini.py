"""PURE: `usageMetadata` of Gemini, from its own API and from Vertex AI.

The prompt includes what is cached; tool-use prompts and thoughts stand beside it and beside the
candidates. Zeros are left out, as protobuf's JSON does, so the total is needed: it proves that
what is absent is 0 and not lost. A few models count thoughts as candidates, and the total shows
that too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.ingest.adapters.counts import count, optional_count
from services.ingest.adapters.totals import (
    INCLUSIVE,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)

GEMINI: Final = Inclusion(caches=True, reasoning=False)
#: Thoughts counted as candidates.
GEMINI_INCLUSIVE: Final = INCLUSIVE

_USAGE: Final = "usage."


def latest(usages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Take the usage of a stream: each chunk's is cumulative, and the last one whole."""
    return usages[-1]


def generated(usage: Mapping[str, Any]) -> Totals:
    """Read the `usageMetadata` of a response, or of a stream after `latest`."""
    total = count(usage, "totalTokenCount", _USAGE)
    reading = Reading(
        input_tokens=count(usage, "promptTokenCount", _USAGE)
        + (optional_count(usage, "toolUsePromptTokenCount", _USAGE) or 0),
        output_tokens=optional_count(usage, "candidatesTokenCount", _USAGE) or 0,
        cache_read=optional_count(usage, "cachedContentTokenCount", _USAGE),
        reasoning=optional_count(usage, "thoughtsTokenCount", _USAGE),
    )
    inside = canonical(reading, GEMINI_INCLUSIVE)
    if inside.input_tokens + inside.output_tokens == total:
        return inside
    return check_total(canonical(reading, GEMINI), total, "usage.totalTokenCount")

"""PURE: `usageMetadata` of Gemini's API and of Vertex AI, and of its Live API.

The prompt includes what is cached; tool-use prompts and thoughts stand beside it and beside the
candidates. Zeros are left out, as protobuf's JSON does, so the total is needed: it proves that
what is absent is 0 and not lost. A few models count thoughts as candidates, and the total shows
that too.

The Live API calls candidates `responseTokenCount`, and its total leaves thoughts out, though they
are no part of the response (discuss.ai.google.dev/t/188765: prompt 522, response 42, total 564,
thoughts 136); where a total has them in, that is taken too. Each of its turns is a request.

Details tell tokens by kind of content: those of the prompt include what is cached of each. A
document is read as images of its pages (ai.google.dev/gemini-api/docs/document-processing); video
has no price of its own. `trafficType` tells the tier on Vertex AI, `serviceTier` elsewhere.

Chunks of a stream are cumulative: `streams.latest`. The names of Google's Python SDK, with
underscores, are read too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from services.ingest.adapters.totals import (
    INCLUSIVE,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields.fields import (
    Field,
    Quantity,
    beside,
    inside,
    known,
    tier,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats.settling import UsageFormat

GEMINI: Final = Inclusion(caches=True, reasoning=False)
#: Thoughts counted as candidates.
GEMINI_INCLUSIVE: Final = INCLUSIVE

_CAPITAL: Final = re.compile(r"(?=[A-Z])")
_OTHER_KINDS: Final = "TEXT+VIDEO+MODALITY_UNSPECIFIED"


def _in_both_cases(name: str) -> tuple[str, str]:
    """Write a name as the API does, and as Google's Python SDK."""
    return name, _CAPITAL.sub("_", name).lower()


def _by_kind(
    of: str,
    classed: Callable[..., tuple[Field, ...]],
    audio: Quantity,
    images: Quantity,
) -> Iterator[tuple[Field, ...]]:
    """Class the tokens of one total by kind."""

    def of_kinds(kinds: str) -> Iterator[str]:
        for name in _in_both_cases(f"{of}TokensDetails[modality={{}}].tokenCount"):
            yield name.format(kinds)

    yield classed(audio, *of_kinds("AUDIO"))
    yield classed(images, *of_kinds("IMAGE+DOCUMENT"))
    yield known(*of_kinds(_OTHER_KINDS))


#: Embeddings' as well.
PROMPT_KINDS: Final = (*_by_kind("prompt", inside, Quantity.AUDIO_INPUT, Quantity.IMAGE_INPUT),)
_SHARED: Final[tuple[tuple[Field, ...], ...]] = (
    total(Quantity.INPUT, "promptTokenCount", "prompt_token_count"),
    total(Quantity.SUM, "totalTokenCount", "total_token_count"),
    inside(Quantity.CACHE_READ, "cachedContentTokenCount", "cached_content_token_count"),
    beside(Quantity.REASONING, "thoughtsTokenCount", "thoughts_token_count"),
    beside(Quantity.MORE_INPUT, "toolUsePromptTokenCount", "tool_use_prompt_token_count"),
    *PROMPT_KINDS,
    *_by_kind("cache", inside, Quantity.CACHED_AUDIO, Quantity.CACHED_IMAGE),
    *_by_kind("toolUsePrompt", beside, Quantity.MORE_AUDIO_INPUT, Quantity.MORE_IMAGE_INPUT),
    *_by_kind("candidates", inside, Quantity.AUDIO_OUTPUT, Quantity.IMAGE_OUTPUT),
    *_by_kind("response", inside, Quantity.AUDIO_OUTPUT, Quantity.IMAGE_OUTPUT),
    known(*(f"{name}[].*" for name in _in_both_cases("thoughtsTokensDetails"))),
    known("billablePromptTokenCount"),
    tier("trafficType", "traffic_type", "serviceTier", "service_tier"),
)


def _settle_generated(told: Told) -> Totals:
    reading = _reading(told)
    whole = told.get(Quantity.SUM)
    if whole is None:
        return canonical(reading, GEMINI)
    if (reading.reasoning or 0) <= reading.output_tokens:
        inside_candidates = canonical(reading, GEMINI_INCLUSIVE)
        if inside_candidates.input_tokens + inside_candidates.output_tokens == whole:
            return inside_candidates
    return check_total(canonical(reading, GEMINI), whole, told.name(Quantity.SUM))


def _settle_live(told: Told) -> Totals:
    totals = canonical(_reading(told), GEMINI)
    whole = told.get(Quantity.SUM)
    without_thoughts = (
        totals.input_tokens + totals.output_tokens - (totals.reasoning_output_tokens or 0)
    )
    if whole == without_thoughts:
        return totals
    return check_total(totals, whole, told.name(Quantity.SUM))


def _reading(told: Told) -> Reading:
    both = told.get(Quantity.INPUT) is not None and told.get(Quantity.OUTPUT) is not None
    if not (told.merged and both):  # Of a stream the last total may be that of an earlier chunk.
        told.need(Quantity.SUM)
    return Reading(
        input_tokens=told.amount(Quantity.INPUT) + told.amount(Quantity.MORE_INPUT),
        output_tokens=told.amount(Quantity.OUTPUT),
        cache_read=told.get(Quantity.CACHE_READ),
        reasoning=told.get(Quantity.REASONING),
    )


GENERATED: Final = UsageFormat(
    "Gemini",
    Register(
        "gemini",
        *_SHARED,
        total(Quantity.OUTPUT, "candidatesTokenCount", "candidates_token_count"),
    ),
    _settle_generated,
)
LIVE: Final = UsageFormat(
    "Gemini's Live API",
    Register(
        "gemini_live",
        *_SHARED,
        total(Quantity.OUTPUT, "responseTokenCount", "response_token_count"),
    ),
    _settle_live,
)

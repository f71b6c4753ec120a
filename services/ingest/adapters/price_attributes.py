"""PURE: the names under which OpenTelemetry's attributes tell what a price depends on.

Kinds of content are the conventions' own (semantic-conventions-genai PR 440: each is included in
its total, a cached one in both), and before them libraries': OpenInference's (`llm.token_count.*`),
pydantic-ai's (`gen_ai.usage.details.*`), LiveKit's (`gen_ai.usage.input_audio_tokens`) and others'.
Lifetimes of caches have no name in the conventions. The tier is OpenAI's (`openai.response.*`, and
before `gen_ai.openai.*`), as LiteLLM and Traceloop write it for all providers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters.usage_fields.fields import (
    Field,
    Quantity,
    inside,
    known,
    tier,
    unit,
)

Names = tuple[str, ...]

_USAGE: Final = "gen_ai.usage."
_DETAILS: Final = f"{_USAGE}details."
#: How the request was served.
SERVED_TIER: Final[Names] = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.anthropic.service_tier",
)
#: How it was asked for; read where nothing tells how it was served.
ASKED_TIER: Final[Names] = (
    "openai.request.service_tier",
    "gen_ai.openai.request.service_tier",
    "gen_ai.request.service_tier",
)
#: The AI SDK's: what the provider said, as a text of JSON.
PROVIDER_METADATA: Final = "ai.response.providerMetadata"


def _lifetime(of: str) -> Names:
    return (
        f"{_USAGE}cache_creation.ephemeral_{of}.input_tokens",
        f"{_USAGE}cache_creation.ephemeral_{of}_input_tokens",
        f"{_USAGE}cache_write_{of}_input_tokens",
        f"{_USAGE}cache_write_{of}_tokens",
    )


def _kind(kind: str, side: str) -> Names:
    return (
        f"{_USAGE}{kind}.{side}_tokens",
        f"{_USAGE}{side}_tokens.{kind}",
        f"{_USAGE}{side}_{kind}_tokens",
        f"{_USAGE}{kind}_{side}_tokens",
        f"{_DETAILS}{side}_{kind}_tokens",
    )


#: Parts of totals; of several names that are there the first counts.
PARTS: Final[Mapping[Quantity, Names]] = {
    Quantity.CACHE_WRITE_5M: _lifetime("5m"),
    Quantity.CACHE_WRITE_1H: _lifetime("1h"),
    Quantity.AUDIO_INPUT: (
        *_kind("audio", "input"),
        "llm.token_count.prompt_details.audio",
        f"{_DETAILS}audio_prompt_tokens",
    ),
    Quantity.IMAGE_INPUT: (*_kind("image", "input"), f"{_DETAILS}image_prompt_tokens"),
    Quantity.CACHED_AUDIO: (
        f"{_USAGE}audio.cache_read.input_tokens",
        f"{_DETAILS}cache_audio_read_tokens",
        f"{_DETAILS}audio_cache_tokens",
    ),
    Quantity.CACHED_IMAGE: (
        f"{_USAGE}image.cache_read.input_tokens",
        f"{_DETAILS}cache_image_read_tokens",
        f"{_DETAILS}image_cache_tokens",
    ),
    Quantity.AUDIO_OUTPUT: (
        *_kind("audio", "output"),
        "llm.token_count.completion_details.audio",
        f"{_DETAILS}audio_candidates_tokens",
        f"{_DETAILS}audio_response_tokens",
    ),
    Quantity.IMAGE_OUTPUT: (*_kind("image", "output"), f"{_DETAILS}image_candidates_tokens"),
}
UNITS: Final[Mapping[Quantity, Names]] = {
    Quantity.WEB_SEARCHES: (
        f"{_USAGE}web_search_requests",
        f"{_DETAILS}web_search_requests",
        "llm.token_count.prompt_details.web_search_requests",
    ),
}
#: What is read; the provider's own words among it may be long.
NAMES: Final = frozenset(
    {
        *(*SERVED_TIER, *ASKED_TIER, PROVIDER_METADATA),
        *(name for alike in (*PARTS.values(), *UNITS.values()) for name in alike),
    }
)
#: Text and video, which have no prices of their own.
_OTHER_KINDS: Final = known(
    *(
        name
        for kind in ("text", "video")
        for side in ("input", "output")
        for name in _kind(kind, side)
    ),
    *(f"{_USAGE}{kind}.cache_read.input_tokens" for kind in ("text", "video")),
    *(
        f"{_DETAILS}{kind}_{of}_tokens"
        for kind in ("text", "video", "document")
        for of in ("prompt", "cache", "candidates", "response")
    ),
)
FIELDS: Final[tuple[tuple[Field, ...], ...]] = (
    *(inside(quantity, *alike) for quantity, alike in PARTS.items()),
    *(unit(quantity, *alike) for quantity, alike in UNITS.items()),
    tier(*SERVED_TIER, *ASKED_TIER),
    _OTHER_KINDS,
)

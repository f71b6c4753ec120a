"""PURE: the names that OpenAI's APIs use, and all those that servers which speak like them add.

Sources, by name: Moonshot's `cached_tokens` at the top level (badlogic/pi-mono issue 8075); Qwen's
`cache_creation_input_tokens` inside the details (dashscope-sdk-java issue 214); Envoy's
`cached_write_tokens` (envoyproxy/ai-gateway PR 1719); OpenAI Realtime's `input_token_details`,
singular (openai-python PR 2407); DeepSeek's `prompt_cache_hit_tokens` and `_miss_`
(api-docs.deepseek.com/guides/kv_cache); LiteLLM's `cache_creation_tokens`, and its Anthropic names
at the top level (docs.litellm.ai/docs/completion/prompt_caching); OpenRouter's `cost` and
`cache_write_tokens` (openrouter.ai/docs/use-cases/usage-accounting); SGLang's `reasoning_tokens` at
the top level, inside `completion_tokens`; new-api's names that are 0 where they are not used.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.usage_fields.register import (
    Field,
    FieldClass,
    Quantity,
    breakdown,
    inside,
    known,
    other_unit,
    total,
)

#: Where the parts of the input stand, besides the top level.
INPUT_DETAILS: Final = (
    "prompt_tokens_details",
    "input_tokens_details",
    "input_token_details",
    "prompt_token_details",
)
OUTPUT_DETAILS: Final = (
    "completion_tokens_details",
    "output_tokens_details",
    "output_token_details",
    "completion_token_details",
)
_READ: Final = (
    "cached_tokens",
    "cached_read_tokens",
    "cache_read_tokens",
    "cache_read_input_tokens",
)
_WRITTEN: Final = (
    "cache_write_tokens",
    "cached_write_tokens",
    "cache_creation_tokens",
    "cache_creation_input_tokens",
    "cache_write_input_tokens",
)
#: Tokens of one kind of content: each is in its total, and nobody meters kinds.
_KINDS: Final = ("audio", "text", "image", "video", "file", "document", "pdf")


def _within(holders: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{holder}.{name}" for holder in holders for name in names)


CACHE_READ: Final = inside(
    Quantity.CACHE_READ,
    *("cache_read_input_tokens", "cached_tokens", "prompt_cache_hit_tokens"),
    *("cache_read_tokens", "num_cached_tokens"),
    *_within(INPUT_DETAILS, _READ),
)
CACHE_WRITE: Final = (
    *inside(
        Quantity.CACHE_WRITE,
        *("cache_creation_input_tokens", "cache_write_tokens", "cache_write_input_tokens"),
        *_within(INPUT_DETAILS, _WRITTEN),
    ),
    *breakdown(
        FieldClass.INSIDE,
        Quantity.CACHE_WRITE,
        "cache_creation",
        *_within(INPUT_DETAILS, ("cache_creation", "cache_creation_token_details")),
    ),
)
CACHE_MISS: Final = inside(Quantity.CACHE_MISS, "prompt_cache_miss_tokens")
REASONING_DETAILS: Final = _within(OUTPUT_DETAILS, ("reasoning_tokens", "thinking_tokens"))
SUM: Final = total(Quantity.SUM, "total_tokens")

#: What the totals hold and no one meters: kinds of content, predictions.
CONTENT: Final[tuple[Field, ...]] = known(
    *_within(INPUT_DETAILS, tuple(f"{kind}_tokens" for kind in _KINDS)),
    *_within(OUTPUT_DETAILS, tuple(f"{kind}_tokens" for kind in _KINDS)),
    *_within(INPUT_DETAILS, ("cached_tokens_details.*", "uncached_tokens", "tool_tokens")),
    *_within(OUTPUT_DETAILS, ("accepted_prediction_tokens", "rejected_prediction_tokens")),
    *("audio_tokens", "image_tokens", "video_tokens", "text_tokens"),
    *("accepted_prediction_tokens", "rejected_prediction_tokens"),
)
#: Money, time, searches and calls of tools.
OTHER_UNITS: Final[tuple[Field, ...]] = other_unit(
    *("cost", "cost.*", "cost_details.*", "cost_in_usd_ticks", "cost_in_nano_usd"),
    *("estimated_cost", "total_cost", "credits", "cache_discount"),
    *("queue_time", "prompt_time", "completion_time", "total_time", "seconds", "duration"),
    *("prompt_audio_seconds", "total_characters", "character_count", "request_count"),
    *("num_sources_used", "num_search_queries", "search_units", "search_queries"),
    *("num_server_side_tools_used", "server_side_tool_usage_details.*", "server_tool_use.*"),
    *("server_tool_use_details.*", "tool_usage.*", "plugins.*", "x_tools.*", "tool_calls"),
    *_within(INPUT_DETAILS, ("web_search_requests", "character_count", "image_count")),
    *_within(OUTPUT_DETAILS, ("web_search_requests", "image_count")),
    *("image_count", "video_duration", "video_count", "video_length_seconds"),
)

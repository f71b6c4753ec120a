"""PURE: the names that OpenAI's APIs use, and all those that servers which speak like them add.

Sources, by name: Moonshot's `cached_tokens` at the top level (badlogic/pi-mono issue 8075); Qwen's
`cache_creation_input_tokens` inside the details (dashscope-sdk-java issue 214); Envoy's
`cached_write_tokens` (envoyproxy/ai-gateway PR 1719); OpenAI Realtime's `input_token_details`,
singular (openai-python PR 2407); DeepSeek's `prompt_cache_hit_tokens` and `_miss_`
(api-docs.deepseek.com/guides/kv_cache); LiteLLM's `cache_creation_tokens`, and its Anthropic names
at the top level (docs.litellm.ai/docs/completion/prompt_caching); OpenRouter's `cost` and
`cache_write_tokens` (openrouter.ai/docs/use-cases/usage-accounting); SGLang's `reasoning_tokens` at
the top level, inside `completion_tokens`; new-api's names that are 0 where they are not used, its
`claude_cache_creation_5_m_tokens` among them (QuantumNous/new-api, `dto.Usage`).

Units: xAI's `server_side_tool_usage_details`, the calls that it bills (docs.x.ai, "Tool usage
details"), and `num_sources_used` of the live search before; OpenRouter's `server_tool_use_details`
(its SDKs' reference: do not add up); DashScope's `plugins` and `x_tools` (help.aliyun.com, "PDF
parsing"; a page of `pdf_page_parser` is billed); LiteLLM's `web_search_requests` in the details and
its units of multimodal embeddings (its `PromptTokensDetailsWrapper`); a transcription's `seconds`
(openai-python, `UsageTranscriptTextUsageDuration`).
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.usage_fields.fields import (
    Field,
    FieldClass,
    Quantity,
    breakdown,
    inside,
    instead,
    known,
    other_unit,
    tier,
    total,
    unit,
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
    "cached_creation_tokens",
)
#: Tokens of one kind of content: each is in its total, and has no price of its own.
_OTHER_KINDS: Final = ("text", "video", "file", "document", "pdf")


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

SERVICE_TIER: Final = tier("service_tier")

_LIFETIMES: Final = (
    (Quantity.CACHE_WRITE_5M, "ephemeral_5m_input_tokens", "claude_cache_creation_5_m_tokens"),
    (Quantity.CACHE_WRITE_1H, "ephemeral_1h_input_tokens", "claude_cache_creation_1_h_tokens"),
)
#: How long what was written to a cache stays there.
CACHE_LIFETIMES: Final[tuple[Field, ...]] = tuple(
    field
    for quantity, name, at_the_top in _LIFETIMES
    for field in inside(
        quantity,
        *(f"cache_creation.{name}", at_the_top),
        *_within(INPUT_DETAILS, (f"cache_creation.{name}", f"cache_creation_token_details.{name}")),
    )
)
#: Audio and images.
KINDS: Final[tuple[Field, ...]] = (
    *inside(Quantity.AUDIO_INPUT, *_within(INPUT_DETAILS, ("audio_tokens",))),
    *inside(Quantity.IMAGE_INPUT, *_within(INPUT_DETAILS, ("image_tokens",))),
    *inside(
        Quantity.CACHED_AUDIO, *_within(INPUT_DETAILS, ("cached_tokens_details.audio_tokens",))
    ),
    *inside(
        Quantity.CACHED_IMAGE, *_within(INPUT_DETAILS, ("cached_tokens_details.image_tokens",))
    ),
    *inside(Quantity.AUDIO_OUTPUT, *_within(OUTPUT_DETAILS, ("audio_tokens",))),
    *inside(Quantity.IMAGE_OUTPUT, *_within(OUTPUT_DETAILS, ("image_tokens",))),
)
#: What the totals hold and no one meters: other kinds of content, predictions.
CONTENT: Final[tuple[Field, ...]] = known(
    *_within(INPUT_DETAILS, tuple(f"{kind}_tokens" for kind in _OTHER_KINDS)),
    *_within(OUTPUT_DETAILS, tuple(f"{kind}_tokens" for kind in _OTHER_KINDS)),
    *_within(INPUT_DETAILS, ("cached_tokens_details.*", "uncached_tokens", "tool_tokens")),
    *_within(INPUT_DETAILS, ("tool_use_tokens",)),
    *_within(OUTPUT_DETAILS, ("accepted_prediction_tokens", "rejected_prediction_tokens")),
    # At the top level nothing tells whether they are of the input or of the output.
    *("audio_tokens", "image_tokens", "video_tokens", "text_tokens"),
    *("accepted_prediction_tokens", "rejected_prediction_tokens"),
)
_SERVER_SIDE: Final = "server_side_tool_usage_details"
#: What is billed beside tokens.
UNITS: Final[tuple[Field, ...]] = (
    *unit(
        Quantity.WEB_SEARCHES,
        f"{_SERVER_SIDE}.web_search_calls+x_search_calls",
        *("server_tool_use.web_search_requests", "server_tool_use_details.web_search_requests"),
        *("tool_usage.web_search.num_requests", "x_tools.web_search.count"),
        *("plugins.search.count", "num_search_queries", "search_queries"),
        *_within(INPUT_DETAILS, ("web_search_requests",)),
        *_within(OUTPUT_DETAILS, ("web_search_requests",)),
        "num_sources_used",
    ),
    *unit(Quantity.FILE_SEARCHES, f"{_SERVER_SIDE}.file_search_calls+document_search_calls"),
    *unit(
        Quantity.TOOL_CALLS,
        *(f"{_SERVER_SIDE}.code_interpreter_calls", "x_tools.code_interpreter+web_extractor.count"),
    ),
    *unit(Quantity.PAGES, "plugins.pdf_page_parser.count", "x_tools.pdf_page_parser.count"),
)
#: What some calls are billed by instead of tokens: transcriptions by the length of what they hear,
#: embeddings by what is embedded.
UNITS_INSTEAD: Final[tuple[Field, ...]] = (
    *instead(
        Quantity.AUDIO_MILLISECONDS,
        *("seconds", *_within(INPUT_DETAILS, ("audio_length_seconds",))),
        in_seconds=True,
    ),
    *instead(
        Quantity.VIDEO_MILLISECONDS,
        *_within(INPUT_DETAILS, ("video_length_seconds",)),
        *("video_duration", "output_video_duration", "video_length_seconds"),
        in_seconds=True,
    ),
    *instead(
        Quantity.IMAGES,
        *("image_count", *_within(OUTPUT_DETAILS, ("image_count",))),
        *_within(INPUT_DETAILS, ("image_count",)),
    ),
    *instead(
        Quantity.CHARACTERS,
        *("characters", "total_characters", "character_count"),
        *_within(INPUT_DETAILS, ("character_count",)),
    ),
)
#: Money, time, and calls of tools that cost nothing but their tokens, or that others count too.
OTHER_UNITS: Final[tuple[Field, ...]] = other_unit(
    *("cost", "cost.*", "cost_details.*", "cost_in_usd_ticks", "cost_in_nano_usd"),
    *("estimated_cost", "total_cost", "credits", "cache_discount"),
    *("queue_time", "prompt_time", "completion_time", "total_time", "duration"),
    *("prompt_audio_seconds", "request_count", "search_units"),
    *("num_server_side_tools_used", f"{_SERVER_SIDE}.*", "server_tool_use.*"),
    *("server_tool_use_details.*", "tool_usage.*", "plugins.*", "x_tools.*", "tool_calls"),
    *_within(INPUT_DETAILS, ("google_maps_grounding_requests", "query_count")),
    *("video_count", "input_video_duration"),
)
#: What a price depends on besides totals and their usual parts.
PRICE_FACTS: Final = (SERVICE_TIER, CACHE_LIFETIMES, KINDS, UNITS)

"""PURE: usage objects of OpenAI's two APIs, and of those that speak like its first one.

Cached input and reasoning are parts of their totals. xAI alone counts reasoning beside
`completion_tokens`, so it has a format of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.ingest.adapters.counts import agreed, count, optional_count, part
from services.ingest.adapters.totals import (
    INCLUSIVE,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.errors import EventRejectedError

OPENAI_CHAT: Final = INCLUSIVE
OPENAI_RESPONSES: Final = INCLUSIVE
XAI_CHAT: Final = Inclusion(caches=True, reasoning=False)

_USAGE: Final = "usage."
#: Fields of Anthropic's object, which counts caches beside its total: the other way round.
_ANTHROPIC_FIELDS: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")


def latest(usages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Take the usage of a stream: the last chunk has it whole."""
    return usages[-1]


def chat(usage: Mapping[str, Any]) -> Totals:
    """Read the `usage` of a chat completion."""
    return _chat(usage, OPENAI_CHAT)


def xai_chat(usage: Mapping[str, Any]) -> Totals:
    """Read the `usage` of an xAI chat completion."""
    return _chat(usage, XAI_CHAT)


def _chat(usage: Mapping[str, Any], inclusion: Inclusion) -> Totals:
    prompt = part(usage, "prompt_tokens_details", _USAGE)
    completion = part(usage, "completion_tokens_details", _USAGE)
    where = "usage.prompt_tokens_details."
    cache_read = agreed(
        "cached tokens",
        (f"{where}cached_tokens", optional_count(prompt, "cached_tokens", where)),
        # DeepSeek's name for the same.
        (
            "usage.prompt_cache_hit_tokens",
            optional_count(usage, "prompt_cache_hit_tokens", _USAGE),
        ),
    )
    reading = Reading(
        input_tokens=count(usage, "prompt_tokens", _USAGE),
        output_tokens=count(usage, "completion_tokens", _USAGE),
        cache_read=cache_read,
        cache_write=optional_count(prompt, "cache_write_tokens", where),
        reasoning=optional_count(
            completion, "reasoning_tokens", "usage.completion_tokens_details."
        ),
    )
    total = optional_count(usage, "total_tokens", _USAGE)
    return check_total(canonical(reading, inclusion), total, "usage.total_tokens")


def responses(usage: Mapping[str, Any]) -> Totals:
    """Read the `usage` of a response of the Responses API."""
    for name in _ANTHROPIC_FIELDS:
        if name in usage:
            raise EventRejectedError(
                "unknown_field",
                f"usage.{name} is a field of Anthropic's usage: set usage_format to anthropic",
            )
    inputs = part(usage, "input_tokens_details", _USAGE)
    outputs = part(usage, "output_tokens_details", _USAGE)
    where = "usage.input_tokens_details."
    reading = Reading(
        input_tokens=count(usage, "input_tokens", _USAGE),
        output_tokens=count(usage, "output_tokens", _USAGE),
        cache_read=optional_count(inputs, "cached_tokens", where),
        cache_write=optional_count(inputs, "cache_write_tokens", where),
        reasoning=optional_count(outputs, "reasoning_tokens", "usage.output_tokens_details."),
    )
    total = optional_count(usage, "total_tokens", _USAGE)
    return check_total(canonical(reading, OPENAI_RESPONSES), total, "usage.total_tokens")

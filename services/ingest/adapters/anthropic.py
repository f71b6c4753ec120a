"""PURE: usage objects of Anthropic's Messages API, of whole messages and of streams.

`input_tokens` leaves out both caches: the total is the sum of the three. A stream tells usage in
`message_start` and again, cumulative, in each `message_delta`: the latest of each number counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.ingest.adapters.counts import agreed, count, optional_count, part
from services.ingest.adapters.totals import Inclusion, Reading, Totals, canonical
from services.ingest.errors import EventRejectedError

ANTHROPIC: Final = Inclusion(caches=False, reasoning=True)

_USAGE: Final = "usage."
_BY_LIFETIME: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
#: Fields of OpenAI's object, whose input total includes what is cached.
_OPENAI_FIELDS: Final = ("input_tokens_details", "prompt_tokens", "total_tokens")


def latest(usages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Take the usage of a stream: of each number the latest that is given, never a sum."""
    merged: dict[str, Any] = {}
    for usage in usages:
        said = {name: value for name, value in usage.items() if value is not None}
        if said.get("cache_creation_input_tokens") is not None:
            # The breakdown belongs to the number beside it, not to an earlier one.
            merged.pop("cache_creation", None)
        merged |= said
    return merged


def message(usage: Mapping[str, Any]) -> Totals:
    """Read the `usage` of a message, or of a stream after `latest`."""
    for name in _OPENAI_FIELDS:
        if name in usage:
            raise EventRejectedError(
                "unknown_field",
                f"usage.{name} is a field of OpenAI's usage: set usage_format to openai_chat or"
                " openai_responses",
            )
    outputs = part(usage, "output_tokens_details", _USAGE)
    where = "usage.output_tokens_details."
    reading = Reading(
        input_tokens=count(usage, "input_tokens", _USAGE),
        output_tokens=count(usage, "output_tokens", _USAGE),
        cache_read=optional_count(usage, "cache_read_input_tokens", _USAGE),
        cache_write=_cache_write(usage),
        reasoning=optional_count(outputs, "thinking_tokens", where),
    )
    return canonical(reading, ANTHROPIC)


def _cache_write(usage: Mapping[str, Any]) -> int | None:
    where = "usage.cache_creation."
    breakdown = part(usage, "cache_creation", _USAGE)
    parts = [optional_count(breakdown, name, where) for name in _BY_LIFETIME]
    told = [value for value in parts if value is not None]
    return agreed(
        "tokens written to the cache",
        (
            "usage.cache_creation_input_tokens",
            optional_count(usage, "cache_creation_input_tokens", _USAGE),
        ),
        ("the sum of usage.cache_creation", sum(told) if told else None),
    )

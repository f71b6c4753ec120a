"""PURE: usage objects of OpenAI's three APIs, and of those that speak like them.

Cached input and reasoning are parts of their totals. xAI alone counts reasoning beside
`completion_tokens`, and says so by its sum (docs.x.ai), so it has a format of its own. Streams
carry usage once, at the end, or in every chunk so far (vLLM): `streams.latest`. Each
`response.done` of the Realtime API is a response of its own, so an event of its own.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import Inclusion, Totals
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    beside,
    inside,
    known,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    check_tokens,
    foreign,
    settle,
    settle_inclusive,
)
from services.ingest.errors import EventRejectedError

XAI: Final = Inclusion(caches=True, reasoning=False)

_PROMPT: Final = (
    total(Quantity.INPUT, "prompt_tokens"),
    total(Quantity.OUTPUT, "completion_tokens"),
    names.SUM,
    names.CACHE_READ,
    names.CACHE_WRITE,
    names.CACHE_MISS,
    *names.PRICE_FACTS,
    names.UNITS_INSTEAD,
    names.CONTENT,
    names.OTHER_UNITS,
    # The other API's names, which some gateways give too: the same once more, or 0.
    known("input_tokens", "output_tokens"),
)
_REASONING: Final = ("reasoning_tokens", "thinking_tokens")
#: Anthropic's, which counts caches beside its total: the other way round.
_ANTHROPIC_FIELDS: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")
#: Perplexity's, whose reasoning is beside.
_PERPLEXITY_FIELDS: Final = ("citation_tokens", "num_search_queries", "search_context_size")


def _gather_chat(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    if told.get(Quantity.REASONING) and usage.get("reasoning_tokens"):
        for name in _PERPLEXITY_FIELDS:
            if usage.get(name) is not None:
                raise foreign(told, name, "Perplexity", "perplexity")
    return told


def settle_chat(told: Told) -> Totals:
    """Settle a chat completion; DeepSeek's hits and misses must make up the prompt."""
    check_misses(told)
    return settle_inclusive(told)


def check_misses(told: Told) -> None:
    """Refuse hits and misses of a cache that are not the prompt; two zeros say nothing."""
    hits, misses = told.get(Quantity.CACHE_READ), told.get(Quantity.CACHE_MISS)
    prompt = told.get(Quantity.INPUT)
    if prompt is None or hits is None or misses is None or not hits + misses:
        return
    if hits + misses != prompt:
        raise EventRejectedError(
            "total_mismatch",
            f"{told.where}prompt_cache_miss_tokens is {misses}, with {hits} cached tokens, but"
            f" {told.name(Quantity.INPUT)} is {prompt}: correct one of them",
        )


def _settle_xai(told: Told) -> Totals:
    return settle(told, XAI)


def _gather_responses(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    for name in _ANTHROPIC_FIELDS:
        if usage.get(name):
            raise foreign(told, name, "Anthropic", "anthropic")
    check_tokens(told, usage)
    return told


def _responses(name: str) -> Register:
    return Register(
        name,
        total(Quantity.INPUT, "input_tokens"),
        total(Quantity.OUTPUT, "output_tokens"),
        names.SUM,
        names.CACHE_READ,
        names.CACHE_WRITE,
        inside(Quantity.REASONING, *_REASONING, *names.REASONING_DETAILS),
        *names.PRICE_FACTS,
        names.UNITS_INSTEAD,
        names.CONTENT,
        names.OTHER_UNITS,
        known("prompt_tokens", "completion_tokens"),
    )


CHAT: Final = UsageFormat(
    "OpenAI",
    Register(
        "openai_chat",
        *_PROMPT,
        inside(Quantity.REASONING, *_REASONING, *names.REASONING_DETAILS),
        known("citation_tokens"),
    ),
    settle_chat,
    gather=_gather_chat,
)
XAI_CHAT: Final = UsageFormat(
    "xAI",
    Register(
        "xai_chat",
        *_PROMPT,
        beside(Quantity.REASONING, *_REASONING, *names.REASONING_DETAILS),
    ),
    _settle_xai,
)
RESPONSES: Final = UsageFormat(
    "OpenAI", _responses("openai_responses"), settle_inclusive, gather=_gather_responses
)
REALTIME: Final = UsageFormat(
    "OpenAI", _responses("openai_realtime"), settle_inclusive, gather=_gather_responses
)
#: DashScope's own API has the names of the one and the details of the other
#: (agentscope-java issue 1101; help.aliyun.com/zh/model-studio/qwen-api-via-dashscope).
DASHSCOPE: Final = UsageFormat(
    "DashScope", _responses("dashscope"), settle_inclusive, gather=_gather_responses
)

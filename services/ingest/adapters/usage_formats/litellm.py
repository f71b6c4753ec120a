"""PURE: LiteLLM's usage object, which has every provider's in the shape of OpenAI's.

`prompt_tokens` includes the caches, Anthropic's too: adding them again is its best-known bug.
Reasoning is inside `completion_tokens`, but where the sum says that it is beside (xAI), or where
there is more of it than completion (Perplexity). Audio that Gemini read from a cache is left out of
its `audio_tokens`: it counts as cached, of no kind that is told.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import INCLUSIVE, Inclusion, Totals, canonical
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    inside,
    known,
    tier,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_fields.tiers import SPEEDS
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.openai import check_misses
from services.ingest.adapters.usage_formats.settling import UsageFormat, check_sum, reading

REASONING_BESIDE: Final = Inclusion(caches=True, reasoning=False)


def _settle(told: Told) -> Totals:
    check_misses(told)
    numbers = reading(told)
    whole, reasoning = told.get(Quantity.SUM), numbers.reasoning or 0
    base = numbers.input_tokens + numbers.output_tokens
    if reasoning > numbers.output_tokens:
        return check_sum(canonical(numbers, REASONING_BESIDE), told, base)
    if whole and reasoning and whole == base + reasoning:
        return canonical(numbers, REASONING_BESIDE)
    return check_sum(canonical(numbers, INCLUSIVE), told)


USAGE: Final = UsageFormat(
    "LiteLLM",
    Register(
        "litellm",
        total(Quantity.INPUT, "prompt_tokens"),
        total(Quantity.OUTPUT, "completion_tokens"),
        names.SUM,
        names.CACHE_READ,
        names.CACHE_WRITE,
        names.CACHE_MISS,
        inside(Quantity.REASONING, *names.REASONING_DETAILS, "reasoning_tokens"),
        *names.PRICE_FACTS,
        tier("speed", words=SPEEDS),
        names.UNITS_INSTEAD,
        names.CONTENT,
        names.OTHER_UNITS,
        known("input_tokens", "output_tokens", "citation_tokens", "iterations[].*"),
    ),
    _settle,
)

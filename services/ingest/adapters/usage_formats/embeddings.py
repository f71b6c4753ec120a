"""PURE: usage of embeddings and rerankers, whoever made them: input, and an output of 0.

OpenAI and Mistral say `prompt_tokens` and `total_tokens`, Voyage, Jina and DashScope the total
alone, Cohere `billed_units`, Bedrock's Titan `inputTextTokenCount`, Gemini `promptTokenCount`,
Vertex AI `token_count`, Ollama `prompt_eval_count`, the AI SDK `tokens`. They are one number: given
twice it must be the same. Rerankers that bill searches tell no tokens.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import Totals
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import (
    FieldClass,
    Quantity,
    Register,
    inside,
    known,
    other_unit,
    total,
)
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.settling import UsageFormat, UsageObject
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    if Quantity.INPUT not in told.counts and register.has_unit(usage, FieldClass.OTHER_UNIT):
        raise EventRejectedError(
            "no_token_counts",
            f"{where}{register.has_unit(usage, FieldClass.OTHER_UNIT)} counts no tokens, and there"
            " are none beside it: leave the event out",
        )
    return told


def _settle(told: Told) -> Totals:
    if told.get(Quantity.OUTPUT):
        raise EventRejectedError(
            "unknown_field",
            f"{told.where}has {told.get(Quantity.OUTPUT)} output tokens, and embeddings have none:"
            " set usage_format to that of the answer",
        )
    tokens = told.get(Quantity.INPUT)
    if tokens is None:
        raise EventRejectedError(
            "missing_field",
            f"{told.where}prompt_tokens is missing, and so is every other name of the input:"
            f" give {EXPECTED['input_tokens']}",
        )
    return Totals(tokens, 0, told.get(Quantity.CACHE_READ), None, None)


INPUT_ONLY: Final = UsageFormat(
    "embeddings",
    Register(
        "embeddings",
        total(
            Quantity.INPUT,
            *("prompt_tokens", "input_tokens", "total_tokens", "tokens", "embedding_tokens"),
            *("inputTextTokenCount", "promptTokenCount", "totalTokenCount", "token_count"),
            *("statistics.token_count", "prompt_eval_count", "inputTokens", "totalTokens"),
            "billed_units.input_tokens",
        ),
        total(
            Quantity.OUTPUT,
            *("completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"),
            *("eval_count", "billed_units.output_tokens"),
        ),
        inside(
            Quantity.CACHE_READ,
            *("cached_tokens", "prompt_tokens_details.cached_tokens"),
            "prompt_eval_cached_count",
        ),
        known(
            *(one.path for one in names.CONTENT if "_token_details" not in one.path),
            *("promptTokensDetails[].*", "text_tokens_details.*", "billed_units.image_tokens"),
        ),
        other_unit(
            *(one.path for one in names.OTHER_UNITS),
            *("total_duration", "load_duration", "prompt_eval_duration"),
            *("billed_units.search_units", "billed_units.images", "image_pixels", "text_pixels"),
            *("billableCharacterCount", "billable_character_count"),
        ),
    ),
    _settle,
    gather=_gather,
)

"""PURE: usage of embeddings and rerankers, whoever made them: input, and an output of 0.

OpenAI and Mistral say `prompt_tokens` and `total_tokens`, Voyage, Jina and DashScope the total
alone, Cohere `billed_units`, Bedrock's Titan `inputTextTokenCount`, Gemini `promptTokenCount`,
Vertex AI `token_count`, Ollama `prompt_eval_count`, the AI SDK `tokens`. They are one number: given
twice it must be the same. Some bill searches, images or seconds instead, and tell no tokens.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import Totals
from services.ingest.adapters.usage_fields.fields import (
    Field,
    Quantity,
    inside,
    known,
    other_unit,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats import cohere, gemini
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    check_tokens,
)
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED


def _not_of_sessions(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Leave out the details of live sessions, so that their objects are not taken for these."""
    return tuple(field for field in fields if "_token_details" not in field.path)


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    told = cohere.with_units_alone(gather(usage, register, where))
    check_tokens(told, usage)
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
            *(one.path for one in _not_of_sessions(names.CONTENT)),
            *("text_tokens_details.*", "billed_units.image_tokens"),
        ),
        *gemini.PROMPT_KINDS,
        names.SERVICE_TIER,
        *map(_not_of_sessions, (names.KINDS, names.UNITS, names.UNITS_INSTEAD)),
        *cohere.UNITS,
        other_unit(
            *(one.path for one in names.OTHER_UNITS),
            *("total_duration", "load_duration", "prompt_eval_duration"),
            *("image_pixels", "text_pixels"),
            *("billableCharacterCount", "billable_character_count"),
        ),
    ),
    _settle,
    gather=_gather,
)

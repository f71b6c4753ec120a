"""PURE: the usage of Mistral's APIs.

As OpenAI's, but that audio is beside `prompt_tokens`: it is in the sum only, and newer answers name
it (a transcription of 12 s: prompt 3, completion 41, `prompt_tokens_details.audio_tokens` 375,
total 419). Without audio the sum must be that of prompt and completion. So is what a conversation's
connectors read (docs.mistral.ai, "Connectors": prompt 95, completion 209, `connector_tokens` 95,
total 399); `connectors` counts their calls. Its OCR is billed by `pages_processed`, and tells no
tokens.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.usage_fields.fields import (
    Field,
    Quantity,
    beside,
    inside,
    instead,
    known,
    other_unit,
    total,
    unit,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    settle_inclusive,
)
from services.ingest.errors import EventRejectedError

_AUDIO: Final = "prompt_tokens_details.audio_tokens"
_CONNECTORS: Final = "connector_tokens"
_SECONDS: Final = "prompt_audio_seconds"


def _without(fields: tuple[Field, ...], *paths: str) -> tuple[Field, ...]:
    return tuple(field for field in fields if field.path not in paths)


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    audio = told.counts.pop(Quantity.MORE_AUDIO_INPUT, None)
    connectors = told.counts.pop(Quantity.MORE_INPUT, 0)
    prompt, output, whole = (
        told.get(one) for one in (Quantity.INPUT, Quantity.OUTPUT, Quantity.SUM)
    )
    if prompt is None or output is None:
        return told
    if whole != prompt + output:
        prompt += connectors
    more = whole - prompt - output if whole else 0
    if more > 0 and (audio or usage.get(_SECONDS)):
        if audio and audio != more:
            raise EventRejectedError(
                "total_mismatch",
                f"{where}total_tokens leaves {more} for audio, but {where}{_AUDIO} is {audio}:"
                " correct one of them",
            )
        audio = more
        prompt += more
    elif audio and not whole:
        prompt += audio
    told.counts[Quantity.INPUT] = prompt
    if audio is not None:
        told.counts[Quantity.AUDIO_INPUT] = audio
    return told


CHAT: Final = UsageFormat(
    "Mistral",
    Register(
        "mistral",
        total(Quantity.INPUT, "prompt_tokens"),
        total(Quantity.OUTPUT, "completion_tokens"),
        names.SUM,
        names.CACHE_READ,
        names.CACHE_WRITE,
        beside(Quantity.MORE_AUDIO_INPUT, _AUDIO),
        beside(Quantity.MORE_INPUT, _CONNECTORS),
        inside(Quantity.REASONING, "reasoning_tokens", *names.REASONING_DETAILS),
        names.SERVICE_TIER,
        names.CACHE_LIFETIMES,
        _without(names.KINDS, _AUDIO),
        unit(Quantity.WEB_SEARCHES, "connectors.web_search+web_search_premium"),
        unit(Quantity.FILE_SEARCHES, "connectors.document_library"),
        unit(Quantity.TOOL_CALLS, "connectors.code_interpreter"),
        unit(Quantity.IMAGES, "connectors.image_generation"),
        unit(Quantity.AUDIO_MILLISECONDS, _SECONDS, in_seconds=True),
        instead(Quantity.PAGES, "pages_processed"),
        names.CONTENT,
        _without(names.OTHER_UNITS, _SECONDS),
        other_unit("connectors.*", "doc_size_bytes", "pages_processed_annotation"),
        known("input_tokens", "output_tokens"),
    ),
    settle_inclusive,
    gather=_gather,
)

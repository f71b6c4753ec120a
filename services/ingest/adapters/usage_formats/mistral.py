"""PURE: the usage of Mistral's APIs.

As OpenAI's, but that audio is beside `prompt_tokens`: it is in the sum only, and newer answers name
it (a transcription of 12 s: prompt 3, completion 41, `prompt_tokens_details.audio_tokens` 375,
total 419). Without audio the sum must be that of prompt and completion.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import (
    Field,
    Quantity,
    Register,
    beside,
    inside,
    known,
    total,
)
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    settle_inclusive,
)
from services.ingest.errors import EventRejectedError

_AUDIO: Final = "prompt_tokens_details.audio_tokens"
_SECONDS: Final = "prompt_audio_seconds"


def _without(fields: tuple[Field, ...], *paths: str) -> tuple[Field, ...]:
    return tuple(field for field in fields if field.path not in paths)


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    audio = told.counts.pop(Quantity.MORE_INPUT, None)
    prompt, output, whole = (
        told.get(one) for one in (Quantity.INPUT, Quantity.OUTPUT, Quantity.SUM)
    )
    if prompt is None or output is None:
        return told
    more = whole - prompt - output if whole else 0
    if more > 0 and (audio or usage.get(_SECONDS)):
        if audio and audio != more:
            raise EventRejectedError(
                "total_mismatch",
                f"{where}total_tokens leaves {more} for audio, but {where}{_AUDIO} is {audio}:"
                " correct one of them",
            )
        told.counts[Quantity.INPUT] = prompt + more
    elif audio and not whole:
        told.counts[Quantity.INPUT] = prompt + audio
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
        beside(Quantity.MORE_INPUT, _AUDIO),
        inside(Quantity.REASONING, "reasoning_tokens", *names.REASONING_DETAILS),
        _without(names.CONTENT, _AUDIO),
        names.OTHER_UNITS,
        known("input_tokens", "output_tokens"),
    ),
    settle_inclusive,
    gather=_gather,
)

"""PURE: the counts of Ollama's own API, which stand in the answer itself, or in its last chunk.

`prompt_eval_count` is the whole prompt, `prompt_eval_cached_count` a part of it (docs.ollama.com,
"Usage"). Older servers leave out a count of 0, as Go does, and so the prompt where all of it was
in their cache: the durations of a finished answer prove that nothing else is missing. Embeddings
have no `eval_count`.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    inside,
    known,
    other_unit,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    settle_inclusive,
)

_COUNTS: Final = (Quantity.INPUT, Quantity.OUTPUT)


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    finished = usage.get("done") is True or usage.get("total_duration")
    if finished and any(one in told.counts for one in _COUNTS):
        for one in _COUNTS:
            told.counts.setdefault(one, 0)
    return told


ANSWER: Final = UsageFormat(
    "Ollama",
    Register(
        "ollama",
        total(Quantity.INPUT, "prompt_eval_count"),
        total(Quantity.OUTPUT, "eval_count"),
        inside(Quantity.CACHE_READ, "prompt_eval_cached_count"),
        other_unit(
            *("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
            "created_at",
        ),
        # Whole answers are taken, too.
        known("context[]", "embedding[]", "embeddings[][]", "message.*", "logprobs[].*"),
    ),
    settle_inclusive,
    gather=_gather,
)

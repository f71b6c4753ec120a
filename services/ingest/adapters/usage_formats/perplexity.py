"""PURE: the usage of Perplexity's Sonar API.

`reasoning_tokens` stands at the top level, beside `completion_tokens`, and `total_tokens` leaves it
out (open-webui-cost-tracker issue 6; an answer of sonar-deep-research: prompt 1,188, completion
4,240, total 5,428, reasoning 92,431). `citation_tokens` are what it read of the web: priced, but
neither prompt nor answer, so known and not metered. A sum with either of them in is taken too.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import Inclusion, Totals
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    beside,
    known,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats import openai_fields as names
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    foreign,
    settle,
)

INCLUSION: Final = Inclusion(caches=True, reasoning=False)
_CITATIONS: Final = "citation_tokens"


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    told = gather(usage, register, where)
    for holder in names.OUTPUT_DETAILS:
        details = usage.get(holder)
        if isinstance(details, dict) and details.get("reasoning_tokens"):
            raise foreign(told, f"{holder}.reasoning_tokens", "OpenAI", "openai_chat")
    return told


def _settle(told: Told) -> Totals:
    base = told.amount(Quantity.INPUT) + told.amount(Quantity.OUTPUT)
    citations = told.amount(Quantity.MORE_INPUT)
    with_citations = base + citations
    return settle(
        told, INCLUSION, base, with_citations, with_citations + told.amount(Quantity.REASONING)
    )


CHAT: Final = UsageFormat(
    "Perplexity",
    Register(
        "perplexity",
        total(Quantity.INPUT, "prompt_tokens"),
        total(Quantity.OUTPUT, "completion_tokens"),
        names.SUM,
        names.CACHE_READ,
        names.CACHE_WRITE,
        beside(Quantity.REASONING, "reasoning_tokens"),
        # Only held against the sum.
        beside(Quantity.MORE_INPUT, _CITATIONS),
        known(*names.REASONING_DETAILS),
        *names.PRICE_FACTS,
        names.CONTENT,
        names.OTHER_UNITS,
    ),
    _settle,
    gather=_gather,
)

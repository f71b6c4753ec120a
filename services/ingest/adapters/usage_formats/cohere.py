"""PURE: usage of Cohere's APIs: `usage` of v2, `meta` of v1.

What is billed is metered, where both are told: `tokens` also has what Cohere adds by itself and
charges nobody for (docs.cohere.com, "How does Cohere's pricing work"; OpenTelemetry's conventions
say the same, semantic-conventions-genai PR 211). The cached part is one of the processed tokens;
it is kept as far as it fits into the billed ones. Its SDKs write whole numbers as 12.0.

Rerankers are billed by searches in the documents that they get ("a query with up to 100 documents",
cohere.com/pricing), others by images, pages or seconds of audio: where no tokens are billed beside
these, none were used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.ingest.adapters.totals import Totals
from services.ingest.adapters.usage_fields.fields import (
    Field,
    FieldClass,
    Quantity,
    inside,
    known,
    other_unit,
    total,
    unit,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    check_tokens,
    settle_inclusive,
)

_BILLED: Final = ("billed_units.input_tokens", "billed_units.output_tokens")
_PROCESSED: Final = ("tokens.input_tokens", "tokens.output_tokens")

#: What is billed and is no token; embeddings' and rerankers' as well.
UNITS: Final = (
    unit(Quantity.FILE_SEARCHES, "billed_units.search_units"),
    unit(Quantity.IMAGES, "billed_units.images"),
    unit(Quantity.PAGES, "billed_units.pages"),
    unit(Quantity.AUDIO_MILLISECONDS, "billed_units.audio_seconds", in_seconds=True),
)
_UNIT_QUANTITIES: Final = (
    *(Quantity.FILE_SEARCHES, Quantity.IMAGES, Quantity.PAGES),
    Quantity.AUDIO_MILLISECONDS,
)
_TOKENS: Final = frozenset((Quantity.INPUT, Quantity.OUTPUT))

REGISTER: Final = Register(
    "cohere",
    total(Quantity.INPUT, _BILLED[0]),
    total(Quantity.OUTPUT, _BILLED[1]),
    # Read only where nothing is billed by tokens.
    tuple(Field(path, FieldClass.TOTAL) for path in _PROCESSED),
    inside(Quantity.CACHE_READ, "cached_tokens"),
    known("billed_units.image_tokens", "tokens.image_tokens"),
    *UNITS,
    other_unit("billed_units.classifications", "api_version.*"),
)
_PROCESSED_REGISTER: Final = Register(
    "cohere",
    total(Quantity.INPUT, _PROCESSED[0]),
    total(Quantity.OUTPUT, _PROCESSED[1]),
    inside(Quantity.CACHE_READ, "cached_tokens"),
)


def with_units_alone(told: Told) -> Told:
    """Say that no tokens were used where only units are billed; change nothing else."""
    if not told.counts.keys() & _TOKENS and any(told.counts.get(one) for one in _UNIT_QUANTITIES):
        told.counts.update(dict.fromkeys(_TOKENS, 0))
    return told


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    billed = gather(usage, register, where)
    if billed.counts.keys() & _TOKENS:
        return billed
    processed = gather(usage, _PROCESSED_REGISTER, where)
    if processed.counts:
        for one in _UNIT_QUANTITIES:
            if one in billed.counts:
                processed.counts[one] = billed.counts[one]
        return processed
    check_tokens(with_units_alone(billed), usage)
    return billed


def _settle(told: Told) -> Totals:
    totals = settle_inclusive(told)
    cached = totals.cache_read_input_tokens
    if cached is None or cached <= totals.input_tokens or told.register is not REGISTER:
        return totals
    fitting = told.counts | {Quantity.CACHE_READ: totals.input_tokens}
    return settle_inclusive(replace(told, counts=fitting))


CHAT: Final = UsageFormat("Cohere", REGISTER, _settle, gather=_gather)

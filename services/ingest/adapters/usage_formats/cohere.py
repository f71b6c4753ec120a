"""PURE: usage of Cohere's APIs: `usage` of v2, `meta` of v1.

What is billed is metered, where both are told: `tokens` also has what Cohere adds by itself and
charges nobody for (docs.cohere.com, "How does Cohere's pricing work"; OpenTelemetry's conventions
say the same, semantic-conventions-genai PR 211). The cached part is one of the processed tokens;
it is kept as far as it fits into the billed ones. Its SDKs write whole numbers as 12.0.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import Totals
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import (
    Field,
    FieldClass,
    Quantity,
    Register,
    inside,
    known,
    other_unit,
    total,
)
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    settle_inclusive,
)
from services.ingest.errors import EventRejectedError

_BILLED: Final = ("billed_units.input_tokens", "billed_units.output_tokens")
_PROCESSED: Final = ("tokens.input_tokens", "tokens.output_tokens")

REGISTER: Final = Register(
    "cohere",
    total(Quantity.INPUT, _BILLED[0]),
    total(Quantity.OUTPUT, _BILLED[1]),
    # Read only where nothing is billed by tokens.
    tuple(Field(path, FieldClass.TOTAL) for path in _PROCESSED),
    inside(Quantity.CACHE_READ, "cached_tokens"),
    known("billed_units.image_tokens", "tokens.image_tokens"),
    other_unit(
        *("billed_units.search_units", "billed_units.classifications", "billed_units.images"),
        *("billed_units.audio_seconds", "billed_units.pages", "api_version.*"),
    ),
)
_PROCESSED_REGISTER: Final = Register(
    "cohere",
    total(Quantity.INPUT, _PROCESSED[0]),
    total(Quantity.OUTPUT, _PROCESSED[1]),
    inside(Quantity.CACHE_READ, "cached_tokens"),
)


def _gather(usage: UsageObject, register: Register, where: str) -> Told:
    billed = gather(usage, register, where)
    if any(billed.get(one) is not None for one in (Quantity.INPUT, Quantity.OUTPUT)):
        return billed
    processed = gather(usage, _PROCESSED_REGISTER, where)
    if not processed.counts and register.has_unit(usage, FieldClass.OTHER_UNIT):
        raise EventRejectedError(
            "no_token_counts",
            f"{where}{register.has_unit(usage, FieldClass.OTHER_UNIT)} counts no tokens, and there"
            " are none beside it: leave the event out",
        )
    return processed


def _settle(told: Told) -> Totals:
    totals = settle_inclusive(told)
    cached = totals.cache_read_input_tokens
    if cached is None or cached <= totals.input_tokens or told.register is not REGISTER:
        return totals
    return settle_inclusive(
        Told(told.register, told.where, told.counts | {Quantity.CACHE_READ: totals.input_tokens})
    )


CHAT: Final = UsageFormat("Cohere", REGISTER, _settle, gather=_gather)

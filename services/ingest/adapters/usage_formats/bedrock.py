"""PURE: the usage of Amazon Bedrock's Converse API, and of its invocation metrics.

`inputTokens` leaves out both caches (docs.aws.amazon.com/bedrock, "Prompt caching": total input is
the three together). `totalTokens` was seen with the caches and without. The older names, which end
in Count, repeat the newer (they are in the same object) or stand alone (invocation logs).
`cacheDetails` breaks the writes down by lifetime. A stream tells usage once, in `metadata`. The
tier stands beside the usage in the answer (`serviceTier`), and is read where it was put inside.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.totals import Inclusion, Totals
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    beside,
    inside,
    other_unit,
    tier,
    total,
)
from services.ingest.adapters.usage_fields.reading import Told
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_fields.streams import latest_with_caches_beside
from services.ingest.adapters.usage_formats.settling import UsageFormat, settle

INCLUSION: Final = Inclusion(caches=False, reasoning=True)


def _settle(told: Told) -> Totals:
    without_caches = told.amount(Quantity.INPUT) + told.amount(Quantity.OUTPUT)
    return settle(told, INCLUSION, without_caches)


CONVERSE: Final = UsageFormat(
    "Amazon Bedrock",
    Register(
        "bedrock_converse",
        total(Quantity.INPUT, "inputTokens", "inputTokenCount"),
        total(Quantity.OUTPUT, "outputTokens", "outputTokenCount"),
        total(Quantity.SUM, "totalTokens", "totalTokenCount"),
        beside(
            Quantity.CACHE_READ,
            *("cacheReadInputTokens", "cacheReadInputTokenCount", "cacheReadInputTokensCount"),
        ),
        beside(
            Quantity.CACHE_WRITE,
            *("cacheWriteInputTokens", "cacheWriteInputTokenCount", "cacheWriteInputTokensCount"),
        ),
        inside(Quantity.CACHE_WRITE_5M, "cacheDetails[ttl=5m].inputTokens"),
        inside(Quantity.CACHE_WRITE_1H, "cacheDetails[ttl=1h].inputTokens"),
        tier("serviceTier.type", "service_tier"),
        other_unit("serverToolUsage.*", "invocationLatency", "firstByteLatency", "latencyMs"),
    ),
    _settle,
    latest_with_caches_beside,
)

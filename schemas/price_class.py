"""PURE. What the price of an event depends on besides tenant, series and hour: its price class.

A class is a service tier and a context band. Both are decided by the event and the rules of its
log alone, never by a tariff: so a slice stays a function of the log, and a new price list needs no
recount.
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: How a request was served, where its price depends on it. Not reported is billed as standard, but
#: is not the same: a gateway that says nothing may have served any.
SERVICE_TIERS: Final = ("standard", "batch", "flex", "priority", "fast", "scale", "reserved")

#: What is billed beside tokens, in this order in events; quantities are whole numbers of these.
UNITS: Final = (
    "web_searches",
    "file_searches",
    "tool_calls",
    "images",
    "audio_milliseconds",
    "video_milliseconds",
    "characters",
    "pages",
)

#: Sizes of input beyond which one provider or another asks for other prices, or has; a tariff may
#: name any of them. 199,999 is for those whose higher price begins at 200,000 and not beyond it.
CONTEXT_THRESHOLDS: Final = (
    *(32_000, 100_000, 128_000, 199_999, 200_000, 252_000),
    *(256_000, 272_000, 512_000, 524_288, 1_000_000),
)
#: ClickHouse's columns for a threshold are 32 bits wide.
CONTEXT_THRESHOLD_MAX: Final = 2**32 - 1


class PriceClass(NamedTuple):
    """What the hours of a tenant are kept apart by.

    `service_tier` is '' where none was reported. `context_band` is the highest threshold of the
    log's rules that the event's input tokens exceed, 0 where they exceed none.
    """

    service_tier: str
    context_band: int


#: Of an event without a tier, and with no more input than the first threshold.
PLAIN: Final = PriceClass("", 0)

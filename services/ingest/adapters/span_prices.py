"""PURE: reads what a price depends on from the attributes of a span or log record.

What the attributes tell themselves counts first; what the AI SDK hands on of the provider's answer
adds to it, as far as it fits the totals, which its versions count differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from services.ingest.adapters import price_attributes as names
from services.ingest.adapters.attributes import REGISTER
from services.ingest.adapters.counts import optional_count
from services.ingest.adapters.price_facts import with_price_facts
from services.ingest.adapters.provider_metadata import told_by_provider
from services.ingest.adapters.totals import Totals
from services.ingest.adapters.usage_fields import tiers, unread
from services.ingest.adapters.usage_fields.fields import Quantity
from services.ingest.adapters.usage_fields.reading import LIFETIMES, Told
from services.ingest.errors import EventRejectedError

_COUNTS: Final = (*names.PARTS.items(), *names.UNITS.items())


def with_prices(totals: Totals, attributes: Mapping[str, Any]) -> Totals:
    """Add what is told of the price to the totals; raises `EventRejectedError`."""
    if not attributes.keys() & names.NAMES:
        return totals
    counts: dict[Quantity, int] = {}
    for quantity, alike in _COUNTS:
        found = (optional_count(attributes, name, digits=True) for name in alike)
        first = next((count for count in found if count is not None), None)
        if first is not None:
            counts[quantity] = first
    written = sum(counts.get(one, 0) for one in LIFETIMES)
    if written and totals.cache_write_input_tokens is None:
        totals = replace(totals, cache_write_input_tokens=written)
    more, tier = told_by_provider(attributes.get(names.PROVIDER_METADATA))
    tier = _tier(attributes, names.SERVED_TIER) or tier or _tier(attributes, names.ASKED_TIER)
    units = {one: count for one, count in more.items() if one in names.UNITS}
    if more:
        try:
            return with_price_facts(totals, Told(REGISTER, "", more | counts, tier))
        except EventRejectedError:
            pass  # The parts are of other totals; searches are not.
    return with_price_facts(totals, Told(REGISTER, "", units | counts, tier))


def _tier(attributes: Mapping[str, Any], alike: names.Names) -> str | None:
    readings = ((name, attributes.get(name)) for name in alike)
    told = tiers.told(
        [(name, word, tiers.TIERS) for name, word in readings if isinstance(word, str)]
    )
    unread.note(REGISTER.name, told.odd)
    return told.tier

"""PURE. What was read of events many at a time, whichever way they are written."""

from __future__ import annotations

from dataclasses import dataclass

from services.aggregator.arrays.byte_spans import Flags
from services.aggregator.arrays.key_index import Ints

#: Stretches of a buffer, a row each: where they start, and how many bytes they have.
Spans = tuple[Ints, Ints]


@dataclass(slots=True)
class Found:
    """What some of the events say, a row each; of a row that is not `good` nothing means anything.

    `rows` are the events' indexes among those asked for, ascending: an event that is in none is as
    little read as one that is not good.
    `gateways` are the stretches that together say source and tenant, `series` those that say
    region, provider and model: one, if they stand side by side, else several. What stands between
    two names in one stretch is the same in all events of a form.
    """

    rows: Ints
    good: Flags
    ids: Spans
    gateways: tuple[Spans, ...]
    series: tuple[Spans, ...]
    time_us: Ints
    #: By name: counts of tokens and units, `failed` and `estimated` as 0 and 1, and under
    #: `service_tier` 1 + its place in `SERVICE_TIERS`; what none has is missing.
    numbers: dict[str, Ints]

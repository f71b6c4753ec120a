"""Reads what came of a month between two cuts: belated usage, and debits and credits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.billing.adjustments import AdjustingEvent, Place
from services.billing.periods import Period
from services.billing.statement_queries import EVENT_MEASURES
from services.platform.clickhouse import all_rows
from services.settlement.charges import Usage
from services.settlement.comparison import ADJUSTMENT, LATE, Moved, What, Why
from services.settlement.cut import Cut
from services.settlement.queries import WITHIN

#: From each partition, the offsets of one cut up to those of another.
_BETWEEN: Final = """
INNER JOIN
(
    SELECT log, partition, first_offset, end_offset
    FROM (SELECT 1)
    ARRAY JOIN
        {logs:Array(String)} AS log,
        {partitions:Array(UInt32)} AS partition,
        {firsts:Array(UInt64)} AS first_offset,
        {ends:Array(UInt64)} AS end_offset
) AS cuts ON cuts.log = e.log AND cuts.partition = e.partition
WHERE e.offset >= cuts.first_offset AND e.offset < cuts.end_offset
    AND tenant = {tenant:String}
"""
#: Summed by gateway and day: a million events of a month are some thousands of rows.
_BELATED: Final = f"""
SELECT window_start, region, provider, model, 'usage', service_tier, context_band, source,
       toDate(event_time) AS day, sumMap(units) AS all_units,
       {", ".join(f"sum(toUInt128(e.{name}))" for name in EVENT_MEASURES)}
FROM belated_events AS e FINAL
{_BETWEEN} AND {WITHIN}
GROUP BY window_start, region, provider, model, service_tier, context_band, source, day
"""
_ADJUSTMENTS: Final = f"""
SELECT window_start, region, provider, model, toString(entry), service_tier, context_band, source,
       toDate(event_time) AS day, units, {", ".join(f"e.{name}" for name in EVENT_MEASURES)},
       id, reason
FROM adjustments AS e FINAL
{_BETWEEN} AND {WITHIN}
"""


def read_moved(
    client: Client, period: Period, tenant: str, old: Cut, new: Cut
) -> tuple[Moved, ...]:
    """What came of a tenant's month from one cut up to another. Raises `UnavailableError`."""
    spans = [
        (log, partition, old.offsets.get((log, partition), 0), end)
        for (log, partition), end in sorted(new.offsets.items())
    ]
    logs, partitions, firsts, ends = ([*one] for one in zip(*spans, strict=True))
    names = {
        **{"logs": logs, "partitions": partitions, "firsts": firsts, "ends": ends},
        **{"tenant": tenant, "start": period.start, "end": period.end},
    }
    found: list[Moved] = []
    for row in all_rows(client, _BELATED, names):
        source, day = row[7:9]
        found += _moved(row, Why(LATE, day, source))
    for row in all_rows(client, _ADJUSTMENTS, names):
        event_id, reason = row[-2:]
        found += _moved(row[:-2], Why(ADJUSTMENT, row[8], event_id, reason))
    return tuple(found)


def _moved(row: Sequence[Any], why: Why) -> Iterator[Moved]:
    """What a row adds to which quantities, as charges have them."""
    hour, *labels, source, _, units = row[:10]
    place = Place(hour.replace(tzinfo=UTC), *labels)
    event = AdjustingEvent(
        place=place,
        time=place.hour,
        event_id="",
        source=source,
        adjusts="",
        reason="",
        measures=dict(zip(EVENT_MEASURES, map(int, row[10:]), strict=True)),
        units={name: int(quantity) for name, quantity in units.items()},
    )
    for (at, name), quantity in event.quantities.items():
        labelled = (at.region, at.provider, at.model, at.entry, at.service_tier, at.context_band)
        is_unit = name in units
        what = What(at.hour, Usage(*labelled), "" if is_unit else name, name if is_unit else "")
        yield Moved(what, why, quantity)

"""What the control room asks ClickHouse: public views, never slices.

Times go in as server-side parameters and come out as Unix seconds. Sums over several registers
or windows are 128 bits wide: a total of totals may pass what UInt64 holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_REGION, NO_CANARY_TENANT
from services.exporter.control_room.rows import (
    LeagueRow,
    MinuteTokens,
    MixShare,
    ModelDay,
    RegionBlock,
    RegionCapacity,
    RegionMinute,
    RegionPeriod,
    Registers,
    Window,
)
from services.platform.clickhouse import all_rows

#: More than a person reads; what is left out is the tail by tokens.
MODELS_MAX: Final = 8

LOAD_SQL: Final = f"""
SELECT
    toUnixTimestamp(window_start) AS minute,
    region,
    sum(toUInt128(requests)),
    sum(toUInt128(input_tokens) + output_tokens)
FROM usage_minute_parts
WHERE window_start >= toDateTime({{load_from:UInt32}}, 'UTC')
  AND window_start < toDateTime({{now:UInt32}}, 'UTC')
  AND {NO_CANARY_REGION}
GROUP BY minute, region
"""

# Older minutes than the load curve has; it is read as often as they change.
DAY_SQL: Final = f"""
SELECT
    toUnixTimestamp(window_start) AS minute,
    sum(toUInt128(input_tokens) + output_tokens)
FROM usage_minute_parts
WHERE window_start >= toDateTime({{day_from:UInt32}}, 'UTC')
  AND window_start < toDateTime({{now:UInt32}}, 'UTC')
  AND {NO_CANARY_REGION}
GROUP BY minute
"""

REGISTERS_SQL: Final = f"""
SELECT
    region,
    sum(toUInt128(requests)),
    sum(toUInt128(input_tokens)),
    sum(toUInt128(output_tokens))
FROM registers
WHERE {NO_CANARY_REGION}
GROUP BY region
"""

TODAY_SQL: Final = """
SELECT
    toUnixTimestamp(window_start),
    region,
    tokens,
    demand_tokens_per_second
FROM region_demand_15m
WHERE window_start >= toDateTime({day_from:UInt32}, 'UTC') - INTERVAL 1 DAY
  AND window_start < toDateTime({now:UInt32}, 'UTC')
  AND complete
"""

CAPACITIES_SQL: Final = "SELECT region, capacity_tokens_per_second FROM regions"

# Not from the month on: an event of a clock that is ahead begins the next one before its time.
PERIOD_SQL: Final = """
SELECT
    toUnixTimestamp(toDateTime(period_start, 'UTC')),
    region,
    peak_demand_tokens_per_second,
    load_factor,
    coincidence_factor,
    capacity_tokens_per_second,
    reserve_margin,
    tokens / 900 <= peak_demand_tokens_per_second
FROM load_factor
WHERE period_start = toStartOfMonth(toDateTime({day_from:UInt32}, 'UTC'))
"""

# The week before is there on a Monday's first hours, and to compare with. The week after is not: an
# event of a clock that is ahead begins it before its time.
MIX_SQL: Final = """
SELECT
    toUnixTimestamp(toDateTime(week_start, 'UTC')) AS week,
    origin,
    author,
    sum(toUInt128(tokens))
FROM generation_mix
WHERE week_start >= toMonday(toDateTime({day_from:UInt32}, 'UTC')) - 7
  AND week_start <= toMonday(toDateTime({day_from:UInt32}, 'UTC'))
GROUP BY week, origin, author
"""

LEAGUE_SQL: Final = """
SELECT
    toUnixTimestamp(toDateTime(week_start, 'UTC')),
    origin,
    tokens,
    share,
    rank,
    leading_weeks
FROM token_league
WHERE week_start >= toMonday(toDateTime({day_from:UInt32}, 'UTC')) - 7
  AND week_start <= toMonday(toDateTime({day_from:UInt32}, 'UTC'))
"""

# The view has growth of weeks that have ended; this is that of the running one, like with like.
GROWTH_SQL: Final = f"""
WITH
    toDateTime(toMonday(toDateTime({{day_from:UInt32}}, 'UTC')), 'UTC') AS week,
    toStartOfHour(toDateTime({{now:UInt32}}, 'UTC')) AS hour
SELECT
    ifNull(nullIf(toString(made.origin), ''), 'unknown') AS country,
    sum(used.this_week),
    sum(used.week_before)
FROM
(
    SELECT
        provider,
        model,
        sumIf(toUInt128(input_tokens) + output_tokens, window_start >= week) AS this_week,
        sumIf(toUInt128(input_tokens) + output_tokens, window_start < week) AS week_before
    FROM usage_hour_parts
    WHERE window_start >= week - INTERVAL 7 DAY
      AND window_start < hour
      AND (window_start >= week OR window_start < hour - INTERVAL 7 DAY)
      AND {NO_CANARY_TENANT}
    GROUP BY provider, model
) AS used
LEFT ANY JOIN model_origins AS made ON made.provider = used.provider AND made.model = used.model
GROUP BY country
"""

MODELS_SQL: Final = f"""
SELECT
    used.model,
    made.author,
    made.origin,
    used.requests,
    used.tokens,
    used.all_tokens
FROM
(
    SELECT
        model,
        sum(toUInt128(requests)) AS requests,
        sum(toUInt128(input_tokens) + output_tokens) AS tokens,
        sum(tokens) OVER () AS all_tokens
    FROM token_density
    WHERE window_start >= toDateTime({{day_from:UInt32}}, 'UTC')
      AND window_start < toDateTime({{now:UInt32}}, 'UTC')
    GROUP BY model
    ORDER BY tokens DESC, model
    LIMIT {MODELS_MAX}
) AS used
LEFT JOIN
(
    SELECT model, any(author) AS author, any(origin) AS origin FROM model_origins GROUP BY model
) AS made ON made.model = used.model
"""


def read_load(client: Client, window: Window) -> list[RegionMinute]:
    """Read usage by minute and region. Like all here, raises as `mapped_errors` says."""
    return [RegionMinute(*row) for row in _rows(client, LOAD_SQL, window)]


def read_day(client: Client, window: Window) -> list[MinuteTokens]:
    """Read the system's usage by minute since midnight."""
    return [MinuteTokens(*row) for row in _rows(client, DAY_SQL, window)]


def read_capacities(client: Client, window: Window) -> list[RegionCapacity]:
    """Read what the catalogue's regions can deliver."""
    return [RegionCapacity(*row) for row in _rows(client, CAPACITIES_SQL, window)]


def read_registers(client: Client, window: Window) -> list[Registers]:
    """Read the registers, summed by region."""
    return [Registers(*row) for row in _rows(client, REGISTERS_SQL, window)]


def read_today(client: Client, window: Window) -> list[RegionBlock]:
    """Read the complete demand blocks of today and yesterday."""
    return [RegionBlock(*row) for row in _rows(client, TODAY_SQL, window)]


def read_period(client: Client, window: Window) -> list[RegionPeriod]:
    """Read the running billing period."""
    return [RegionPeriod(*row) for row in _rows(client, PERIOD_SQL, window)]


def read_mix(client: Client, window: Window) -> list[MixShare]:
    """Read who made the tokens of this week and the one before."""
    return [MixShare(*row) for row in _rows(client, MIX_SQL, window)]


def read_league(client: Client, window: Window) -> list[LeagueRow]:
    """Read the league of this week and the one before, and how this week's places have grown."""
    rows = [LeagueRow(*row) for row in _rows(client, LEAGUE_SQL, window)]
    newest = max((row.week for row in rows), default=None)
    if newest is None or newest <= window.day_from - 7 * 86_400:
        return rows  # nothing of this week yet
    growth = {
        origin: tokens / before - 1
        for origin, tokens, before in _rows(client, GROWTH_SQL, window)
        if before > 0
    }
    return [
        row._replace(growth=growth.get(row.origin)) if row.week == newest else row for row in rows
    ]


def read_models(client: Client, window: Window) -> list[ModelDay]:
    """Read the day's first models by tokens."""
    models = [ModelDay(*row) for row in _rows(client, MODELS_SQL, window)]
    return sorted(models, key=lambda one: (-one.tokens, one.model))


def _rows(client: Client, sql: str, window: Window) -> Sequence[tuple[Any, ...]]:
    # Only what the text names is sent: ClickHouse takes further parameters for a mistake.
    given = {name: value for name, value in asdict(window).items() if f"{{{name}:" in sql}
    # No settings go along: the exporter's user may be one that can change none.
    return sorted(all_rows(client, sql, given), key=lambda row: row[:2])

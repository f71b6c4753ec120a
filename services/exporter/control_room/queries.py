"""What the control room asks ClickHouse: public views, never slices.

Times go in as server-side parameters and come out as Unix seconds. Sums over several registers
or windows are 128 bits wide: a total of totals may pass what UInt64 holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_REGION
from services.exporter.control_room.rows import (
    LeagueRow,
    MixShare,
    ModelDay,
    RegionBlock,
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

PERIOD_SQL: Final = """
SELECT
    toUnixTimestamp(toDateTime(period_start, 'UTC')),
    region,
    peak_demand_tokens_per_second,
    load_factor,
    coincidence_factor,
    capacity_tokens_per_second,
    reserve_margin
FROM load_factor
WHERE period_start >= toStartOfMonth(toDateTime({day_from:UInt32}, 'UTC'))
"""

# The week before is there on a Monday's first hours, and to compare with.
MIX_SQL: Final = """
SELECT
    toUnixTimestamp(toDateTime(week_start, 'UTC')) AS week,
    origin,
    author,
    sum(toUInt128(tokens))
FROM generation_mix
WHERE week_start >= toMonday(toDateTime({day_from:UInt32}, 'UTC')) - 7
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
    """Read the league of this week and the one before."""
    return [LeagueRow(*row) for row in _rows(client, LEAGUE_SQL, window)]


def read_models(client: Client, window: Window) -> list[ModelDay]:
    """Read the day's first models by tokens."""
    models = [ModelDay(*row) for row in _rows(client, MODELS_SQL, window)]
    return sorted(models, key=lambda one: (-one.tokens, one.model))


def _rows(client: Client, sql: str, window: Window) -> Sequence[tuple[Any, ...]]:
    # Only what the text names is sent: ClickHouse takes further parameters for a mistake.
    given = {name: value for name, value in asdict(window).items() if f"{{{name}:" in sql}
    # No settings go along: the exporter's user may be one that can change none.
    return sorted(all_rows(client, sql, given), key=lambda row: row[:2])

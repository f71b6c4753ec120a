"""What the exporter asks ClickHouse. Views, checkpoints and the catalogue, never slices.

The texts take no values; a query that will need one passes it as a server-side parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.exporter.rows import (
    REGISTER_COLUMNS,
    Bill,
    Catalogue,
    CheckpointRow,
    DemandRow,
    ModelRow,
    PeakRow,
    PriceListRow,
    PriceRow,
    RegisterRow,
    Series,
    WeekRow,
)
from services.platform.clickhouse import all_rows, mapped_errors, nothing_answered

REGISTERS_SQL: Final = (
    f"SELECT region, provider, model, {', '.join(REGISTER_COLUMNS)} FROM registers"
)
#: The same as long as all of it fits UInt64, which the driver reads in half the time; the last
#: column is 1 where it does not.
NARROW_REGISTERS_SQL: Final = (
    "SELECT region, provider, model,"
    f" {', '.join(f'toUInt64({name})' for name in REGISTER_COLUMNS)},"
    f" greatest({', '.join(REGISTER_COLUMNS)}) > {2**64 - 1} FROM registers"
)
#: The row that every answer to it has, however few registers there are.
REGISTERS_ANSWERED_SQL: Final = (
    f"SELECT '', '', '', {', '.join(['toUInt64(0)'] * len(REGISTER_COLUMNS))}, 2"
)

# FINAL: until parts merge, an older checkpoint of a partition still lies beside the newer one.
CHECKPOINTS_SQL: Final = """
SELECT
    log, partition, topic, next_offset, received, accepted, duplicate, late, rejected,
    toUnixTimestamp64Milli(newest_event) AS newest_event_ms,
    toUnixTimestamp64Milli(last_append) AS last_append_ms
FROM checkpoints FINAL
"""

# Filters on window_start reach the primary key: a block is read, whatever else is kept.
DEMAND_SQL: Final = """
SELECT region, provider, model, sum(block), sum(sliding), 0
FROM
(
    SELECT region, provider, model, demand_tokens_per_second AS block, 0. AS sliding
    FROM demand_15m
    WHERE window_start = toStartOfFifteenMinutes(now('UTC')) - INTERVAL 15 MINUTE
    UNION ALL
    SELECT region, provider, model, 0. AS block, demand_tokens_per_second AS sliding
    FROM sliding_demand
)
GROUP BY region, provider, model
"""
DEMAND_ANSWERED_SQL: Final = "SELECT '', '', '', 0., 0., 2"

INTERVALS_SQL: Final = """
SELECT region, toUnixTimestamp(toStartOfFifteenMinutes(max(window_start))) + 900
FROM region_minutes
WHERE window_start >= now('UTC') - toIntervalDay({days:UInt32})
  AND window_start < toStartOfFifteenMinutes(now('UTC'))
GROUP BY region
"""
#: How far the first reading looks back for a region's last interval: as far as an event may be late
#: unless the rules say otherwise. A region that is silent for longer has gone.
INTERVAL_DAYS: Final = 35

PEAKS_SQL: Final = """
SELECT
    region,
    tokens,
    peak_demand_tokens_per_second,
    toUnixTimestamp(peak_start),
    coincident_demand_tokens_per_second
FROM peak_demand
WHERE period_start = toStartOfMonth(now('UTC'))
"""

# A sum over the month of all tenants: of the parts, which need no grouping first. Of money only
# USD: in other currencies amount_usd is NULL, and assumeNotNull would make a 0 of it. What has no
# price has no currency.
BILLS_SQL: Final = """
SELECT
    region,
    provider,
    model,
    tou_period,
    sum(toDecimal256(assumeNotNull(amount_usd), 15)),
    sumIf(toUInt256(tokens), tariff_id = 'unpriced' AND entry = 'usage')
FROM charge_parts
WHERE window_start >= toDateTime(toStartOfMonth(now('UTC')), 'UTC')
  AND (currency = 'USD' OR tariff_id = 'unpriced' AND unit = '')
GROUP BY region, provider, model, tou_period
"""

LEAGUE_SQL: Final = """
SELECT origin, tokens, share, leading_weeks
FROM token_league
WHERE week_start = toMonday(now('UTC'))
"""

CAPACITIES_SQL: Final = "SELECT region, capacity_tokens_per_second FROM regions"

# Classes that few lists price are shown where they have a price of their own: more than half of all
# prices would else be another's once more.
PRICES_SQL: Final = """
SELECT provider, model, token_class, tou_period, max(usd_per_million_tokens) / 1000000
FROM current_prices
WHERE currency = 'USD' AND (
    token_class IN ('uncached_input', 'cache_read', 'cache_write', 'output', 'reasoning')
    OR billed_as = token_class
)
GROUP BY provider, model, token_class, tou_period
"""

MODELS_SQL: Final = "SELECT DISTINCT model, author, origin, license FROM model_origins"

PRICE_LISTS_SQL: Final = """
SELECT source, version, toUnixTimestamp(toDateTime(first_seen, 'UTC')) FROM price_list_sources
"""


def read_registers(client: Client) -> list[RegisterRow]:
    """Read all registers. Raises `UnavailableError` and `ConfigurationError`."""
    # Columns: the driver makes ten thousand rows of them slower than this does.
    *columns, wide = _columns(client, NARROW_REGISTERS_SQL, REGISTERS_ANSWERED_SQL)
    if any(wide):
        rows = all_rows(client, REGISTERS_SQL, {})
        return [RegisterRow(Series(*row[:3]), tuple(row[3:])) for row in rows]
    series = map(Series, *columns[:3])
    return list(map(RegisterRow, series, zip(*columns[3:], strict=True)))


def read_checkpoints(client: Client) -> list[CheckpointRow]:
    """Read the checkpoints of all logs. Raises `UnavailableError` and `ConfigurationError`."""
    return [CheckpointRow(*row) for row in _rows(client, CHECKPOINTS_SQL)]


def read_demand(client: Client) -> list[DemandRow]:
    """Read block and sliding demand. Raises `UnavailableError` and `ConfigurationError`."""
    columns = _columns(client, DEMAND_SQL, DEMAND_ANSWERED_SQL)
    return list(map(DemandRow, map(Series, *columns[:3]), *columns[3:5]))


def read_intervals(client: Client, days: int = INTERVAL_DAYS) -> dict[str, int]:
    """Read where each region's newest closed interval ends, of those of the last days."""
    rows = sorted(all_rows(client, INTERVALS_SQL, {"days": days}))
    return {str(region): int(end) for region, end in rows}


class IntervalReader:
    """Reads the intervals: the first time far back, then of the last day.

    So an exporter that was just started knows of regions that fell silent before, too.
    """

    def __init__(self) -> None:
        self._days = INTERVAL_DAYS

    def __call__(self, client: Client) -> dict[str, int]:
        """Read once. Raises `UnavailableError` and `ConfigurationError`."""
        found = read_intervals(client, self._days)
        self._days = 1
        return found


def read_peaks(client: Client) -> list[PeakRow]:
    """Read this billing period's peaks. Raises `UnavailableError` and `ConfigurationError`."""
    return [PeakRow(*row) for row in _rows(client, PEAKS_SQL)]


def read_bills(client: Client) -> list[Bill]:
    """Read this month's charges and tokens without a price; raises as the others do."""
    return [Bill(Series(*row[:3]), *row[3:]) for row in _rows(client, BILLS_SQL)]


def read_league(client: Client) -> list[WeekRow]:
    """Read this week's league. Raises `UnavailableError` and `ConfigurationError`."""
    return [
        WeekRow(origin, int(tokens), share or 0.0, int(weeks))
        for origin, tokens, share, weeks in _rows(client, LEAGUE_SQL)
    ]


def read_catalogue(client: Client) -> Catalogue:
    """Read the catalogue of now. Raises `UnavailableError` and `ConfigurationError`."""
    return Catalogue(
        capacities={str(region): int(tokens) for region, tokens in _rows(client, CAPACITIES_SQL)},
        prices=[
            PriceRow(provider, model, token_class, period, float(usd))
            for provider, model, token_class, period, usd in _rows(client, PRICES_SQL)
        ],
        models=[ModelRow(*row) for row in _rows(client, MODELS_SQL)],
        price_lists=[PriceListRow(*row) for row in _rows(client, PRICE_LISTS_SQL)],
    )


def _rows(client: Client, sql: str) -> Sequence[tuple[Any, ...]]:
    return sorted(all_rows(client, sql, {}), key=lambda row: row[:4])


def _columns(client: Client, sql: str, answered: str) -> list[list[Any]]:
    """The columns of a query of many rows, whose last column is 0 or 1.

    ``answered`` selects one row more, with a 2 there: without it, an answer that a full disk made
    empty would be taken for no rows.
    """
    with mapped_errors():
        columns = client.query(f"{sql} UNION ALL {answered}").result_columns
    if not columns or 2 not in columns[-1]:
        raise nothing_answered()
    place = columns[-1].index(2)
    return [[*column[:place], *column[place + 1 :]] for column in columns]

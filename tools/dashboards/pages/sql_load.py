"""PURE. The SQL dashboard Load duration: how long demand is how high, and the peaks."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.layout import Page, Section, column_variable
from tools.dashboards.panels import (
    PERCENT,
    RATIO,
    TIME,
    TOKENS_PER_SECOND,
    About,
    curve,
    lines,
    rows,
)
from tools.dashboards.queries import CLICKHOUSE_TYPE, IN_REGIONS, sql_rows, sql_series

SQL_LOAD: Final = Page(
    uid="wattoken-sql-load",
    title="Wattoken SQL · Load duration",
    question="For how much of the time is demand how high, and what would less capacity do?",
    kind=CLICKHOUSE_TYPE,
    span="7d",
    refresh="5m",
    variables=[column_variable("region", "registers")],
    sections=[
        Section(
            "Demand",
            [
                curve(
                    About(
                        "Load duration curve",
                        "Demand that was reached or passed in so many percent of all 15-minute"
                        " blocks that are kept; a capacity is a level line across it.",
                        *(TOKENS_PER_SECOND, 24, 10),
                    ),
                    sql_rows(
                        f"""
SELECT region, toFloat64(time_percent) AS time_percent, demand_tokens_per_second AS demand
FROM load_duration
WHERE {IN_REGIONS}
ORDER BY time_percent, region
"""
                    ),
                    across="time_percent",
                    across_unit=PERCENT,
                    split_by="region",
                ),
                lines(
                    About(
                        "Block demand",
                        "Tokens per second of each complete 15-minute block, by region.",
                        *(TOKENS_PER_SECOND, 24),
                    ),
                    sql_series(
                        f"""
SELECT window_start AS time, region, sum(demand_tokens_per_second) AS demand
FROM demand_15m
WHERE $__timeFilter(window_start) AND complete AND {IN_REGIONS}
GROUP BY time, region
ORDER BY time, region
"""
                    ),
                    stacked=StackingMode.NORMAL,
                ),
            ],
        ),
        Section(
            "Billing periods",
            [
                rows(
                    About(
                        "Peaks",
                        "Peak of each calendar month and when its block began, and demand in the"
                        " block of the system's peak.",
                        *(TOKENS_PER_SECOND, 24),
                    ),
                    sql_rows(
                        f"""
SELECT
    period_start, region, peak_demand_tokens_per_second AS peak, peak_start,
    coincident_demand_tokens_per_second AS at_system_peak,
    system_peak_demand_tokens_per_second AS system_peak, system_peak_start, complete
FROM peak_demand
WHERE {IN_REGIONS}
ORDER BY period_start DESC, peak DESC
"""
                    ),
                    units={"peak_start": TIME, "system_peak_start": TIME},
                ),
                rows(
                    About(
                        "Load factors",
                        "Average ÷ peak demand, the coincidence factor of the system, and how much"
                        " higher the peak could be.",
                        *(RATIO, 24),
                    ),
                    sql_rows(
                        f"""
SELECT
    period_start, region, load_factor, coincidence_factor, reserve_margin,
    average_demand_tokens_per_second AS average, peak_demand_tokens_per_second AS peak,
    capacity_tokens_per_second AS capacity, complete
FROM load_factor
WHERE {IN_REGIONS}
ORDER BY period_start DESC, region
"""
                    ),
                    units=dict.fromkeys(("average", "peak", "capacity"), TOKENS_PER_SECOND),
                ),
            ],
        ),
    ],
)

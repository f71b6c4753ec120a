"""PURE. The SQL dashboard Data quality: measured, estimated, missing."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.layout import Page, Section, column_variable
from tools.dashboards.panels import COUNT, NO_UNIT, RATIO, TOKENS, About, bars, figure, lines, rows
from tools.dashboards.queries import CLICKHOUSE_TYPE, IN_MODELS, IN_REGIONS, sql_rows, sql_series

GREEN, ORANGE, RED = "green", "orange", "red"

SQL_QUALITY: Final = Page(
    uid="wattoken-sql-quality",
    title="Wattoken SQL · Data quality",
    question="How much is measured, how much is estimated, and what is missing?",
    kind=CLICKHOUSE_TYPE,
    span="24h",
    refresh="5m",
    variables=[
        column_variable("region", "registers"),
        column_variable("model", "registers", ("region",)),
    ],
    sections=[
        Section(
            "Intervals",
            [
                figure(
                    About("Estimated", "Part of the tokens in the time shown.", *(RATIO, 6, 5)),
                    sql_rows(
                        f"""
SELECT sum(estimated_tokens) / sum(measured_tokens + estimated_tokens) AS estimated
FROM data_quality
WHERE $__timeFilter(window_start) AND {IN_REGIONS}
"""
                    ),
                    steps=[(None, GREEN), (0.05, ORANGE), (0.2, RED)],
                ),
                figure(
                    About(
                        "Missing",
                        "Intervals of 15 minutes without usage though there was some before and"
                        " after.",
                        *(COUNT, 6, 5),
                    ),
                    sql_rows(
                        f"""
SELECT countIf(missing) AS missing
FROM data_quality
WHERE $__timeFilter(window_start) AND {IN_REGIONS}
"""
                    ),
                    steps=[(None, GREEN), (1, ORANGE)],
                ),
                bars(
                    About("Estimated by region", "Part of the region's tokens.", *(RATIO, 12, 5)),
                    sql_rows(
                        f"""
SELECT region, sum(estimated_tokens) / sum(measured_tokens + estimated_tokens) AS estimated
FROM data_quality
WHERE $__timeFilter(window_start) AND {IN_REGIONS}
GROUP BY region
HAVING sum(measured_tokens + estimated_tokens) > 0
ORDER BY estimated DESC
"""
                    ),
                    each_row=True,
                ),
                lines(
                    About("Measured and estimated", "Tokens of each 15-minute interval.", TOKENS),
                    sql_series(
                        f"""
SELECT
    window_start AS time,
    toFloat64(sum(measured_tokens)) AS measured,
    toFloat64(sum(estimated_tokens)) AS estimated
FROM data_quality
WHERE $__timeFilter(window_start) AND {IN_REGIONS}
GROUP BY time
ORDER BY time
"""
                    ),
                    stacked=StackingMode.NORMAL,
                ),
                lines(
                    About("Missing intervals", "By region, 1 where one is missing.", COUNT),
                    sql_series(
                        f"""
SELECT window_start AS time, region, toFloat64(max(missing)) AS missing
FROM data_quality
WHERE $__timeFilter(window_start) AND {IN_REGIONS}
GROUP BY time, region
ORDER BY time, region
"""
                    ),
                ),
            ],
        ),
        Section(
            "Density",
            [
                rows(
                    About(
                        "Density by model",
                        "Tokens per request, output per input token and part of the input read from"
                        " a cache, over the hours shown.",
                        *(NO_UNIT, 24, 9),
                    ),
                    sql_rows(
                        f"""
SELECT
    model,
    toFloat64(sum(d.requests)) AS requests,
    sum(d.input_tokens + d.output_tokens) / requests AS tokens_per_request,
    sum(d.output_tokens) / sum(d.input_tokens) AS output_per_input,
    sum(d.cache_read_input_tokens) / sum(d.input_tokens) AS cache_hit_share
FROM token_density AS d
WHERE $__timeFilter(window_start) AND {IN_MODELS}
GROUP BY model
HAVING requests > 0
ORDER BY requests DESC
"""
                    ),
                    units={
                        "requests": COUNT,
                        "tokens_per_request": TOKENS,
                        "cache_hit_share": RATIO,
                    },
                )
            ],
        ),
    ],
)

"""PURE. The SQL dashboard Bills: charges by tenant, model, token class and time of use."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.layout import Page, Section, column_variable
from tools.dashboards.panels import RATIO, TOKENS, USD, About, bars, figure, lines, rows, shares
from tools.dashboards.queries import (
    CLICKHOUSE_TYPE,
    IN_MODELS,
    IN_PROVIDERS,
    IN_REGIONS,
    sql_rows,
    sql_series,
)

GREEN, ORANGE = "green", "orange"
IN_TENANTS: Final = "tenant IN (${tenant:singlequote})"
#: Everything here is added up, and sums of the parts of `charges` need no grouping first.
CHARGED: Final = (
    f"FROM charge_parts\nWHERE $__timeFilter(window_start) AND {IN_TENANTS} AND {IN_REGIONS}"
    f" AND {IN_PROVIDERS} AND {IN_MODELS}"
)
#: Decimal to the last digit in ClickHouse; only what is drawn becomes a float.
USD_DRAWN: Final = "toFloat64(sum(amount_usd)) AS usd"


#: A token's class, or what was billed beside tokens.
WHAT: Final = "if(unit = '', token_class, unit)"
#: A request that reports no tier is billed as standard.
TIER: Final = "if(service_tier = '', 'standard', service_tier)"


def _by(column: str, expression: str | None = None) -> str:
    selected = column if expression is None else f"{expression} AS {column}"
    return f"""
SELECT {selected}, {USD_DRAWN}
{CHARGED} AND amount_usd IS NOT NULL
GROUP BY {column}
ORDER BY usd DESC
LIMIT 15
"""


STATEMENTS: Final = Section(
    "Statements",
    [
        figure(
            About("Charged", "Energy charges and adjustments in the time shown.", USD, 6, 6),
            sql_rows(f"SELECT {USD_DRAWN}\n{CHARGED}"),
        ),
        figure(
            About(
                "Unpriced",
                "Part of the tokens that no tariff has a price for; they are on no bill but as a"
                " line of their own.",
                *(RATIO, 6, 6),
            ),
            sql_rows(
                f"SELECT sumIf(tokens, tou_period = 'unpriced') / sum(tokens) AS share\n{CHARGED}"
            ),
            steps=[(None, GREEN), (0.0001, ORANGE)],
        ),
        bars(
            About("Charges by tenant", "The fifteen that pay most.", USD, 12, 6),
            sql_rows(_by("tenant")),
            each_row=True,
        ),
        rows(
            About(
                "Statements by month",
                "Each tenant's bill of each month that is shown in part or whole, all regions."
                " `wattoken statement` prints one with every line, to the last digit.",
                *(USD, 24, 9),
            ),
            sql_rows(
                f"""
SELECT
    period_start,
    tenant,
    toFloat64(sumIf(s.tokens, line = 'energy')) AS tokens,
    sumIf(amount_usd, line = 'energy') AS energy,
    sumIf(amount_usd, line = 'adjustment') AS adjustments,
    sumIf(amount_usd, line = 'demand') AS demand,
    toFloat64(sumIf(s.tokens, line = 'unpriced')) AS unpriced_tokens,
    sumIf(amount_usd, line = 'total') AS total
FROM statements AS s
WHERE period_start >= toStartOfMonth($__fromTime) AND period_start <= $__toTime AND {IN_TENANTS}
GROUP BY period_start, tenant
ORDER BY period_start DESC, total DESC
"""
            ),
            units={"tokens": TOKENS, "unpriced_tokens": TOKENS},
        ),
    ],
)

CHARGES: Final = Section(
    "Charges",
    [
        lines(
            About("Charges by day", "Energy charges and adjustments, by tenant.", *(USD, 24)),
            sql_series(
                f"""
SELECT toStartOfDay(window_start) AS time, tenant, {USD_DRAWN}
{CHARGED} AND amount_usd IS NOT NULL
GROUP BY time, tenant
ORDER BY time, tenant
"""
            ),
            stacked=StackingMode.NORMAL,
            from_zero=False,
        ),
        shares(
            About(
                "Charges by token class",
                "Every token is in exactly one: cached input is not in uncached input, reasoning is"
                " not in output. Searches and the like are by their unit.",
                *(USD, 8),
            ),
            sql_rows(_by("what", WHAT)),
            each_row=True,
        ),
        shares(
            About("Charges by time of use", "In which period of the tariff's day.", USD, 8),
            sql_rows(_by("tou_period")),
            each_row=True,
        ),
        bars(
            About("Charges by region", "Where the tokens were served.", USD, 8),
            sql_rows(_by("region")),
            each_row=True,
        ),
        bars(
            About(
                "Charges by service tier",
                "As which tier requests were billed; those that report none are standard.",
                *(USD, 12),
            ),
            sql_rows(_by("tier", TIER)),
            each_row=True,
        ),
        bars(
            About(
                "Charges by length of input",
                "By the threshold that a request's input tokens exceed; 0 is what exceeds none.",
                *(USD, 12),
            ),
            sql_rows(_by("above_input_tokens", "toString(context_band)")),
            each_row=True,
        ),
        rows(
            About(
                "Charges by model",
                "Tokens, charges (searches and the like too), and what a million tokens came to.",
                *(USD, 24, 10),
            ),
            sql_rows(
                f"""
SELECT
    provider,
    model,
    toFloat64(sum(c.tokens)) AS tokens,
    sum(c.amount_usd) AS charged,
    toFloat64(sumIf(c.amount_usd, c.unit = ''))
        / nullIf(sumIf(c.tokens, c.amount_usd IS NOT NULL), 0) * 1000000 AS per_million
{CHARGED.replace("charge_parts", "charge_parts AS c")}
GROUP BY provider, model
ORDER BY charged DESC
"""
            ),
            units={"tokens": TOKENS},
        ),
    ],
)

SQL_BILLS: Final = Page(
    uid="wattoken-sql-bills",
    title="Wattoken SQL · Bills",
    question="Who owes what, for which models, token classes and hours of the day?",
    kind=CLICKHOUSE_TYPE,
    span="30d",
    refresh="5m",
    variables=[
        column_variable("tenant", "usage_hour_parts"),
        column_variable("region", "registers"),
        column_variable("provider", "registers", ("region",)),
        column_variable("model", "registers", ("region", "provider")),
    ],
    sections=[STATEMENTS, CHARGES],
)

"""PURE. The SQL dashboard League: origins and makers, week by week."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.layout import Page, Section
from tools.dashboards.panels import NO_UNIT, RATIO, TOKENS, WEEKS, About, lines, rows, shares
from tools.dashboards.queries import CLICKHOUSE_TYPE, sql_rows, sql_series

_THIS_WEEK: Final = "week_start = (SELECT max(week_start) FROM token_league)"

SQL_LEAGUE: Final = Page(
    uid="wattoken-sql-league",
    title="Wattoken SQL · League",
    question="Whose models led in each week, for how long, and who grows?",
    kind=CLICKHOUSE_TYPE,
    span="1y",
    refresh="5m",
    variables=[],
    sections=[
        Section(
            "Weeks",
            [
                rows(
                    About(
                        "League of the newest week",
                        "Tokens, share, rank, weeks in a row at rank 1, and growth against the week"
                        " and the year before; growth is told of complete weeks only.",
                        *(NO_UNIT, 12, 8),
                    ),
                    sql_rows(
                        f"""
SELECT rank, origin, toFloat64(l.tokens) AS tokens, share, leading_weeks, complete
FROM token_league AS l
WHERE {_THIS_WEEK}
ORDER BY rank
"""
                    ),
                    units={"tokens": TOKENS, "share": RATIO, "leading_weeks": WEEKS},
                ),
                lines(
                    About("Tokens by origin", "By ISO week, UTC.", *(TOKENS, 12, 8)),
                    sql_series(
                        """
SELECT toDateTime(week_start) AS time, origin, toFloat64(sum(tokens)) AS tokens
FROM token_league
WHERE $__dateFilter(week_start)
GROUP BY time, origin
ORDER BY time, origin
"""
                    ),
                ),
                lines(
                    About("Shares by origin", "Part of each ISO week's tokens.", RATIO),
                    sql_series(
                        """
SELECT toDateTime(week_start) AS time, origin, sum(l.share) AS share
FROM token_league AS l
WHERE $__dateFilter(week_start)
GROUP BY time, origin
ORDER BY time, origin
"""
                    ),
                    stacked=StackingMode.NORMAL,
                ),
                lines(
                    About(
                        "Growth by origin",
                        "Tokens of a complete week against the week before.",
                        RATIO,
                    ),
                    sql_series(
                        """
SELECT toDateTime(week_start) AS time, origin, any(growth_week_on_week) AS growth
FROM token_league
WHERE $__dateFilter(week_start) AND growth_week_on_week IS NOT NULL
GROUP BY time, origin
ORDER BY time, origin
"""
                    ),
                    from_zero=False,
                ),
            ],
        ),
        Section(
            "Makers and leaders",
            [
                shares(
                    About("Makers", "Tokens of the newest week, all regions.", *(TOKENS, 12, 9)),
                    sql_rows(
                        """
SELECT author, toFloat64(sum(tokens)) AS tokens
FROM generation_mix
WHERE week_start = (SELECT max(week_start) FROM generation_mix)
GROUP BY author
ORDER BY tokens DESC
LIMIT 15
"""
                    ),
                    each_row=True,
                ),
                rows(
                    About(
                        "Leaders",
                        "Who led each week, with how much, and for how many weeks in a row.",
                        *(NO_UNIT, 12, 9),
                    ),
                    sql_rows(
                        """
SELECT
    week_start, origin, toFloat64(l.tokens) AS tokens, share, leading_weeks, growth_week_on_week,
    growth_year_on_year
FROM token_league AS l
WHERE rank = 1 AND $__dateFilter(week_start)
ORDER BY week_start DESC
"""
                    ),
                    units={
                        "tokens": TOKENS,
                        "share": RATIO,
                        "leading_weeks": WEEKS,
                        "growth_week_on_week": RATIO,
                        "growth_year_on_year": RATIO,
                    },
                ),
            ],
        ),
    ],
)

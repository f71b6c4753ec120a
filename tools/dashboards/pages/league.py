"""PURE. The dashboard League: whose models the tokens of the week come from."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.expressions import (
    AUTHOR_SHARE,
    AUTHOR_TOKENS,
    ORIGIN_GROWTH,
    WEEK_TOKENS,
    told,
)
from tools.dashboards.layout import Page, Section
from tools.dashboards.panels import RATIO, TOKENS, WEEKS, About, bars, figure, lines, rows, shares
from tools.dashboards.queries import PROMETHEUS_TYPE, promql, promql_now

WEEK_SHARE: Final = told("wattoken_week_share_ratio")
LEADING: Final = told("wattoken_leading_weeks")

STANDING: Final = Section(
    "The week so far, by home country of the model's maker",
    [
        figure(
            About("Leader", "Weeks in a row at rank 1, with the origin that leads.", WEEKS, 4, 6),
            promql_now(f"topk(1, {LEADING})", "{{origin}}"),
            named=True,
        ),
        figure(
            About(
                "Leader's share",
                "Part of the week's tokens that the origin with the most has.",
                *(RATIO, 4, 6),
            ),
            promql_now(f"topk(1, {WEEK_SHARE})", "{{origin}}"),
            named=True,
        ),
        figure(
            About("Tokens of the week", "Input and output since Monday, UTC.", TOKENS, 4, 6),
            promql_now(f"sum({WEEK_TOKENS})"),
        ),
        rows(
            About(
                "Table",
                "Tokens, share and weeks in a row at rank 1 of each origin; ISO weeks, UTC.",
                *(TOKENS, 12, 6),
            ),
            promql_now(WEEK_TOKENS, ref="A", as_table=True),
            promql_now(WEEK_SHARE, ref="B", as_table=True),
            promql_now(LEADING, ref="C", as_table=True),
            joined_by="origin",
            hidden=("Time", "Time 1", "Time 2", "Time 3"),
            named={
                "Value #A": "tokens",
                "Value #B": "share",
                "Value #C": "leading",
            },
            units={"tokens": TOKENS, "share": RATIO, "leading": WEEKS},
        ),
    ],
)

COURSE: Final = Section(
    "Course",
    [
        lines(
            About(
                "Shares by origin",
                "Part of the week's tokens; each Monday it starts again.",
                RATIO,
            ),
            promql(WEEK_SHARE, "{{origin}}"),
            stacked=StackingMode.NORMAL,
        ),
        lines(
            About("Tokens of the week by origin", "Running total since Monday, UTC.", TOKENS),
            promql(WEEK_TOKENS, "{{origin}}"),
        ),
        bars(
            About(
                "Growth by origin",
                "Tokens of the week so far against the same moment of the week before; needs a"
                " week of history in Prometheus.",
                RATIO,
            ),
            promql_now(ORIGIN_GROWTH, "{{origin}}"),
            steps=[(None, "red"), (0, "green")],
            from_zero=False,
        ),
        lines(
            About("Weeks at rank 1", "How many weeks in a row each origin leads.", WEEKS),
            promql(LEADING, "{{origin}}"),
        ),
    ],
)

AUTHORS: Final = Section(
    "Makers",
    [
        shares(
            About("Shares by maker", "Tokens of the last 7 days, by maker of the model.", TOKENS),
            promql_now(f"topk(15, {AUTHOR_TOKENS})", "{{author}}"),
        ),
        bars(
            About("Makers in order", "Part of the tokens of the last 7 days.", RATIO),
            promql_now(f"sort_desc(topk(15, {AUTHOR_SHARE}))", "{{author}}"),
        ),
    ],
)

LEAGUE: Final = Page(
    uid="wattoken-league",
    title="Wattoken · League",
    question="Whose models do the tokens of the week come from, who leads, and who grows?",
    kind=PROMETHEUS_TYPE,
    span="7d",
    refresh="1m",
    variables=[],
    sections=[STANDING, COURSE, AUTHORS],
)

"""PURE. A dashboard from its sections: numbering, variables, links, and the JSON of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from schemas.canary import CANARY
from tools.dashboards.panels import Panel
from tools.dashboards.queries import CLICKHOUSE_TYPE, DATASOURCE_VARIABLE, PROMETHEUS_TYPE, source

#: Dashboards with this tag link to each other.
TAG: Final = "wattoken"
Variable = Builder[dashboard.VariableModel]


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard: its id, what it is called, which question it answers, and what it shows.

    ``kind`` is the plug-in its data come from, ``span`` how far back it looks at first.
    """

    uid: str
    title: str
    question: str
    kind: str
    span: str
    refresh: str
    variables: Sequence[Variable]
    sections: Sequence[Section]


def label_variable(name: str, metric: str) -> Variable:
    """Offer the values that a label has on a metric, all of them at first."""
    query = f"label_values({metric}, {name})"
    variable = builders.QueryVariable(name).datasource(source(PROMETHEUS_TYPE))
    # With .* and not all values by name: a new one is shown before the list is read again.
    return _many(variable.query({"query": query, "refId": name}).all_value(".*"), name, query)


def column_variable(name: str, view: str) -> Variable:
    """Offer the values that a column has in a view, all of them at first."""
    canaries = f"WHERE NOT startsWith({name}, '{CANARY}')"
    query = f"SELECT DISTINCT {name} FROM {view} {canaries} ORDER BY {name}"
    return _many(builders.QueryVariable(name).datasource(source(CLICKHOUSE_TYPE)), name, query)


def _many(variable: builders.QueryVariable, name: str, query: str) -> builders.QueryVariable:
    if variable.build().query is None:
        variable.query(query)
    return (
        variable.definition(query)
        .label(name.capitalize())
        .multi(True)
        .include_all(True)
        .current(dashboard.VariableOption(text=["All"], value=["$__all"]))
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def build(page: Page) -> dashboard.Dashboard:
    """Lay the page out: sections one below the other, panels numbered in reading order."""
    made = (
        builders.Dashboard(page.title)
        .uid(page.uid)
        .description(page.question)
        .tags([TAG])
        .timezone("utc")
        .week_start("monday")
        .time(f"now-{page.span}", "now")
        .refresh(page.refresh)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(_other_dashboards())
        .with_variable(_datasource_variable(page.kind))
    )
    for variable in page.variables:
        made.with_variable(variable)
    for section in page.sections:
        made.with_row(builders.Row(section.title))
        for panel in section.panels:
            made.with_panel(panel)
    laid_out = made.build()
    for number, panel_or_row in enumerate(laid_out.panels or [], start=1):
        panel_or_row.id_val = number
    for link in laid_out.links or []:
        # The SDK puts links into a menu of newer Grafanas; they belong beside the variables.
        link.placement = ""
    return laid_out


def as_json(made: dashboard.Dashboard) -> str:
    """Write the dashboard as it is committed: the same text for the same dashboard."""
    return json.dumps(made, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _datasource_variable(kind: str) -> Variable:
    return builders.DatasourceVariable(DATASOURCE_VARIABLE).label("Data source").type(kind)


def _other_dashboards() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Wattoken")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(False)
        .include_vars(False)
    )

"""PURE. A dashboard from its sections: numbering, variables, links, and the JSON of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from schemas.canary import CANARY
from tools.dashboards.annotations import ANNOTATIONS
from tools.dashboards.panels import Panel
from tools.dashboards.queries import (
    CLICKHOUSE_TYPE,
    DATASOURCE_VARIABLES,
    PROMETHEUS_TYPE,
    source,
)

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


def label_variable(name: str, metric: str, within: Sequence[str] = ()) -> Variable:
    """Offer the values that a label has on a metric, all of them at first.

    Only those that go with what is chosen in the variables ``within``.
    """
    matchers = ", ".join(f'{label}=~"${label}"' for label in within)
    query = f"label_values({metric}{f'{{{matchers}}}' if matchers else ''}, {name})"
    variable = builders.QueryVariable(name).datasource(source(PROMETHEUS_TYPE))
    # With .* and not all values by name: a new one is shown before the list is read again.
    return _many(variable.query({"query": query, "refId": name}).all_value(".*"), name, query)


def column_variable(name: str, view: str, within: Sequence[str] = ()) -> Variable:
    """Offer the values that a column has in a view, as `label_variable` does."""
    chosen = "".join(f" AND {column} IN (${{{column}:singlequote}})" for column in within)
    canaries = f"WHERE NOT startsWith({name}, '{CANARY}'){chosen}"
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


#: What the registers are kept by; each offers what there is of those before it.
SERIES_VARIABLES: Final = (
    label_variable("region", "wattoken_requests_total"),
    label_variable("provider", "wattoken_requests_total", ("region",)),
    label_variable("model", "wattoken_requests_total", ("region", "provider")),
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
    if page.kind == PROMETHEUS_TYPE:
        for annotation in ANNOTATIONS:
            made.annotation(annotation)
    for section in page.sections:
        made.with_row(builders.Row(section.title))
        for panel in section.panels:
            made.with_panel(panel)
    laid_out = made.build()
    for number, panel_or_row in enumerate(laid_out.panels or [], start=1):
        panel_or_row.id_val = number
    names = [variable.build().name for variable in page.variables]
    for shown in laid_out.panels or []:
        if isinstance(shown, dashboard.Panel):
            shown.description = _with_what_is_ignored(shown, names)
    return laid_out


def _with_what_is_ignored(panel: dashboard.Panel, names: Sequence[str]) -> str:
    """A panel's description, and which of the dashboard's variables it does not go by."""
    asked = json.dumps(panel.targets or [], cls=JSONEncoder)
    ignored = [f"{name}s" for name in names if not re.search(rf"\$\{{?{name}\b", asked)]
    said = panel.description or ""
    if not ignored or not panel.targets:
        return said
    *others, last = ignored
    return f"{said} Of all {' and '.join([*([', '.join(others)] if others else []), last])}."


def as_document(made: dashboard.Dashboard) -> dict[str, Any]:
    """Give the dashboard as Grafana reads it."""
    document: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    # The SDK puts these into a menu of newer Grafanas; they belong beside the variables.
    for shown in (*document["links"], *document["annotations"].get("list", ())):
        del shown["placement"]
    for variable in document["templating"]["list"]:
        # Of variables of the type "interval", which the SDK says of each.
        for name in ("auto", "auto_count", "auto_min"):
            variable.pop(name, None)
    for panel in document["panels"]:
        # Of tables before Grafana 12.2, which the SDK says of each.
        panel.get("options", {}).pop("footer", None)
    return document


def text_of(document: dict[str, Any]) -> str:
    """Write a document the same way each time."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _datasource_variable(kind: str) -> Variable:
    return builders.DatasourceVariable(DATASOURCE_VARIABLES[kind]).label("Data source").type(kind)


def _other_dashboards() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Wattoken")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
        .include_vars(True)
    )

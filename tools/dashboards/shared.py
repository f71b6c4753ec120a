"""PURE. A dashboard as it is shared: what it needs, and what whoever imports it is asked for.

Grafana's import, by hand or from grafana.com, asks for each of ``__inputs`` and puts the answer
wherever ``${NAME}`` stands: here into the variable that chooses the data source, which can be
changed at the top of the dashboard later. Provisioning asks nobody, so it has the dashboards
without.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from tools.dashboards.queries import CLICKHOUSE_TYPE, DATASOURCE_VARIABLES, PROMETHEUS_TYPE

#: Of docker-compose.yml, which the dashboards are made for; tests hold them equal.
GRAFANA_VERSION: Final = "12.2.1"


@dataclass(frozen=True, slots=True)
class _Source:
    """A plug-in that data come from, and what the import calls the one it asks for."""

    plugin: str
    name: str
    version: str
    asked: str
    description: str


SOURCES: Final = {
    source.plugin: source
    for source in (
        _Source(
            PROMETHEUS_TYPE,
            "Prometheus",
            "1.0.0",
            "DS_PROMETHEUS",
            "It scrapes the exporter and loads Wattoken's recording rules.",
        ),
        _Source(
            CLICKHOUSE_TYPE,
            "ClickHouse",
            "4.20.0",
            "DS_CLICKHOUSE",
            "Wattoken's database is its default database.",
        ),
    )
}
#: What Grafana calls the panels that there are.
PANELS: Final = {
    "alertlist": "Alert list",
    "bargauge": "Bar gauge",
    "piechart": "Pie chart",
    "stat": "Stat",
    "table": "Table",
    "timeseries": "Time series",
    "trend": "Trend",
}


def shared(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """Give a dashboard whose data come from the plug-in ``kind`` in the form that is shared."""
    source = SOURCES[kind]
    made = deepcopy(document)
    for variable in made["templating"]["list"]:
        if variable["name"] == DATASOURCE_VARIABLES[kind]:
            chosen = f"${{{source.asked}}}"
            variable["current"] = {"selected": False, "text": chosen, "value": chosen}
    panels = sorted({panel["type"] for panel in made["panels"]} - {"row"})
    made["__inputs"] = [
        {
            "name": source.asked,
            "label": source.name,
            "description": source.description,
            "type": "datasource",
            "pluginId": source.plugin,
            "pluginName": source.name,
        }
    ]
    made["__elements"] = {}
    made["__requires"] = [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": GRAFANA_VERSION},
        {
            "type": "datasource",
            "id": source.plugin,
            "name": source.name,
            "version": source.version,
        },
        *({"type": "panel", "id": name, "name": PANELS[name], "version": ""} for name in panels),
    ]
    # Numbered by the Grafana that takes it.
    made["id"] = None
    return made

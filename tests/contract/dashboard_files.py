"""Grafana's dashboards as the tests read them: panels, queries, variables, rules they use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from services.local_stack.prometheus import RULES
from tests.contract.compose_file import ROOT

GRAFANA = ROOT / "deploy/grafana"
METRICS = sorted((GRAFANA / "dashboards/metrics").glob("*.json"))
SQL = sorted((GRAFANA / "dashboards/sql").glob("*.json"))
Dashboard = dict[str, Any]
Panel = dict[str, Any]


def load(path: Path) -> Dashboard:
    """A dashboard as Grafana reads it."""
    loaded = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def panels(dashboard: Dashboard) -> list[Panel]:
    """All panels, those under headings too, without the headings."""
    nested = [inner for panel in dashboard["panels"] for inner in panel.get("panels", [])]
    return [panel for panel in [*dashboard["panels"], *nested] if panel["type"] != "row"]


def variables(dashboard: Dashboard) -> dict[str, dict[str, Any]]:
    """The variables by name, the data source among them."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def queries(dashboard: Dashboard) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each panel's queries, under the panel's title; a list of alerts has none."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            yield f"{panel['title']} ({target['refId']})", target


def recording_rules() -> dict[str, str]:
    """Each recording rule's expression by its name."""
    return {
        rule["record"]: str(rule["expr"])
        for path in sorted(RULES.glob("*.y*ml"))
        for group in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("groups", [])
        for rule in group["rules"]
        if "record" in rule
    }

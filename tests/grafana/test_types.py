"""Each dashboard is one by Grafana's own TypeScript types, and what is none is seen."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from services.local_stack.errors import ComponentMissing
from tests.contract.compose_file import theirs
from tests.contract.dashboard_files import GRAFANA, Dashboard, load
from tests.grafana.types import SCHEMAS, complaints
from tests.integration.conftest import missing
from tests.npm_package import NpmPackage

FILES = {
    kind: sorted((GRAFANA / folder).rglob("*.json"))
    for kind, folder in (("Provisioned", "dashboards"), ("Shared", "shared"))
}
GRID = load(GRAFANA / "dashboards/metrics/grid.json")


def panel_of(dashboard: Dashboard, kind: str) -> Any:
    return next(panel for panel in dashboard["panels"] if panel["type"] == kind)


def broken() -> dict[str, Dashboard]:
    """Dashboards with one fault each, by the words that TypeScript must have for it."""
    made = {
        name: deepcopy(GRID)
        for name in (
            *("titel", "colorMode", "fillOpacity", "expr", "refresh", "keepTime", "thresholds"),
            *("placement", "footer", "stateFilter", "mode", "iconColor"),
        )
    }
    made["titel"]["titel"] = made["titel"].pop("title")
    panel_of(made["colorMode"], "stat")["options"]["colorMode"] = "rainbow"
    custom = panel_of(made["fillOpacity"], "timeseries")["fieldConfig"]["defaults"]["custom"]
    custom["fillOpacity"] = "40"
    del panel_of(made["expr"], "stat")["targets"][0]["expr"]
    made["refresh"]["refresh"] = 15
    made["keepTime"]["links"][0]["keepTime"] = "yes"
    panel_of(made["thresholds"], "bargauge")["fieldConfig"]["defaults"]["thresholds"] = []
    made["placement"]["links"][0]["placement"] = ""
    panel_of(made["footer"], "table")["options"]["footer"] = {"show": True}
    del panel_of(made["stateFilter"], "alertlist")["options"]["stateFilter"]["firing"]
    panel_of(made["mode"], "timeseries")["options"]["tooltip"]["mode"] = "some"
    del made["iconColor"]["annotations"]["list"][0]["iconColor"]
    return made


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.version)
def test_grafanas_types_take_each_dashboard_and_no_broken_one(
    schema: NpmPackage, tmp_path: Path
) -> None:
    asked = {
        re.sub(r"\W", "_", str(path.relative_to(GRAFANA))): (kind, load(path))
        for kind, paths in FILES.items()
        for path in paths
    }
    wrong = {f"broken_{name}": ("Provisioned", document) for name, document in broken().items()}
    try:
        said = complaints(tmp_path, schema, {**asked, **wrong}, print)
    except ComponentMissing as error:
        missing(error)
    assert {name: said[name] for name in asked if name in said} == {}
    assert said.keys() == wrong.keys()
    for name in broken():
        assert name in said[f"broken_{name}"], said[f"broken_{name}"]


def test_one_schema_is_that_of_the_grafana_that_compose_runs() -> None:
    image = theirs()["grafana"]["image"]
    assert image.startswith(f"grafana/grafana:{SCHEMAS[0].version}@")
    assert len(json.dumps(GRID)) > 1000

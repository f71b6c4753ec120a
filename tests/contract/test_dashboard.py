"""Grafana's dashboard asks for metrics that the exporter has, by labels that they bear."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.exporter.collector import METRICS, exposed_name
from tests.contract import compose_file
from tests.contract.compose_file import ROOT, theirs

GRAFANA = ROOT / "deploy/grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
MEANINGS = {exposed_name(meaning): meaning for meaning in METRICS}
#: What Grafana puts in for its variables, for a query that Prometheus can read.
VARIABLES = {"$__rate_interval": "1m", "$region": ".*"}


def load(path: Path) -> dict[str, Any]:
    loaded = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def expressions(dashboard: dict[str, Any]) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [*found, *(variable["definition"] for variable in dashboard["templating"]["list"])]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_every_metric_and_label_is_in_the_exporters_table(path: Path) -> None:
    for expression in expressions(load(path)):
        names = set(re.findall(r"\bwattoken_\w+", expression))
        assert names, expression
        assert names <= set(MEANINGS), f"{names - set(MEANINGS)} in {expression}"
        used = set(re.findall(r"(\w+)\s*[=!]~?\"", expression))
        used |= {
            label.strip()
            for labels in re.findall(r"\bby \(([^)]*)\)", expression)
            for label in labels.split(",")
        }
        for name in names:
            assert used <= set(MEANINGS[name].labels), f"{used} on {name} in {expression}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_counters_are_rated_or_summed_as_totals(path: Path) -> None:
    for expression in expressions(load(path)):
        for name in re.findall(r"rate\((wattoken_\w+)", expression):
            assert MEANINGS[name].type == "counter", expression


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_say_what_they_show_and_use_the_provisioned_source(path: Path) -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    uid = sources["datasources"][0]["uid"]
    dashboard = load(path)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == uid
        assert all(target["datasource"]["uid"] == uid for target in panel["targets"])


def test_what_a_dashboard_must_show_is_there() -> None:
    shown = " ".join(text for path in DASHBOARDS for text in expressions(load(path)))
    for name in (
        *("wattoken_input_tokens_total", "wattoken_output_tokens_total", "wattoken_up"),
        *("wattoken_consumer_lag_messages", "wattoken_events_rejected_total"),
    ):
        assert name in shown
    titles = {panel["title"] for path in DASHBOARDS for panel in load(path)["panels"]}
    assert {"Load by region", "Tokens by model", "Registers", "Rejected"} <= titles


def test_provisioning_points_at_what_compose_mounts_and_runs() -> None:
    grafana = theirs()["grafana"]
    mounts = {target: source for source, target, _ in compose_file.volumes(grafana)}
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/wattoken.yml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    assert (ROOT / mounts[folder]).resolve() == GRAFANA / "dashboards"
    assert (ROOT / mounts["/etc/grafana/provisioning"]).resolve() == GRAFANA / "provisioning"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / Path(home).name).exists()
    assert Path(home).parent == Path(folder)
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    prometheus = compose_file.published(theirs()["prometheus"])[0]
    assert source["datasources"][0]["url"] == f"http://prometheus:{prometheus[2]}"
    scrape = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    interval = source["datasources"][0]["jsonData"]["timeInterval"]
    assert interval == scrape["global"]["scrape_interval"]

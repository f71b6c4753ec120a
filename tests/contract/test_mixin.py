"""The mixin: Jsonnet makes of it what the rest of deploy/ ships, and what its settings say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.local_stack.errors import ComponentMissing
from services.local_stack.prometheus import RULES
from tests.contract.compose_file import ROOT
from tests.contract.dashboard_files import METRICS, SQL, load
from tests.contract.jsonnet import evaluate
from tests.contract.test_prometheus_rules import anchors
from tests.integration.conftest import missing

Mixin = dict[str, Any]
#: How it is imported once jsonnet-bundler has the folder deploy/ below vendor/.
VENDORED = "github.com/wattoken/wattoken/deploy"


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What jsonnet-bundler makes of ``jb install …/deploy``: that folder and nothing beside it."""
    folder = tmp_path_factory.mktemp("vendor")
    shutil.copytree(ROOT / "deploy", folder / VENDORED, symlinks=True)
    return folder


def mixin(vendor: Path, changes: str = "{}") -> Mixin:
    """What others read of the mixin, with changes to it."""
    try:
        found = evaluate(
            f"local it = (import '{VENDORED}/mixin/mixin.libsonnet') + {changes};"
            "{ [name]: it[name] for name in std.objectFieldsAll(it) }",
            vendor,
        )
    except ComponentMissing as error:
        missing(error)
    assert isinstance(found, dict)
    return found


def shipped_groups() -> dict[str, Any]:
    """Each group of rules by its name."""
    groups = [
        group
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    assert len({group["name"] for group in groups}) == len(groups)
    return {group["name"]: group for group in groups}


def groups_of(found: Mixin, *of: str) -> dict[str, Any]:
    return {group["name"]: group for name in of for group in found[name]["groups"]}


def alerts_of(found: Mixin) -> list[dict[str, Any]]:
    return [rule for group in found["prometheusAlerts"]["groups"] for rule in group["rules"]]


def test_its_dashboards_are_those_that_are_provisioned(vendor: Path) -> None:
    shipped = {f"{load(path)['uid']}.json": load(path) for path in (*METRICS, *SQL)}
    assert mixin(vendor)["grafanaDashboards"] == shipped


def test_its_rules_are_those_that_prometheus_loads(vendor: Path) -> None:
    found = mixin(vendor)
    assert groups_of(found, "prometheusAlerts", "prometheusRules") == shipped_groups()
    assert all("alert" in rule for rule in alerts_of(found))
    recorded = groups_of(found, "prometheusRules").values()
    assert all("record" in rule for group in recorded for rule in group["rules"])


def test_it_has_the_names_that_every_mixin_has(vendor: Path) -> None:
    assert {"grafanaDashboards", "prometheusAlerts", "prometheusRules", "_config"} <= set(
        mixin(vendor)
    )


def test_the_example_of_the_page_does_what_it_says(vendor: Path) -> None:
    page = (ROOT / "docs/dashboards.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```jsonnet\n(.*?)```", page, re.DOTALL)
    config = evaluate("(import 'mixin/config.libsonnet')._config", ROOT / "deploy")
    assert all(f"`{name}`" in page for name in config)
    found = evaluate(f"({example}).prometheusAlerts", vendor)
    text = json.dumps(found)
    assert 'job=~\\"metering/ingest\\"' in text and "WattokenReserveMarginLow" not in text
    assert '"team": "metering"' in text


def test_it_joins_another_mixin(vendor: Path) -> None:
    other = (
        "{ prometheusAlerts+:: { groups+: [{ name: 'other', rules: [] }] },"
        " grafanaDashboards+:: { 'other.json': {} } }"
    )
    found = mixin(vendor, other)
    assert {"other", "wattoken-alerts"} <= set(groups_of(found, "prometheusAlerts"))
    assert {"other.json", "wattoken-grid.json"} <= set(found["grafanaDashboards"])


def test_jobs_can_have_other_names(vendor: Path) -> None:
    config = "exporterJobs: 'x', ingestJobs: 'in|out', aggregatorJobs: 'workers', canaryJobs: 'c'"
    text = json.dumps(mixin(vendor, f"{{ _config+:: {{ {config} }} }}")["prometheusAlerts"])
    assert "wattoken-)?" not in text
    for jobs in ("x", "in|out", "workers", "in|out|workers|c"):
        assert f'job=~\\"{jobs}\\"' in text


def test_every_job_that_a_rule_asks_for_can_be_renamed() -> None:
    """Else a setting of the mixin would silently do nothing for it."""
    known = evaluate("(import 'mixin/config.libsonnet')._config", ROOT / "deploy")
    jobs = {known[f"{name}Jobs"] for name in ("exporter", "ingest", "aggregator", "canary")}
    for group in shipped_groups().values():
        for rule in group["rules"]:
            for _, _, rest in (part.partition("job=~") for part in rule["expr"].split("{")[1:]):
                for job in filter(None, rest.partition("}")[0].strip('"').split("|")):
                    assert job in jobs, rule


def test_the_runbook_can_lie_elsewhere(vendor: Path) -> None:
    url = "https://wiki.example/wattoken"
    found = mixin(vendor, f"{{ _config+:: {{ runbookURL: '{url}' }} }}")
    known = anchors((ROOT / "docs/runbook.md").read_text(encoding="utf-8"))
    for alert in alerts_of(found):
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert (page, anchor in known) == (url, True)


def test_alerts_take_labels_and_can_be_left_out(vendor: Path) -> None:
    config = "alertLabels: { team: 'metering' }, alertsLeftOut: ['WattokenReserveMarginLow']"
    before, found = mixin(vendor), mixin(vendor, f"{{ _config+:: {{ {config} }} }}")
    assert all(alert["labels"]["team"] == "metering" for alert in alerts_of(found))
    left_out = {alert["alert"] for alert in alerts_of(before)} - {
        alert["alert"] for alert in alerts_of(found)
    }
    assert left_out == {"WattokenReserveMarginLow"}
    assert found["prometheusRules"] == before["prometheusRules"]


def test_dashboards_take_tags_and_sql_can_be_left_out(vendor: Path) -> None:
    config = "dashboardTags: ['ai', 'meter'], sqlDashboards: false"
    dashboards = mixin(vendor, f"{{ _config+:: {{ {config} }} }}")["grafanaDashboards"]
    assert set(dashboards) == {f"{load(path)['uid']}.json" for path in METRICS}
    for dashboard in dashboards.values():
        assert dashboard["tags"] == ["ai", "meter"]
        assert [link["tags"] for link in dashboard["links"]] == [["ai"]]

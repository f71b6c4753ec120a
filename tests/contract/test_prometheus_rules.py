"""Prometheus' configuration and rules: valid, tested one by one, each alert with its runbook."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.aggregator.metrics import REGISTRY
from services.canary.metrics import CanaryMetrics
from services.exporter.metric_definitions import METRICS, exposed_name
from services.ingest.metrics import IngestMetrics
from services.local_stack.prometheus import RULES, prometheus_config
from tests.contract import compose_file
from tests.contract.compose_file import ROOT, theirs
from tests.docs.blocks import block, blocks

CASES = Path(__file__).with_name("rule_tests")
FILES = sorted(RULES.glob("*.yml"))
#: The rules that each file of cases is about, and those that these stand on: all rules for all
#: cases would take minutes.
RULES_OF = {
    "recording.yml": ("recording.yml",),
    "alerts.yml": ("recording.yml", "alerts.yml"),
    "objectives.yml": ("objectives.yml",),
}
#: Where a page of the docs can be read, whoever asks.
PAGES = (
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
        "Repository"
    ]
    + "/blob/main/"
)


def promtool_says(promtool: Path, *arguments: str | Path) -> tuple[int, str]:
    # Go's collector takes a sixth of the time that the cases take, to keep little memory.
    env = {**os.environ, "GOGC": "400"}
    done = subprocess.run(
        [promtool, *arguments], env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def rules() -> Iterator[dict[str, Any]]:
    for path in FILES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def cases() -> list[dict[str, Any]]:
    return [
        case
        for path in sorted(CASES.glob("*.yml"))
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    ]


def run_cases(promtool: Path, folder: Path, rules_folder: Path = RULES) -> tuple[int, str]:
    """Run all rule tests on the rules of a folder."""
    filled = []
    for path in sorted(CASES.glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        paths = json.dumps([str(rules_folder / name) for name in RULES_OF[path.name]])
        filled.append(folder / path.name)
        filled[-1].write_text(text.replace("rule_files: RULES", f"rule_files: {paths}"))
    return promtool_says(promtool, "test", "rules", *filled)


def test_compose_prometheus_takes_its_configuration(promtool: Path) -> None:
    mounts = {target: source for source, target, _ in compose_file.volumes(theirs()["prometheus"])}
    assert (ROOT / mounts["/etc/prometheus/rules"]).resolve() == RULES.resolve()
    config = ROOT / mounts["/etc/prometheus/prometheus.yml"]
    code, said = promtool_says(promtool, "check", "config", config)
    assert code == 0, said
    assert all(f"{path.name}\n" in said for path in FILES), "a rule file is not loaded"


def test_local_prometheus_takes_its_configuration(promtool: Path, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(prometheus_config(tmp_path))
    code, said = promtool_says(promtool, "check", "config", config)
    assert code == 0, said
    assert all(f"{path.name}\n" in said for path in FILES), "a rule file is not loaded"


def test_the_queries_of_all_pages_are_promql(promtool: Path, tmp_path: Path) -> None:
    """Each line of a block is a query of its own."""
    queries = [
        line.partition(" # ")[0].strip()
        for each in blocks("promql")
        for line in each.text.splitlines()
        if line.strip()
    ]
    assert len(queries) >= 4
    rules = [{"record": f"page:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "pages.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": rules}]}))
    code, said = promtool_says(promtool, "check", "rules", path)
    assert code == 0, said


def test_the_scrape_over_tls_that_is_shown_is_taken(promtool: Path, tmp_path: Path) -> None:
    shown = block("docs/gateways.md", "yaml", "- job_name: ingest")
    config = tmp_path / "prometheus.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": yaml.safe_load(shown.text)}))
    # The authority's file is the reader's.
    code, said = promtool_says(promtool, "check", "config", "--syntax-only", config)
    assert code == 0, said


def test_each_rule_does_what_its_cases_say(promtool: Path, tmp_path: Path) -> None:
    assert {name for names in RULES_OF.values() for name in names} == {file.name for file in FILES}
    code, said = run_cases(promtool, tmp_path)
    assert code == 0, said


@pytest.mark.nightly
@pytest.mark.parametrize("expression", ["vector(1) > 2", "vector(1)"], ids=["never", "always"])
def test_the_cases_notice_an_alert_that_never_or_always_fires(
    promtool: Path, tmp_path: Path, expression: str
) -> None:
    broken = tmp_path / "rules"
    broken.mkdir()
    for path in FILES:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            # Nothing asks for what is recorded any more, and to record it takes most of the time.
            group["rules"] = [rule for rule in group["rules"] if "alert" in rule]
            for rule in group["rules"]:
                rule["expr"] = expression
        (broken / path.name).write_text(yaml.safe_dump(document))
    code, said = run_cases(promtool, tmp_path, broken)
    assert code != 0
    noticed = set(re.findall(r"alertname: (\w+)", said))
    assert noticed == {alert["alert"] for alert in alerts()}, said


def test_each_rule_has_cases_and_each_alert_fires_and_does_not() -> None:
    asked = " ".join(
        check["expr"] for case in cases() for check in case.get("promql_expr_test", ())
    )
    assert all(rule["record"] in asked for rule in rules() if "record" in rule)
    for alert in alerts():
        outcomes = {
            bool(check.get("exp_alerts"))
            for case in cases()
            for check in case.get("alert_rule_test", ())
            if check["alertname"] == alert["alert"]
        }
        assert outcomes == {True, False}, f"{alert['alert']} is seen {outcomes}"


def of_the_aggregator() -> set[str]:
    """The names of its own metrics, as Prometheus sees them."""
    return {sample.name for family in REGISTRY.collect() for sample in family.samples}


def test_rules_use_metrics_that_there_are() -> None:
    known = {exposed_name(meaning) for meaning in METRICS} | of_the_aggregator()
    for registry in (IngestMetrics().registry, CanaryMetrics().registry):
        for metric in registry.collect():
            known.add(f"{metric.name}_total" if metric.type == "counter" else metric.name)
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for name in recorded:
        assert re.fullmatch(r"[a-z]+:wattoken_[a-z_]+:(rate\d+m|ratio(_rate\d+[mhd])?)", name)
    for rule in rules():
        used = set(re.findall(r"[\w:]*wattoken_[\w:]+", rule["expr"]))
        assert used <= known | recorded, f"{used - known - recorded} in {rule['expr']}"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["for"]
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["description"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook_url"].removeprefix(PAGES).partition("#")
    assert page == "docs/runbook.md", "an address that can be opened from anywhere"
    text = (ROOT / page).read_text(encoding="utf-8")
    assert anchor in anchors(text)
    assert alert["alert"] in text, f"{page} does not name {alert['alert']}"

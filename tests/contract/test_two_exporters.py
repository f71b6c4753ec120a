"""Two exporters of one meter: no expression that is shipped says anything else than with one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.local_stack.prometheus import RULES
from tests.contract import dashboard_files
from tests.contract.dashboard_files import load, queries
from tests.contract.test_prometheus_rules import CASES, RULES_OF, alerts, rules
from tests.contract.two_exporters import (
    Answer,
    Case,
    answers,
    cases_of,
    whatever_exporter,
    world,
)

#: What a dashboard has in place of it; weeks are hours here.
FILLED = {"$__rate_interval": "5m", "$__range": "1h", "[7d]": "[70m]", "offset 1w": "offset 70m"}
#: What a release of Prometheus adds up it adds up alike in all of them.
pytestmark = pytest.mark.parametrize("promtool", ["of the local stack"], indirect=True)
FILES = [RULES / name for name in RULES_OF["alerts.yml"]]


def filled(expression: str) -> str:
    """An expression of a dashboard as Prometheus is asked it, everything chosen."""
    for text, value in FILLED.items():
        expression = expression.replace(text, value)
    for name in ("region", "provider", "model"):
        expression = expression.replace(f'"${name}"', '".*"')
    assert "$" not in expression
    return expression


def of_dashboards() -> list[str]:
    """Every expression of every panel, and of what is marked on the time."""
    found: set[str] = set()
    for path in dashboard_files.METRICS:
        found |= {filled(target["expr"]) for _, target in queries(load(path))}
        found |= {annotation["expr"] for annotation in load(path)["annotations"]["list"]}
    return sorted(found)


def alike(one: Answer, two: Answer) -> bool:
    return one.keys() == two.keys() and all(
        math.isclose(one[labels], two[labels], rel_tol=1e-9) for labels in one
    )


def compared(promtool: Path, folder: Path, files: list[Path], *cases: Case) -> list[Answer]:
    """The answers with one exporter, once two have said the same."""
    found: list[Answer] = []
    for case, one, two in answers(promtool, folder, files, cases):
        different = [
            f"{expression}: {a} with one, {b} with two"
            for (expression, _), a, b in zip(case.questions, one, two, strict=True)
            if not alike(a, b)
        ]
        assert not different, f"{case.name}: {different}"
        found += one
    return found


def test_each_expression_of_a_dashboard_says_the_same(promtool: Path, tmp_path: Path) -> None:
    asked = of_dashboards()
    assert len(asked) > 60
    found = compared(promtool, tmp_path, FILES, world(asked))
    empty = [expression for expression, answer in zip(asked, found, strict=True) if not answer]
    assert not empty, "nothing is proven of what has no answer"
    # By their own labels, and not once for each exporter.
    assert not any(label == "instance" for one in found for labels in one for label, _ in labels)


def test_each_rule_says_the_same_of_a_world_with_everything(promtool: Path, tmp_path: Path) -> None:
    asked = [one for rule in rules() for one in whatever_exporter(rule["expr"])]
    compared(promtool, tmp_path, FILES, world(asked))


@pytest.mark.nightly
@pytest.mark.parametrize("name", RULES_OF)
def test_each_rule_says_the_same_in_all_its_cases(
    promtool: Path, tmp_path: Path, name: str
) -> None:
    expressions = {alert["alert"]: alert["expr"] for alert in alerts()}
    document: dict[str, Any] = yaml.safe_load((CASES / name).read_text(encoding="utf-8"))
    files = [RULES / file for file in RULES_OF[name]]
    found = compared(promtool, tmp_path, files, *cases_of(document, expressions))
    assert sum(map(bool, found)) > 20


def test_an_expression_that_doubles_would_be_seen(promtool: Path, tmp_path: Path) -> None:
    doubling = world(
        [
            "sum(wattoken_requests_total)",
            "sum by (region) (rate(wattoken_input_tokens_total[5m]))",
            "count(wattoken_up)",
            "sum(wattoken_week_tokens) / max(wattoken_week_tokens)",
        ]
    )
    ((_, one, two),) = answers(promtool, tmp_path, [], [doubling])
    assert not any(map(alike, one, two))

"""docs/kubernetes.md, docs/traces.md: values render, the refusal is what Helm says, files exist."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.contract.compose_file import ROOT
from tests.helm.chart import SIZES, Chart, Refused, at, of_size

PAGE = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
TRACES = (ROOT / "docs/traces.md").read_text(encoding="utf-8")
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = YAML.findall(PAGE)
COMMANDS = "\n".join(re.findall(r"^```shell\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_it_has_values_and_commands() -> None:
    assert len(BLOCKS) == 4
    assert COMMANDS.count("helm ") == 4


@pytest.mark.parametrize(
    "block", [*BLOCKS, *YAML.findall(TRACES)], ids=lambda block: block.split("\n")[0]
)
def test_its_values_are_taken(chart: Chart, block: str) -> None:
    values = yaml.safe_load(block)
    assert chart.render(values)


def test_what_it_sets_by_hand_is_taken(chart: Chart) -> None:
    found = re.findall(r"--set ([\w.]+)=(\S*)", COMMANDS)
    assert len(found) == 6
    for path, text in found:
        assert chart.render(at(path, yaml.safe_load(text) if text != "" else ""))


def test_its_refusal_is_what_is_said(chart: Chart) -> None:
    (quoted,) = re.findall(r"^```text\n(Error: .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with pytest.raises(Refused) as refused:
        chart.render(at("aggregator.replicas", 20))
    said = " ".join(str(refused.value).split())
    # `helm install` says first that it was the installation that failed.
    assert " ".join(quoted.split()).replace("INSTALLATION FAILED: ", "") in said


def test_it_says_what_the_sizes_are() -> None:
    for size in SIZES:
        assert f"../deploy/helm/wattoken/values-{size}.yaml" in PAGE
        assert of_size(size)

"""Files and documents that pages show, "yaml" and "json", read by what reads such a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from schemas.catalogue.catalogue import TariffsFile, TouFile
from schemas.catalogue.loading import load_energy, read_file
from schemas.catalogue.rates import RatesFile
from services.billing.settings import read_terms
from services.ingest.adapters import provider_usage
from services.operate.doctor.commands import document
from services.operate.doctor.finding import Finding, Level
from tests.docs.blocks import ROOT, Block, blocks

#: Pages whose blocks a test of their own takes, each with it.
ELSEWHERE: Final = {
    ("docs/kubernetes.md", "yaml"): "tests/helm/test_page.py",
    ("docs/traces.md", "yaml"): "tests/helm/test_page.py",
}
#: Blocks that need a program: by how they begin.
BEGINNINGS_ELSEWHERE: Final = {
    "extensions:": "tests/otel_collector/process.py",
    "- job_name: ingest": "tests/contract/test_prometheus_rules.py",
}


def without_gaps(text: str) -> str:
    """A text without what the page leaves out of it, which it says with an ellipsis."""
    return re.sub(r"^\s*- …\n|, …", "", text, flags=re.MULTILINE)


def energy(folder: Path, text: str) -> None:
    (folder / "energy.yaml").write_text(text, encoding="utf-8")
    assert load_energy(folder)


def terms(folder: Path, text: str) -> None:
    (folder / "terms.yaml").write_text(text, encoding="utf-8")
    assert read_terms(folder / "terms.yaml").tenants


def rates(folder: Path, text: str) -> None:
    (folder / "rates.yaml").write_text(text, encoding="utf-8")
    assert read_file(folder / "rates.yaml", RatesFile).rates


def tariffs(folder: Path, text: str) -> None:
    whole = f'version: "1"\ntariffs:\n{text}'
    (folder / "tariffs.yaml").write_text(whole, encoding="utf-8")
    assert read_file(folder / "tariffs.yaml", TariffsFile).tariffs


def calendars(folder: Path, text: str) -> None:
    (folder / "tou.yaml").write_text(f'version: "1"\n{text}', encoding="utf-8")
    assert read_file(folder / "tou.yaml", TouFile).calendars


def doctors(_: Path, text: str) -> None:
    """It has the fields that `wattoken doctor --json` prints."""
    shown = json.loads(text)
    finding = Finding(Level.WARNING, "what", "found", "remedy")
    real = document([("retention", finding)], datetime(2026, 11, 27, 12, tzinfo=UTC))
    assert shown.keys() == real.keys()
    assert shown["findings"][0].keys() == real["findings"][0].keys()
    assert (shown["version"], shown["result"]) == (real["version"], real["result"])


def portkeys(_: Path, text: str) -> None:
    (hook,) = json.loads(text)["after_request_hooks"]
    parameters: dict[str, Any] = hook["checks"][0]["parameters"]
    assert parameters["logURL"].endswith("/v1/portkey")
    assert json.loads(parameters["headers"])["Authorization"].startswith("Bearer wtk_")


def stream(_: Path, text: str) -> None:
    """It is metered as the page says: the input of the first, the latest output."""
    shown = json.loads(text)
    usage = provider_usage.read(shown["usage"], shown["usage_format"])
    assert (usage.input_tokens, usage.output_tokens) == (1850, 503)


def beside_production(_: Path, text: str) -> None:
    """It changes what deploy/compose/production.yml has: a volume at a place that is one there."""
    whole = yaml.safe_load((ROOT / "deploy/compose/production.yml").read_text(encoding="utf-8"))
    for name, service in yaml.safe_load(text)["services"].items():
        there = [one for one in whole["services"][name]["volumes"] if isinstance(one, dict)]
        for volume in service["volumes"]:
            _, target, mode = volume.split(":")
            assert (target, mode) in [(one["target"], "ro") for one in there if one["read_only"]]


#: By page and first line: what reads it.
READERS: Final[dict[tuple[str, str], Callable[[Path, str], None]]] = {
    ("docs/containers.md", "services:"): beside_production,
    ("docs/energy.md", 'version: "1"'): energy,
    ("docs/statements.md", 'version: "1"'): terms,
    ("docs/statements.md", 'version: "2026-11-02"'): rates,
    ("docs/tariffs.md", "- tariff: gpt-5.6-luna"): tariffs,
    ("docs/tariffs.md", "holidays:"): calendars,
    ("docs/doctor.md", "{"): doctors,
    ("docs/gateways.md", '{"usage_format": "anthropic",'): stream,
    (
        "docs/gateways.md",
        '{"after_request_hooks": [{"type": "guardrail", "checks": [{"id": ',
    ): portkeys,
}


def reader(block: Block) -> Callable[[Path, str], None] | str | None:
    """What reads a block: a function here, or another test's file."""
    for (page, begins), read in READERS.items():
        if page == block.page and block.first_line.startswith(begins):
            return read
    return ELSEWHERE.get((block.page, block.language)) or BEGINNINGS_ELSEWHERE.get(block.first_line)


@pytest.mark.parametrize("block", blocks("yaml", "json"), ids=lambda block: block.at)
def test_what_reads_such_a_file_takes_it(block: Block, tmp_path: Path) -> None:
    read = reader(block)
    assert read, f"{block.at}: nothing reads this {block.language}; add what does to READERS here"
    if isinstance(read, str):
        text = (ROOT / read).read_text(encoding="utf-8")
        assert block.page.rpartition("/")[2] in text, f"{read} does not read {block.page}"
    else:
        read(tmp_path, without_gaps(block.text))

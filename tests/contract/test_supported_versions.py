"""What is pinned is tested, what is tested is what is supported, and a page says so."""

from __future__ import annotations

import re
import tomllib

import pytest

from services.platform.supported import (
    CLICKHOUSE,
    KAFKA,
    PROMETHEUS,
    PYTHON,
    Supported,
    minor_release,
)
from tests.contract.compose_file import DOCKERFILE, ROOT, theirs
from tests.versions import clickhouse, kafka

PAGE = ROOT / "docs" / "supported-versions.md"
#: Where people may find an image to run.
PLACES = ("*.yml", "*.yaml", "*.md", "Dockerfile*")
IMAGES = {
    "clickhouse/clickhouse-server": CLICKHOUSE,
    "apache/kafka": KAFKA,
    "prom/prometheus": PROMETHEUS,
}
#: No registry has a server of it: dashboards are checked query by query, against what answers them.
NOT_TESTED = {"grafana/grafana"}
TESTED = {
    "clickhouse/clickhouse-server": {minor_release(one) for one in clickhouse.tested_versions()},
    "apache/kafka": {minor_release(one) for one in kafka.tested_versions()},
    # Debian's stable and unstable suites have them.
    "prom/prometheus": {PROMETHEUS.oldest, PROMETHEUS.newest},
}


def pinned(repository: str) -> set[str]:
    """Every tag of an image that any file of the tree names."""
    found: set[str] = set()
    for folder in (ROOT, ROOT / "deploy", ROOT / "docs"):
        for pattern in PLACES:
            paths = folder.glob(pattern) if folder == ROOT else folder.rglob(pattern)
            for path in paths:
                text = path.read_text(encoding="utf-8")
                found |= set(re.findall(rf"\b{re.escape(repository)}:([\w.-]+)", text))
    return found


def test_every_image_of_others_is_accounted_for() -> None:
    named = {service["image"].partition(":")[0] for service in theirs().values()}
    assert named == IMAGES.keys() | NOT_TESTED


@pytest.mark.parametrize("repository", IMAGES)
def test_what_is_pinned_is_tested(repository: str) -> None:
    """The same minor release counts: its patches come from the same branch."""
    tags = pinned(repository)
    assert tags
    for tag in tags:
        assert minor_release(tag) in TESTED[repository], f"{repository}:{tag} is not tested"
        assert minor_release(tag) in IMAGES[repository]


@pytest.mark.parametrize("repository", IMAGES)
def test_both_ends_of_a_range_are_tested(repository: str) -> None:
    tested, supported = TESTED[repository], IMAGES[repository]
    assert (min(tested), max(tested)) == (supported.oldest, supported.newest)


def test_python_is_the_same_range_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = ".".join(map(str, PYTHON.oldest))
    assert project["project"]["requires-python"] == f">={oldest}"
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    bases = re.findall(
        r"^ARG PYTHON_IMAGE=python:(\S+)@", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {minor_release(base) for base in bases} == {PYTHON.oldest}


@pytest.mark.parametrize(
    ("what", "supported", "tested"),
    [
        ("ClickHouse", CLICKHOUSE, clickhouse.tested_versions()),
        ("Apache Kafka", KAFKA, kafka.tested_versions()),
        ("Prometheus", PROMETHEUS, []),
        ("Python", PYTHON, []),
    ],
)
def test_the_page_says_what_is_supported(
    what: str, supported: Supported, tested: list[str]
) -> None:
    (row,) = re.findall(rf"^\| {what} \|.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == str(supported)
    for version in tested:
        assert re.search(rf"\b{re.escape(version)}\b", cells[3]), f"{what}: {version} is not named"
    assert "docs/supported-versions.md" in (ROOT / "README.md").read_text(encoding="utf-8")

"""Helm and the checker, once for the whole run; without Go the tests are skipped and say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from tests.helm.chart import Chart, Checker
from tests.helm.programs import fetch_custom_resources, fetch_programs
from tests.helm.strimzi_schemas import fetch_strimzi_schemas
from tests.integration.conftest import missing


@pytest.fixture(scope="session")
def programs() -> Path:
    """Folder with helm and the checker."""
    try:
        return fetch_programs(print)
    except ComponentMissing as error:
        missing(error)


@pytest.fixture(scope="session")
def custom_resources() -> Path:
    """Folder with the schemas of custom resources."""
    try:
        return fetch_custom_resources(print)
    except ComponentMissing as error:
        missing(error)


@pytest.fixture(scope="session")
def chart(programs: Path) -> Chart:
    """The chart, which the real helm renders."""
    return Chart(programs / "helm")


@pytest.fixture(scope="session")
def checker(programs: Path, custom_resources: Path) -> Checker:
    """What the API server would say."""
    return Checker(programs / "checker", tuple(sorted(custom_resources.glob("*.yaml"))))


@pytest.fixture(scope="session")
def strimzi_schemas() -> tuple[Path, ...]:
    """The definitions of Strimzi's custom resources."""
    try:
        return tuple(sorted(fetch_strimzi_schemas(print).glob("*.yaml")))
    except ComponentMissing as error:
        missing(error)

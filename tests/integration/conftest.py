"""The real components for integration tests: Apache Kafka, ClickHouse and Prometheus.

What cannot be had skips the tests that need it, by name; in CI (``CI=true``) that is a failure.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NoReturn

import pytest

from deploy.local.errors import ComponentMissing
from deploy.local.infrastructure import Infrastructure
from deploy.local.pipeline import Pipeline
from deploy.local.prometheus import fetch_prometheus

PipelineFactory = Callable[..., Pipeline]
_numbers = itertools.count(1)


def in_ci() -> bool:
    """Whether a missing component is a failure."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def missing(error: ComponentMissing) -> NoReturn:
    """Skip the test, naming what is missing; fail it in CI."""
    if in_ci():
        pytest.fail(f"CI must have every component: {error}", pytrace=False)
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Apache Kafka and ClickHouse, and Prometheus if it can be had, once for the whole run."""
    try:
        fetch_prometheus(print)
    except ComponentMissing as error:
        if in_ci():
            missing(error)
    stack = Infrastructure(
        tmp_path_factory.mktemp("stack"), broker="kafka", prometheus="if-installed", report=print
    )
    with ExitStack() as started:
        try:
            started.enter_context(stack)
        except ComponentMissing as error:
            missing(error)
        yield stack


@pytest.fixture(scope="session")
def prometheus_url(infrastructure: Infrastructure) -> str:
    """Prometheus' address; skips the test where it cannot be had."""
    if infrastructure.prometheus is None:
        pytest.skip("Prometheus is not installed and cannot be fetched")
    return infrastructure.prometheus_url


@pytest.fixture(scope="module")
def pipelines(infrastructure: Infrastructure) -> Iterator[PipelineFactory]:
    """Start pipelines with names of their own (see `Pipeline`); all end with the module."""
    with ExitStack() as started:

        def start(**options: Any) -> Pipeline:
            options.setdefault("name", f"test{next(_numbers)}")
            options.setdefault("partitions", 4)
            return started.enter_context(Pipeline(infrastructure, **options))

        yield start


@pytest.fixture(scope="module")
def pipeline(pipelines: PipelineFactory) -> Pipeline:
    """One whole pipeline that the module's tests share."""
    return pipelines()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the stack."""
    fixtures = {"infrastructure", "pipelines", "pipeline"}
    for item in items:
        if fixtures & set(getattr(item, "fixturenames", ())):
            item.add_marker("stack")

"""The real components for integration tests: Apache Kafka, ClickHouse and Prometheus.

What cannot be had skips the tests that need it, by name; in CI (``CI=true``) that is a failure.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import give_back, pick_port
from services.local_stack.prometheus import fetch_prometheus
from services.local_stack.supervisor import Supervisor
from tests.integration.migrated_here import PipelineMigratedHere
from tests.versions import clickhouse as versions
from tests.versions.database import Database, DatabaseFactory
from tests.versions.infrastructure import OtherInfrastructure
from tests.versions.template import copy_template, drop
from tools.pictures.browser import Browser
from tools.pictures.chromium import fetch_chromium

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium: the installed one, or Debian's packages in the cache."""
    try:
        chromium = fetch_chromium(print)
    except ComponentMissing as error:
        missing(error)
    with Browser(chromium) as started:
        yield started


@pytest.fixture(scope="session")
def infrastructure(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Infrastructure]:
    """Apache Kafka and ClickHouse, and Prometheus if it can be had, once for the whole run."""
    try:
        fetch_prometheus(print)
    except ComponentMissing as error:
        if in_ci():
            missing(error)
    version = request.config.getoption("--clickhouse")
    stack = OtherInfrastructure(tmp_path_factory.mktemp("stack"), clickhouse=version, report=print)
    with ExitStack() as started:
        try:
            started.enter_context(stack)
        except ComponentMissing as error:
            missing(error)
        yield stack


@pytest.fixture(scope="session")
def clickhouse_port(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[int | None]:
    """HTTP port of the ClickHouse under test; None where it is in this process. No Kafka needed."""
    version = request.config.getoption("--clickhouse")
    if version is None:
        stack: Infrastructure = request.getfixturevalue("infrastructure")
        yield stack.ports.clickhouse_http
        return
    data = tmp_path_factory.mktemp("clickhouse")
    with ExitStack() as started:
        try:
            if version not in versions.SERVERS:
                started.enter_context(versions.in_process(version, data))
                yield None
                return
            ports = pick_port(), pick_port()
            started.callback(give_back, *ports)
            plan = versions.server_plan(version, data, *ports, data / "clickhouse.log")
        except ComponentMissing as error:
            missing(error)
        supervisor = started.enter_context(Supervisor())
        started.callback(supervisor.kill)
        supervisor.launch(plan).wait_ready()
        yield ports[0]


@pytest.fixture(scope="module")
def databases(clickhouse_port: int | None) -> Iterator[DatabaseFactory]:
    """Make databases with names of their own, migrated, with a catalogue of their own if given.

    All go with the module.
    """
    made: list[Database] = []

    def make(name: str = "database", catalogue_dir: Path | None = None) -> Database:
        database = Database(f"wattoken_{name}{next(_numbers)}", clickhouse_port, catalogue_dir)
        copy_template(database.name, clickhouse_port)
        if catalogue_dir is not None:
            database.migrate()
        made.append(database)
        return database

    yield make
    for database in made:
        drop(database.name, clickhouse_port)


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
            return started.enter_context(PipelineMigratedHere(infrastructure, **options))

        yield start


@pytest.fixture(scope="module")
def pipeline(pipelines: PipelineFactory) -> Pipeline:
    """One whole pipeline that the module's tests share."""
    return pipelines()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the stack."""
    fixtures = {"infrastructure", "pipelines", "pipeline", "databases"}
    for item in items:
        if fixtures & set(getattr(item, "fixturenames", ())):
            item.add_marker("stack")

"""Fixtures and rules for all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, settings

from schemas.catalogue import load_catalogue
from services.ingest import providers
from tests.jvm import SHORT_LIVED
from tests.usual_ports import usual_ports_are_ours
from tests.versions.clickhouse import other_versions
from tests.versions.effort import examples

# How long an example takes says how busy the machine is; what a test may cost is bounded elsewhere.
settings.register_profile("wattoken", deadline=None, max_examples=examples(100))
settings.load_profile("wattoken")
# For who only asks whether tests fail, and not with what (tests/mutation/planting.py).
settings.register_profile(
    "any-failure",
    settings.get_profile("wattoken"),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)

for _name, _value in SHORT_LIVED.items():
    os.environ.setdefault(_name, _value)

# As ingest does at its start: readers of all formats ask it who serves a model.
providers.use(load_catalogue(with_price_lists=False))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be on another ClickHouse than the local stack's."""
    parser.addoption(
        "--clickhouse",
        choices=other_versions(),
        help="run on this version of ClickHouse (see docs/supported-versions.md)",
    )
    parser.addoption(
        "--one-beside",
        action="store_true",
        help="of several workers, the last fills the waiting of the others (tests/workers.py)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let the worker that is beside others give way to them."""
    if config.getoption("--one-beside"):
        from tests.workers import give_way

        give_way(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, have files go where `tests.workers` says."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.workers import ByNeeds

    return ByNeeds(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of a long run which files took long."""
    from tests.file_times import lines

    reports = [
        report
        for outcomes in terminalreporter.stats.values()
        for report in outcomes
        if isinstance(report, pytest.TestReport)
    ]
    if told := lines(reports):
        terminalreporter.section("seconds by file, of all workers")
        for line in told:
            terminalreporter.write_line(line)


def pytest_collection_finish() -> None:
    """Spare the collector what was imported and collected: it all stays, millions of objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _own_settings_only() -> None:
    """Forget settings in the developer's environment: tests name every one they need.

    Where the machine's components come from and lie is no setting of a test.
    """
    kept = {"WATTOKEN_CACHE", "WATTOKEN_MAVEN_REPOSITORY"}
    for name in [name for name in os.environ if name.startswith("WATTOKEN_")]:
        if name not in kept:
            del os.environ[name]


@pytest.fixture
def usual_ports() -> Iterator[None]:
    """For a test that runs the local stack as a person would, on the ports that people know."""
    with usual_ports_are_ours():
        yield

"""A database that is missing, empty, older or newer: who meets it says which command comes next."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child
from services.local_stack.services import service_plan, wattoken_command
from services.local_stack.supervisor import Supervisor
from services.platform.schema_state import MIGRATIONS
from tests.integration.conftest import PipelineFactory
from tests.waiting import eventually

LAST = max(path.name for path in MIGRATIONS.glob("*.sql"))
#: What was done to a database, and what is said of it.
OLDER = (
    f"ALTER TABLE schema_migrations DELETE WHERE name = '{LAST}' SETTINGS mutations_sync = 2",
    f"from {LAST} on: run `wattoken migrate`",
)
NEWER = (
    "INSERT INTO schema_migrations (name, checksum) VALUES ('9999_later.sql', 'x')",
    "does not know 9999_later.sql): update this program",
)


@pytest.fixture(scope="module")
def bare(pipelines: PipelineFactory) -> Pipeline:
    """Topic and tables, and nothing that runs."""
    return pipelines(name="bare", partitions=1, services=())


def sql(infrastructure: Infrastructure, text: str, database: str = "default") -> None:
    answer = httpx.post(
        infrastructure.clickhouse_url, params={"database": database}, content=text, trust_env=False
    )
    assert answer.status_code == 200, answer.text


@contextmanager
def changed(bare: Pipeline, statement: str) -> Iterator[None]:
    """The database with something done to it; `migrate` and a deletion take it back."""
    sql(bare.infrastructure, statement, bare.database)
    try:
        yield
    finally:
        sql(
            bare.infrastructure,
            "ALTER TABLE schema_migrations DELETE WHERE name = '9999_later.sql'"
            " SETTINGS mutations_sync = 2",
            bare.database,
        )
        bare.run("migrate", timeout_seconds=200)


@contextmanager
def service(bare: Pipeline, name: str, folder: Path, **env: str) -> Iterator[tuple[Child, str]]:
    """A service, not waited for; and its address."""
    port = pick_port()
    state = {f"WATTOKEN_{name.upper()}_STATE_DIR": str(folder / "state")}
    plan = service_plan(name, port, {**bare.env, **state, **env}, folder / "log", folder)
    with Supervisor() as supervisor:
        yield supervisor.launch(replace(plan, ready=lambda: True)), f"http://{LOOPBACK}:{port}"
    give_back(port)


def answer(url: str) -> str:
    try:
        return httpx.get(url, trust_env=False, timeout=30).text
    except httpx.TransportError:
        return ""


def command(bare: Pipeline, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        wattoken_command(*arguments),
        env={**os.environ, **bare.env},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_exporter_and_its_page_say_what_to_do_without_a_database(
    bare: Pipeline, tmp_path: Path
) -> None:
    missing = {"WATTOKEN_CLICKHOUSE_DATABASE": "nobody_made_it"}
    with service(bare, "exporter", tmp_path, **missing) as (child, url):
        page = f"{url}/control-room/v1.json"
        eventually("the page says it", lambda: "run `wattoken migrate`" in answer(page))
        assert '"state":"unavailable"' in answer(page)
        assert "run `wattoken migrate`" in answer(f"{url}/readyz")
        eventually("the log says it", lambda: "run `wattoken migrate`" in child.log_tail(1000))


def test_the_exporter_and_its_page_say_what_to_do_with_an_empty_one(
    bare: Pipeline, tmp_path: Path
) -> None:
    sql(bare.infrastructure, "CREATE DATABASE IF NOT EXISTS nothing_in_it")
    empty = {"WATTOKEN_CLICKHOUSE_DATABASE": "nothing_in_it"}
    with service(bare, "exporter", tmp_path, **empty) as (child, url):
        page = f"{url}/control-room/v1.json"
        eventually("the page says it", lambda: "run `wattoken migrate`" in answer(page))
        eventually("the log says it", lambda: "run `wattoken migrate`" in child.log_tail(1000))
    done = subprocess.run(
        wattoken_command("statement", "acme", "2026-05"),
        env={**os.environ, **bare.env, **empty},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1
    assert "run `wattoken migrate`" in done.stderr


def test_the_page_of_a_meter_without_usage_says_where_to_begin(
    bare: Pipeline, tmp_path: Path
) -> None:
    with service(bare, "exporter", tmp_path) as (_, url):
        page = f"{url}/control-room/v1.json"
        eventually("it has read", lambda: '"state":"empty"' in answer(page))
        assert "Send the first event" in answer(page)


@pytest.mark.parametrize("found", [OLDER, NEWER], ids=["older", "newer"])
def test_the_exporter_goes_on_and_its_log_says_it(
    bare: Pipeline, tmp_path: Path, found: tuple[str, str]
) -> None:
    statement, told = found
    with changed(bare, statement), service(bare, "exporter", tmp_path) as (child, url):
        eventually("it is ready", lambda: "ok" in answer(f"{url}/readyz"))
        eventually("the log says it", lambda: told in child.log_tail(1000))


def test_a_worker_does_not_begin_on_an_older_one(bare: Pipeline, tmp_path: Path) -> None:
    statement, told = OLDER
    with changed(bare, statement), service(bare, "aggregator", tmp_path) as (child, _):
        eventually("it has ended", lambda: child.exit_code is not None)
        assert child.exit_code == 1
        assert told in child.log_tail(5)


def test_a_worker_meters_on_a_newer_one_and_says_so(bare: Pipeline, tmp_path: Path) -> None:
    statement, told = NEWER
    with changed(bare, statement), service(bare, "aggregator", tmp_path) as (child, url):
        eventually("it is ready", lambda: answer(f"{url}/readyz") == "ok\n")
        assert told in child.log_tail(1000)


def test_commands_refuse_an_older_one_and_tell_of_a_newer_one(bare: Pipeline) -> None:
    with changed(bare, OLDER[0]):
        refused = command(bare, "dead-letters", "list")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"wattoken: the database {bare.database} is older than this program: ")
    assert line.endswith(OLDER[1])
    with changed(bare, NEWER[0]):
        told = command(bare, "dead-letters", "list")
    assert told.returncode == 0
    assert told.stdout == "no dead letters\n"
    (line,) = told.stderr.splitlines()
    assert line.endswith(NEWER[1])

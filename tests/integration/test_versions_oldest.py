"""The oldest supported ClickHouse, which docker-compose.yml pins: a whole server of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import give_back, pick_port
from services.local_stack.supervisor import Supervisor
from tests.integration.conftest import missing
from tests.integration.metered_database import meter
from tests.versions.child import (
    FAR_ZONE,
    ON_EVERY_SERVER,
    ON_THE_OLDEST,
    ORACLES,
    QUERIES,
    ROOT,
    assert_passes_on,
)
from tests.versions.clickhouse import SERVERS, other_versions, server_plan
from tests.versions.database import Database
from tests.versions.reopened import shown


def test_what_services_ask_is_answered_on_the_oldest_version() -> None:
    oldest = other_versions()[0]
    assert oldest in SERVERS
    assert_passes_on(oldest, *QUERIES, *ON_EVERY_SERVER, time_zone=FAR_ZONE)


@pytest.mark.nightly
def test_the_oracles_agree_on_the_oldest_version() -> None:
    oldest = other_versions()[0]
    assert_passes_on(oldest, *ORACLES, *ON_THE_OLDEST, time_zone=FAR_ZONE)


def test_what_the_oldest_wrote_is_there_after_an_upgrade_to_the_newest(tmp_path: Path) -> None:
    """ClickHouse is replaced on the same data: tables, views and totals are what they were."""
    oldest, *_, newest = other_versions()
    ports = pick_port(), pick_port()
    try:
        plan = server_plan(oldest, tmp_path, *ports, tmp_path / "clickhouse.log")
    except ComponentMissing as error:
        missing(error)
    with Supervisor() as supervisor:
        supervisor.launch(plan).wait_ready()
        database = Database("wattoken_upgraded", ports[0])
        database.migrate()
        meter(database, int(time.time())).sink.close()
        before = shown(database)
    give_back(*ports)
    done = subprocess.run(
        [sys.executable, "-m", "tests.versions.reopened", newest, str(tmp_path), database.name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    after = json.loads(done.stdout.splitlines()[-1])
    assert all(before["views"].values())
    assert after["views"] == before["views"]
    assert before["version"].startswith(oldest) and after["version"].startswith(newest)
    assert all(" already applied" in line or " unchanged" in line for line in after["lines"])

"""The users of docker-compose.yml may do their work on a real ClickHouse, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import clickhouse_connect
import numpy as np
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.catalogue import load_catalogue
from services.aggregator.core.slice_keys import pack
from services.aggregator.core.windows import FAMILIES
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.billing.plans.commands import Asked, read_comparison
from services.billing.plans.wishes import Wishes
from services.billing.rerate_queries import read_rerating
from services.exporter.control_room import queries as control_room
from services.exporter.control_room.figures import window_of
from services.exporter.control_room.money_queries import read_charges
from services.exporter.control_room.questions import NameQuestion, question
from services.exporter.control_room.series_queries import read_names, read_series
from services.exporter.queries import read_checkpoints, read_registers
from services.local_stack.clickhouse import clickhouse_library, clickhouse_plan
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child, ChildPlan
from services.local_stack.supervisor import Supervisor
from services.operate.doctor.finding import Finding, Level
from services.operate.doctor.judging.grants import judge as judge_rights
from services.operate.doctor.looking.clickhouse import rights
from services.operate.doctor.looking.world import World
from services.operate.doctor.settings import DoctorSettings
from services.operate.first_secrets import make_first_secrets
from services.platform.catalogue import store_catalogue
from services.platform.clickhouse import connect
from services.platform.kafka_log import Log
from services.platform.migrate import migrate_tables, statements
from services.platform.schema_state import MIGRATIONS
from services.platform.settings import ClickHouseSettings
from tests.contract.compose_file import ROOT
from tests.integration.conftest import missing
from tests.versions.clickhouse import USERS, server_plan


def plan_of(version: str | None, folder: Path, ports: tuple[int, int]) -> ChildPlan:
    """A server with the users of ``folder/config``: the local stack's, or of another version."""
    data, log_path = folder / "data", folder / "clickhouse.log"
    if version is not None:
        shutil.copytree(folder / "config", data)
        return server_plan(version, data, *ports, log_path)
    config = folder / "config"
    (config / "config.xml").write_text(
        f"<clickhouse><users_config>{config}/users.xml</users_config></clickhouse>"
    )
    plan = clickhouse_plan(clickhouse_library(print), data, *ports, log_path)
    return replace(plan, command=[*plan.command, f"--config-file={config}/config.xml"])


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[int, Path]]:
    """A ClickHouse with users.xml as it is; gives its port and the folder of the secrets."""
    folder = tmp_path_factory.mktemp("clickhouse-users")
    secrets, config = folder / "secrets", folder / "config"
    make_first_secrets(secrets, print)
    (config / "users.d").mkdir(parents=True)
    # No one but the server's own `default` user, which starts the listeners.
    (config / "users.xml").write_text(USERS)
    ours = (ROOT / "deploy/docker/clickhouse/users.xml").read_text(encoding="utf-8")
    assert '<default remove="remove"/>' in ours
    (config / "users.d/wattoken.xml").write_text(
        ours.replace('<default remove="remove"/>', "").replace(
            "/run/secrets/wattoken/", f"{secrets}/clickhouse/"
        )
    )
    ports = pick_port(), pick_port()
    try:
        plan = plan_of(request.config.getoption("--clickhouse"), folder, ports)
    except ComponentMissing as error:
        missing(error)
    with Supervisor() as supervisor:
        child: Child = supervisor.launch(plan)
        child.wait_ready()
        yield ports[0], secrets
    give_back(*ports)


def settings(server: tuple[int, Path], user: str) -> ClickHouseSettings:
    port, secrets = server
    return ClickHouseSettings(
        clickhouse_host=LOOPBACK,
        clickhouse_port=port,
        clickhouse_user=f"wattoken_{user}",
        clickhouse_password_file=secrets / user / "clickhouse_password",
    )


@pytest.fixture(scope="module")
def migrated(server: tuple[int, Path]) -> tuple[int, Path]:
    """The tables, made by the user that may; twice, for an upgrade comes to existing ones."""
    migrate_tables(settings(server, "migrate"), print)
    client = connect(settings(server, "migrate"))
    for path in sorted(MIGRATIONS.glob("*.sql")):
        for statement in statements(path.read_text(encoding="utf-8")):
            client.command(statement)
    client.close()
    return server


@pytest.fixture
def aggregator(migrated: tuple[int, Path]) -> Iterator[Client]:
    client = connect(settings(migrated, "aggregator"))
    yield client
    client.close()


@pytest.fixture
def exporter(migrated: tuple[int, Path]) -> Iterator[Client]:
    client = connect(settings(migrated, "exporter"))
    yield client
    client.close()


@pytest.fixture
def grafana(migrated: tuple[int, Path]) -> Iterator[Client]:
    client = connect(settings(migrated, "grafana"))
    yield client
    client.close()


def refused(client: Client, statement: str) -> None:
    with pytest.raises(ClickHouseError, match=r"Not enough privileges|in readonly mode"):
        client.command(statement)


def test_the_aggregator_writes_and_reads_and_makes_nothing(aggregator: Client) -> None:
    # Not dead_letters: without an append time of these days its TTL may delete the row at once.
    for table in ("slices_register", "checkpoints"):
        aggregator.insert(table, [["a-log", 0]], column_names=["log", "partition"])
        assert aggregator.query(f"SELECT count() FROM {table}").result_rows == [(1,)]
    refused(aggregator, "CREATE TABLE more (a UInt8) ENGINE = MergeTree ORDER BY a")
    refused(aggregator, "ALTER TABLE checkpoints DELETE WHERE 1")
    refused(aggregator, "DROP TABLE checkpoints")
    refused(aggregator, "TRUNCATE TABLE checkpoints")


def test_the_aggregator_may_send_a_table_of_keys_beside_a_question(
    migrated: tuple[int, Path],
) -> None:
    labels = Labels()
    log = Log("a-cluster", "a-topic", "usage.events.v1", 1)
    sink = ClickHouseSink(settings(migrated, "aggregator"), log, labels)
    try:
        series = np.array([labels.series.number(Series("usage", "eu", "openai", "gpt"))])
        assert labels.tenants.number("acme") == 0
        none = np.zeros(1, np.int64)
        for family in FAMILIES:
            rows, _ = sink.look_up(family.name, 0, pack(family, labels, none, none, series, none))
            assert len(rows) == 0
    finally:
        sink.close()


def test_migrate_replaces_the_catalogue_and_the_exporter_reads_bills(
    migrated: tuple[int, Path], exporter: Client
) -> None:
    catalogue = load_catalogue()
    without = catalogue.regions.model_copy(update={"regions": ()})
    for one in (catalogue, catalogue.model_copy(update={"regions": without}), catalogue):
        store_catalogue(settings(migrated, "migrate"), one, print)
        regions = exporter.query("SELECT count() FROM regions").result_rows
        assert regions == [(len(one.regions.regions),)]
    for view in ("charges", "statements", "current_prices", "model_origins"):
        exporter.query(f"SELECT * FROM {view}")


def test_who_may_only_read_may_see_what_other_prices_would_charge(
    migrated: tuple[int, Path],
) -> None:
    catalogue = load_catalogue()
    store_catalogue(settings(migrated, "migrate"), catalogue, print)
    client = connect(settings(migrated, "exporter"), answer_seconds=60)
    with closing(client):
        found = read_rerating(client, catalogue, date(2026, 7, 1), date(2026, 8, 1), None)
    assert found.lines == () and not found.demand_differs


def test_who_may_only_read_may_compare_plans(
    migrated: tuple[int, Path], aggregator: Client
) -> None:
    store_catalogue(settings(migrated, "migrate"), load_catalogue(), print)
    hour = datetime(2026, 7, 1, tzinfo=UTC)
    aggregator.insert(
        "slices_hour",
        [[hour, "planner", "us-east", "openai", "gpt-5", "usage", "a-log", 1, 1_000_000]],
        column_names=[
            *("window_start", "tenant", "region", "provider", "model", "entry", "log"),
            *("requests", "output_tokens"),
        ],
    )
    with closing(connect(settings(migrated, "exporter"), answer_seconds=60)) as client:
        found = read_comparison(client, Asked.of("2026-07", "planner", Wishes(), None))
    # A tariff that another keeps from billing is not in every catalogue.
    assert {one.outcome.plan.kind for one in found.plans} >= {"provider", "region", "tier"}
    assert found.actual.outcome.costs()["USD"]["energy"] == 10


def test_the_exporter_reads_and_writes_nothing(aggregator: Client, exporter: Client) -> None:
    aggregator.insert(
        "slices_register", [["eu", "a-log", 7]], column_names=["region", "log", "requests"]
    )
    assert [row.totals[0] for row in read_registers(exporter) if row.series.region == "eu"] == [7]
    read_checkpoints(exporter)
    refused(exporter, "INSERT INTO checkpoints (log) VALUES ('x')")
    refused(exporter, "DROP TABLE checkpoints")
    refused(exporter, "CREATE TABLE more (a UInt8) ENGINE = MergeTree ORDER BY a")
    refused(exporter, "SELECT 1 SETTINGS max_execution_time = 0")


def test_the_exporter_may_ask_all_that_the_control_room_asks(exporter: Client) -> None:
    window = window_of(1_800_000_000)
    for read in (
        *(control_room.read_load, control_room.read_registers, control_room.read_today),
        *(control_room.read_day, control_room.read_capacities),
        *(control_room.read_period, control_room.read_mix, control_room.read_league),
        control_room.read_models,
    ):
        assert isinstance(read(exporter, window), list)
    assert isinstance(read_charges(exporter, window), list)
    for asked in ("last=3h", "last=7d&by=model&region=eu", "last=7d&measure=spend"):
        given = question(parse_qsl(asked), window.now)
        assert read_series(exporter, given) == ([], [])
    assert read_names(exporter, NameQuestion("x")) == []


def test_grafana_reads_views_with_a_time_limit_of_its_own(grafana: Client) -> None:
    for view in ("registers", "usage_hour", "load_duration", "token_league", "data_quality"):
        grafana.query(f"SELECT * FROM {view}")
    # The plug-in says with every query how long it waits.
    grafana.query("SELECT 1 SETTINGS max_execution_time = 20")
    with pytest.raises(ClickHouseError, match="max_execution_time shouldn't be greater than 30"):
        grafana.query("SELECT 1 SETTINGS max_execution_time = 31")
    refused(grafana, "SELECT 1 SETTINGS max_memory_usage = 0")
    refused(grafana, "SELECT payload FROM dead_letters")
    refused(grafana, "SELECT reason FROM adjustments")
    refused(grafana, "INSERT INTO checkpoints (log) VALUES ('x')")
    refused(grafana, "DROP TABLE checkpoints")


def test_nobody_gets_beyond_the_own_database(
    aggregator: Client, exporter: Client, grafana: Client
) -> None:
    for client in (aggregator, exporter, grafana):
        refused(client, "CREATE USER more")
        refused(client, "SELECT * FROM file('/etc/passwd', 'LineAsString')")
        refused(client, "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')")


def test_a_wrong_password_is_refused(migrated: tuple[int, Path]) -> None:
    with pytest.raises(ClickHouseError, match="Authentication failed"):
        clickhouse_connect.get_client(
            host=LOOPBACK, port=migrated[0], username="wattoken_exporter", password="wrong"
        )


def judged(server: tuple[int, Path], users: str) -> dict[str, Finding]:
    """What the doctor says of users' rights, by user; asked as the server's own user."""
    doctor = DoctorSettings(
        clickhouse_host=LOOPBACK, clickhouse_port=server[0], doctor_clickhouse_users=users
    )
    with closing(World(doctor)) as world:
        return {one.what: one for one in judge_rights(rights(world))}


def test_the_doctor_finds_each_users_rights_as_they_should_be(migrated: tuple[int, Path]) -> None:
    found = judged(migrated, DoctorSettings().doctor_clickhouse_users)
    assert len(found) == 3
    assert {one.level for one in found.values()} == {Level.OK}, found


def test_the_doctor_names_a_right_that_lacks_and_a_table_that_was_denied(
    migrated: tuple[int, Path],
) -> None:
    found = judged(
        migrated, "aggregator=wattoken_exporter,exporter=wattoken_grafana,migrate=nobody"
    )
    reader = found["ClickHouse user wattoken_exporter"]
    assert (reader.level, reader.found) == (Level.ERROR, "aggregator lacks INSERT")
    assert reader.remedy == "GRANT INSERT ON wattoken.* TO wattoken_exporter"
    denied = found["ClickHouse user wattoken_grafana"]
    assert denied.level is Level.ERROR
    assert "was denied SELECT ON wattoken." in denied.found
    assert found["ClickHouse user nobody"].level is Level.SKIPPED

"""The tables of a cluster: parsed by the server as DDL, and made on two servers that are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.catalogue import load_catalogue
from services.local_stack.clickhouse import clickhouse_library
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK
from services.platform.catalogue import store_catalogue
from services.platform.clickhouse import INSERT_SETTINGS, connect
from services.platform.cluster import (
    ClusterPlan,
    cluster_of_database,
    cluster_plan,
    servers_of,
)
from services.platform.cluster_ddl import EVERYWHERE, LOCAL, SHARDED, Cluster
from services.platform.errors import ConfigurationError
from services.platform.migrate import cluster_tables, migrate_tables
from services.platform.settings import ClickHouseSettings
from tests.clusters.shards import CLUSTER, two_servers
from tests.clusters.world import Server, World
from tests.integration.conftest import missing

pytestmark = pytest.mark.stack

PARTITIONS = 16
DATABASE = "wattoken_spread"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers that know one another."""
    try:
        clickhouse_library(print)
    except ComponentMissing as error:
        missing(error)
    folder = tmp_path_factory.mktemp("cluster")
    with World(folder, rate=0, patience=60, step=print) as world:
        yield two_servers(world)


def settings_of(server: Server, database: str = DATABASE) -> ClickHouseSettings:
    return ClickHouseSettings(
        clickhouse_host=LOOPBACK,
        clickhouse_port=server.http_port,
        clickhouse_database=database,
        clickhouse_timeout_seconds=60,
    )


def plan_of(servers: list[Server]) -> ClusterPlan:
    plan = cluster_plan(CLUSTER, [f"{LOOPBACK}:{each.http_port}" for each in servers])
    assert plan is not None
    return plan


def migrate(servers: list[Server]) -> None:
    settings, plan = settings_of(servers[0]), plan_of(servers)
    cluster = cluster_of_database(settings, plan)
    for server in servers_of(settings, plan):
        migrate_tables(server, lambda line: None, cluster)
        store_catalogue(server, load_catalogue(with_price_lists=False), lambda _: None, cluster)


@pytest.fixture(scope="module")
def spread(servers: list[Server]) -> list[Server]:
    """The same with Wattoken's tables."""
    migrate(servers)
    return servers


def test_every_statement_of_a_replicated_cluster_is_parsed_by_the_server(
    servers: list[Server],
) -> None:
    cluster = Cluster(CLUSTER, "wattoken", shards=2, keeper=True)
    told = [
        *cluster_tables(cluster),
        *cluster.statements("CREATE TABLE models__staging_1 AS models"),
        *cluster.statements("ALTER TABLE models__staging_1 MODIFY COMMENT 'sum'"),
        *cluster.statements("EXCHANGE TABLES models__staging_1 AND models"),
        *cluster.statements("DROP TABLE IF EXISTS `models__staging_1` SYNC"),
    ]
    with closing(connect(settings_of(servers[0]), database="default")) as client:
        for statement in told:
            tree = client.command(f"EXPLAIN AST {statement}")
            assert CLUSTER in str(client.command(f"SELECT formatQuery({literal(statement)})"))
            assert tree, statement
    made = [each for each in told if each.startswith("CREATE TABLE IF NOT EXISTS")]
    assert len(made) == len(SHARDED) + len(EVERYWHERE)
    assert all("ENGINE = Replicated" in each for each in made)


def literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def test_migrating_again_changes_nothing(spread: list[Server]) -> None:
    before = [shape(server) for server in spread]
    migrate(spread)
    assert [shape(server) for server in spread] == before
    assert before[0] == before[1]
    engines = dict(before[0])
    assert all("% 2)" in engines[name] for name in SHARDED)
    assert all(engines[f"{name}{LOCAL}"].startswith(("Repl", "Merge")) for name in SHARDED)


def shape(server: Server) -> list[tuple[str, str]]:
    with closing(connect(settings_of(server))) as client:
        rows = client.query(
            "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
            " ORDER BY name"
        ).result_rows
    return [(str(name), str(engine)) for name, engine in rows]


def test_views_tell_of_all_shards_the_newest_version_of_each_slice(spread: list[Server]) -> None:
    """Older versions come by another server than newer ones, and count nowhere."""
    for version, server in zip((1, 2), spread, strict=True):
        with closing(connect(settings_of(server))) as client:
            insert_registers(client, version)
    for server in spread:
        with closing(connect(settings_of(server))) as client:
            ((requests, tokens),) = client.query(
                "SELECT sum(requests), sum(v.input_tokens) FROM registers AS v"
            ).result_rows
            assert (int(requests), int(tokens)) == (2 * PARTITIONS, 20 * PARTITIONS)
    held = [local_partitions(server) for server in spread]
    assert all(held)
    assert not held[0] & held[1]
    assert len(held[0] | held[1]) == PARTITIONS


def insert_registers(
    client: Client, version: int, settings: Mapping[str, int] = INSERT_SETTINGS
) -> None:
    names = ["region", "provider", "model", "entry", "log", "partition", "version"]
    sums = ["requests", "input_tokens"]
    client.insert(
        "slices_register",
        [
            *(
                ["r", "p", "m", "usage", "k/t", partition, version, version, 10 * version]
                for partition in range(PARTITIONS)
            )
        ],
        column_names=[*names, *sums],
        settings=settings,
    )


def local_partitions(server: Server) -> set[int]:
    with closing(connect(settings_of(server))) as client:
        rows = client.query(f"SELECT DISTINCT partition FROM slices_register{LOCAL}").result_rows
    return {int(partition) for (partition,) in rows}


def test_every_view_is_answered_on_every_server(spread: list[Server]) -> None:
    """No view joins so that a shard would have to ask the others in turn."""
    for server in spread:
        with closing(connect(settings_of(server))) as client:
            views = client.query(
                "SELECT name FROM system.tables WHERE database = currentDatabase()"
                " AND engine = 'View'"
            ).result_rows
            assert views
            for (view,) in views:
                client.query(f"SELECT * FROM {view} LIMIT 1")


def test_a_database_on_one_server_is_not_taken_for_one_on_several(servers: list[Server]) -> None:
    settings = settings_of(servers[0], "wattoken_alone")
    migrate_tables(settings, lambda line: None)
    with pytest.raises(ConfigurationError, match="is not spread over the cluster two"):
        cluster_of_database(settings, plan_of(servers))


def test_a_spread_database_is_not_taken_for_one_on_one_server(spread: list[Server]) -> None:
    with pytest.raises(ConfigurationError, match="--cluster NAME"):
        cluster_of_database(settings_of(spread[0]), None)


def test_a_cluster_that_no_server_knows_is_refused(servers: list[Server]) -> None:
    with pytest.raises(ConfigurationError, match="knows no cluster three"):
        cluster_of_database(settings_of(servers[0], "wattoken_new"), ClusterPlan("three"))


def test_an_insert_fails_where_a_shard_is_away_and_is_whole_when_it_is_tried_again(
    spread: list[Server],
) -> None:
    """What the writer relies on: an answer means that all shards have it."""
    here, away = spread
    away.child.kill()
    with closing(connect(settings_of(here))) as client, pytest.raises(DatabaseError):
        insert_registers(client, 3)
    with closing(connect(settings_of(here))) as client:
        # Else it is answered, though half of it is nowhere but on the server that was asked.
        insert_registers(client, 2, {"distributed_foreground_insert": 0})
    away.child.start()
    away.child.wait_ready()
    with closing(connect(settings_of(here))) as client:
        insert_registers(client, 3)
        rows = client.query("SELECT sum(requests) FROM registers").result_rows
    assert int(rows[0][0]) == 3 * PARTITIONS

"""What statements become on a cluster."""

from __future__ import annotations

import re

import pytest

from services.platform.cluster import ClusterPlan, cluster_plan, servers_of
from services.platform.cluster_ddl import EVERYWHERE, LOCAL, SHARDED, Cluster, shards_of
from services.platform.errors import ConfigurationError
from services.platform.migrate import APPLIED_TABLE, cluster_tables, statements
from services.platform.schema_state import MIGRATIONS
from services.platform.settings import ClickHouseSettings

KEEPER = Cluster("fleet", "wattoken", shards=3, keeper=True)
SERVERS = Cluster("fleet", "wattoken", shards=3, keeper=False)
TABLE = """\
-- What for.
CREATE TABLE IF NOT EXISTS checkpoints
(
    log LowCardinality(String)
)
-- Why so.
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (log)"""


def columns_of_tables() -> dict[str, str]:
    """Each table that migrations make, with the text of its columns."""
    found = {}
    for path in sorted(MIGRATIONS.glob("*.sql")):
        for statement in statements(path.read_text()):
            made = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)\s*\((.*?)\n\)", statement, re.S)
            if made:
                found[made[1]] = made[2]
    return found


def test_it_is_said_of_each_table_how_it_is_on_a_cluster() -> None:
    tables = columns_of_tables()
    assert tables.keys() | {"schema_migrations"} == SHARDED.keys() | EVERYWHERE
    assert not SHARDED.keys() & EVERYWHERE


def test_all_rows_of_a_place_on_a_log_are_on_one_shard() -> None:
    for name, columns in columns_of_tables().items():
        placed = re.search(r"^\s*log\s", columns, re.M) and re.search(
            r"^\s*partition\s", columns, re.M
        )
        assert (SHARDED.get(name) == "log, partition") == bool(placed), name


def test_a_table_is_replicated_and_spread() -> None:
    local, spread = KEEPER.statements(TABLE)
    assert local.startswith("CREATE TABLE IF NOT EXISTS checkpoints_local ON CLUSTER 'fleet'")
    assert (
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}',"
        " next_offset)\nORDER BY (log)"
    ) in local
    assert spread == (
        "CREATE OR REPLACE TABLE checkpoints ON CLUSTER 'fleet' AS checkpoints_local"
        " ENGINE = Distributed('fleet', 'wattoken', 'checkpoints_local',"
        " cityHash64(log, partition) % 3)"
    )


def test_without_keeper_nothing_is_replicated_and_nothing_said_to_others() -> None:
    local, spread = SERVERS.statements(TABLE)
    assert "ENGINE = ReplacingMergeTree(next_offset)" in local
    assert "ON CLUSTER" not in local + spread


def test_a_table_that_is_changed_is_spread_anew() -> None:
    changed, spread = KEEPER.statements("ALTER TABLE slices_hour\n    ADD COLUMN a UInt8")
    assert changed == "ALTER TABLE slices_hour_local ON CLUSTER 'fleet'\n    ADD COLUMN a UInt8"
    assert spread.startswith("CREATE OR REPLACE TABLE slices_hour ON CLUSTER 'fleet' AS slices_h")


def test_a_catalogue_is_whole_on_every_server() -> None:
    (told,) = KEEPER.statements("CREATE TABLE IF NOT EXISTS models\n(a String)\nENGINE = MergeTree")
    assert told.endswith(
        "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/everywhere', '{replica}-{shard}')"
    )


@pytest.mark.parametrize(
    ("one", "on_a_cluster"),
    [
        (
            "CREATE OR REPLACE VIEW a AS SELECT 1",
            "CREATE OR REPLACE VIEW a ON CLUSTER 'fleet' AS SELECT 1",
        ),
        (
            "EXCHANGE TABLES models__staging_1 AND models",
            "EXCHANGE TABLES models__staging_1 AND models ON CLUSTER 'fleet'",
        ),
        (
            "DROP TABLE IF EXISTS `models__staging_1` SYNC",
            "DROP TABLE IF EXISTS `models__staging_1` ON CLUSTER 'fleet' SYNC",
        ),
        (
            "CREATE TABLE models__staging_1 AS models",
            "CREATE TABLE models__staging_1 ON CLUSTER 'fleet' AS models",
        ),
        (
            "CREATE DATABASE IF NOT EXISTS `w`",
            "CREATE DATABASE IF NOT EXISTS `w` ON CLUSTER 'fleet'",
        ),
    ],
)
def test_what_is_everywhere_is_said_to_all(one: str, on_a_cluster: str) -> None:
    assert [*KEEPER.statements(one)] == [on_a_cluster]
    assert [*SERVERS.statements(one)] == [one]


@pytest.mark.parametrize(
    "statement", ["OPTIMIZE TABLE a", "CREATE TABLE IF NOT EXISTS new (a String)"]
)
def test_what_is_not_known_is_refused(statement: str) -> None:
    with pytest.raises(ConfigurationError):
        [*KEEPER.statements(statement)]


def test_a_name_that_would_end_its_quotes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no name of a cluster"):
        Cluster("a' b", "wattoken", shards=1, keeper=True)


def test_every_migration_can_be_said() -> None:
    told = [*cluster_tables(KEEPER)]
    assert sum(each.count("Distributed(") for each in told) >= len(SHARDED)
    assert all(" ON CLUSTER 'fleet'" in each for each in told)
    assert any("schema_migrations" in each for each in told)
    assert "ENGINE" in APPLIED_TABLE


def test_no_cluster_has_no_tables() -> None:
    with pytest.raises(ConfigurationError, match="--cluster NAME"):
        [*cluster_tables(None)]


def test_over_how_many_shards_a_table_goes_is_read_off_it() -> None:
    engine = "Distributed('fleet', 'w', 'checkpoints_local', cityHash64(log, partition) % 3)"
    assert shards_of(engine) == 3
    assert shards_of("ReplacingMergeTree(version) ORDER BY a % 3") is None
    assert LOCAL == "_local"


def test_servers_are_told_one_by_one_where_they_are_named() -> None:
    settings = ClickHouseSettings(clickhouse_host="a", clickhouse_port=1)
    assert servers_of(settings, ClusterPlan("fleet")) == (settings,)
    plan = cluster_plan("fleet", ["b:2", "::1:3"])
    assert [
        (each.clickhouse_host, each.clickhouse_port) for each in servers_of(settings, plan)
    ] == [
        ("b", 2),
        ("::1", 3),
    ]


@pytest.mark.parametrize(
    ("name", "servers"), [(None, ["a:1"]), ("fleet", ["a"]), ("fleet", [":1"])]
)
def test_servers_that_say_nothing_are_refused(name: str | None, servers: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--server"):
        cluster_plan(name, servers)

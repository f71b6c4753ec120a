"""Several ClickHouse servers: which there are, and saying a statement to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from services.platform.clickhouse import all_rows, connect, mapped_errors
from services.platform.cluster_ddl import Cluster, shards_of
from services.platform.errors import ConfigurationError
from services.platform.settings import ClickHouseSettings

#: As long as ClickHouse itself waits for all servers to have done what one was told
#: (distributed_ddl_task_timeout), and some.
ALL_SERVERS_SECONDS: Final = 200.0
#: Any table that is spread.
SPREAD: Final = "slices_register"


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """A cluster by name; without Keeper, all its servers as (host, HTTP port)."""

    name: str
    servers: tuple[tuple[str, int], ...] = ()


def cluster_plan(name: str | None, servers: Sequence[str]) -> ClusterPlan | None:
    """Read what a command line says. Raises `ConfigurationError`."""
    if name is None:
        if servers:
            raise ConfigurationError("--server is for a cluster: name it with --cluster")
        return None
    places = []
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigurationError(f"--server {server}: must be HOST:PORT")
        places.append((host, int(port)))
    return ClusterPlan(name, tuple(places))


def servers_of(
    settings: ClickHouseSettings, plan: ClusterPlan | None
) -> tuple[ClickHouseSettings, ...]:
    """The servers that are told one by one: the only one, where it tells all others."""
    if plan is None or not plan.servers:
        return (settings,)
    return tuple(
        settings.model_copy(update={"clickhouse_host": host, "clickhouse_port": port})
        for host, port in plan.servers
    )


def cluster_of_database(settings: ClickHouseSettings, plan: ClusterPlan | None) -> Cluster | None:
    """Hold what is planned to what is there; None where all is on one server.

    Over how many shards a database is spread is decided when it is made. Raises
    `ConfigurationError` where the database is of another kind or the servers do not know the
    cluster, and `UnavailableError`.
    """
    database = settings.clickhouse_database
    with closing(connect(settings, database="default")) as client:
        found = all_rows(
            client,
            "SELECT engine_full FROM system.tables"
            f" WHERE database = {{database:String}} AND name = '{SPREAD}'",
            {"database": database},
        )
        engine = str(found[0][0]) if found else None
        spread = shards_of(engine) if engine is not None else None
        if plan is None:
            if spread is not None:
                raise ConfigurationError(
                    f"the database {database} is spread over a cluster ({engine}): say which,"
                    " with --cluster NAME"
                )
            return None
        if engine is not None and (spread is None or f"'{plan.name}'" not in engine):
            raise ConfigurationError(
                f"the database {database} is not spread over the cluster {plan.name}: its"
                f" {SPREAD} is {engine}. Make another database, and meter into that:"
                " docs/clusters.md"
            )
        shards = spread or _shards(client, plan.name)
    return Cluster(plan.name, database, shards, keeper=not plan.servers)


def _shards(client: Client, name: str) -> int:
    ((count,),) = all_rows(
        client,
        "SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = {name:String}",
        {"name": name},
    )
    if not count:
        raise ConfigurationError(
            f"ClickHouse knows no cluster {name}: name it in remote_servers of every server's"
            " configuration"
        )
    return int(count)


def tell(client: Client, statement: str, cluster: Cluster | None) -> None:
    """Run a statement that makes or changes something: on a cluster, what it is there."""
    for text in (statement,) if cluster is None else cluster.statements(statement):
        client.command(text)


def wait_for_replicas(client: Client, table: str, cluster: Cluster | None) -> None:
    """Wait until every replica has all rows of a table that is everywhere."""
    if cluster is not None and cluster.keeper:
        with mapped_errors():
            client.command(
                f"SYSTEM SYNC REPLICA ON CLUSTER '{cluster.name}' `{cluster.database}`.{table}"
            )


def answer_seconds(cluster: Cluster | None) -> float | None:
    """How long to wait for an answer to `tell`; None for as long as for any other."""
    return ALL_SERVERS_SECONDS if cluster is not None and cluster.keeper else None

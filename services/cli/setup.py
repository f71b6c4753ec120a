"""Commands that make what the services need: topic and tables, rights, secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.root import app
from services.platform.output import say


@app.command()
def migrate(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of a new topic.")] = 12,
    replication_factor: Annotated[int, typer.Option(min=1, help="Replicas of a new topic.")] = 1,
    retention_days: Annotated[int, typer.Option(min=2, help="Retention of a new topic.")] = 7,
    max_event_age_days: Annotated[
        int, typer.Option(min=1, help="On a new log: reject events older than this.")
    ] = 35,
    accept_log_start: Annotated[
        bool, typer.Option(help="Begin where the topic begins now, whatever was deleted before.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Spread the tables over this cluster of ClickHouse's remote_servers, replicated"
            " within each shard (docs/clusters.md)."
        ),
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            help="HOST:PORT (HTTP) of a server of the cluster, each of them, where there is no"
            " Keeper: no shard has replicas then."
        ),
    ] = None,
    print_sql: Annotated[
        bool, typer.Option("--print-sql", help="Print a cluster's tables as SQL, and do nothing.")
    ] = False,
) -> None:
    """Create topic, tables and metering rules, and load the catalogue; safe to run again."""
    from schemas.metering_rules import DAY_MS, MeteringRules
    from services.platform.catalogue import read_catalogue
    from services.platform.cluster import cluster_of_database, cluster_plan
    from services.platform.migrate import TopicPlan, cluster_tables
    from services.platform.migrate import migrate as run
    from services.platform.settings import (
        CatalogueSettings,
        ClickHouseSettings,
        KafkaSettings,
        read_settings,
    )

    plan = TopicPlan(
        partitions, replication_factor, retention_days * DAY_MS, accept_log_start=accept_log_start
    )
    rules = MeteringRules(too_old_ms=max_event_age_days * DAY_MS)
    catalogue = read_catalogue(read_settings(CatalogueSettings).catalogue_dir)
    kafka, clickhouse = read_settings(KafkaSettings), read_settings(ClickHouseSettings)
    shards = cluster_plan(cluster, server or [])
    if print_sql:
        for statement in cluster_tables(cluster_of_database(clickhouse, shards)):
            say(f"{statement.strip()};")
        return
    run(kafka, clickhouse, plan, rules, catalogue, say, shards)


@app.command()
def grants(
    principal_prefix: Annotated[
        str, typer.Option(help="What the users' names begin with, before ingest, aggregator, ….")
    ] = "",
    topics_prefix: Annotated[
        str, typer.Option(help="Grant for all topics that begin so, for those still to be made.")
    ] = "",
) -> None:
    """Print the commands that give each service the least it needs in a Kafka with ACLs."""
    from services.aggregator.settings import AggregatorSettings
    from services.platform.kafka_grants import acl_commands
    from services.platform.kafka_grants import grants as grants_of
    from services.platform.settings import read_settings

    settings = read_settings(AggregatorSettings)
    given = grants_of(settings, settings.aggregator_group, topics_prefix)
    for line in acl_commands(given, principal_prefix, settings.kafka_bootstrap_servers):
        say(line)


@app.command("init-secrets")
def init_secrets(
    folder: Annotated[Path, typer.Argument(help="One subfolder is made for each consumer.")],
    public_name: Annotated[
        list[str] | None,
        typer.Option(
            help="For deploy/compose/production.yml: certificates and Kafka's users too, and this"
            " is how gateways know the proxy. May be given several times."
        ),
    ] = None,
) -> None:
    """Make the passwords and first API keys of the container set-up; safe to run again."""
    from services.operate.first_secrets import make_first_secrets

    make_first_secrets(folder, say)
    if public_name:
        from services.operate.production_secrets import make_production_secrets

        make_production_secrets(folder, public_name, say)


@app.command("init-kafka")
def init_kafka(
    folder: Annotated[
        Path, typer.Argument(help="Has a file USER_password for each of ingest, aggregator, ….")
    ],
) -> None:
    """Make users in a Kafka with SCRAM and ACLs, each with the rights it needs; safe to run again.

    Come as the administrator of Kafka.
    """
    from services.aggregator.settings import AggregatorSettings
    from services.operate.first_kafka_users import let_users_in
    from services.platform.kafka import admin_client, require_kafka
    from services.platform.kafka_grants import grants as grants_of
    from services.platform.settings import read_settings

    settings = read_settings(AggregatorSettings)
    require_kafka(settings)
    given = grants_of(settings, settings.aggregator_group)
    let_users_in(admin_client(settings), folder, given, say)

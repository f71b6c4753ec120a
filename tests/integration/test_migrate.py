"""`wattoken migrate` twice, and from two places at once, on the real broker and database."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import clickhouse_connect
import pytest
from confluent_kafka import Producer

from schemas.metering_rules import MeteringRules
from schemas.price_class import CONTEXT_THRESHOLDS
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.errors import ConfigurationError
from services.platform.migrate import applied_texts, apply_migration, statements
from services.platform.schema_state import MIGRATIONS
from services.platform.settings import ClickHouseSettings


def test_migrating_again_and_from_two_places_changes_nothing(
    infrastructure: Infrastructure,
) -> None:
    with Pipeline(infrastructure, name="migrated", partitions=3, services=()) as pipeline:
        client = clickhouse_connect.get_client(
            host=pipeline.env["WATTOKEN_CLICKHOUSE_HOST"],
            port=int(pipeline.env["WATTOKEN_CLICKHOUSE_PORT"]),
            database=pipeline.database,
        )
        question = (
            "SELECT (SELECT count() FROM metering_rules FINAL),"
            " (SELECT count() FROM schema_migrations FINAL),"
            f" (SELECT count() FROM system.tables WHERE database = '{pipeline.database}')"
        )
        before = client.query(question).result_rows
        with ThreadPoolExecutor(2) as places:
            said = list(places.map(lambda _: pipeline.run("migrate"), range(2)))
        assert all("exists" in lines for lines in said)
        assert client.query(question).result_rows == before
        assert before[0][0] == 3, "one set of rules for each partition"


def test_a_log_of_before_there_were_bands_gets_them_from_its_end_on(
    infrastructure: Infrastructure,
) -> None:
    with Pipeline(infrastructure, name="bands", partitions=2, services=()) as pipeline:
        client = clickhouse_connect.get_client(
            host=pipeline.env["WATTOKEN_CLICKHOUSE_HOST"],
            port=int(pipeline.env["WATTOKEN_CLICKHOUSE_PORT"]),
            database=pipeline.database,
        )
        question = (
            "SELECT partition, from_offset, context_thresholds, too_old_ms FROM metering_rules"
            " FINAL ORDER BY partition, from_offset"
        )
        bands = list(CONTEXT_THRESHOLDS)
        aged = MeteringRules().too_old_ms
        assert client.query(question).result_rows == [(0, 0, bands, aged), (1, 0, bands, aged)]
        client.command(
            "INSERT INTO metering_rules SELECT * REPLACE ([] AS context_thresholds,"
            " 99 AS too_old_ms, now64(3) AS written_at) FROM metering_rules FINAL"
            " WHERE partition = 1"
        )
        producer = Producer({"bootstrap.servers": infrastructure.bootstrap_servers})
        for _ in range(7):
            producer.produce(pipeline.topic, b"a record", None, 1)
        assert producer.flush(30) == 0
        assert "context bands from the ends of 1 partitions on" in pipeline.run("migrate")
        wanted = [(0, 0, bands, aged), (1, 0, [], 99), (1, 7, bands, 99)]
        assert client.query(question).result_rows == wanted
        assert "context bands" not in pipeline.run("migrate")
        assert client.query(question).result_rows == wanted


def test_a_new_installation_from_two_places_at_once(infrastructure: Infrastructure) -> None:
    pipeline = Pipeline(infrastructure, name="fresh-twice", partitions=3, services=())
    with ThreadPoolExecutor(2) as places:
        said = list(places.map(lambda _: pipeline.run("migrate", "--partitions", "3"), range(2)))
    assert all("metering rules" in lines for lines in said)


def test_a_migration_that_was_changed_takes_nothing_back_from_later_ones(
    infrastructure: Infrastructure,
) -> None:
    """0004 makes `registers` with narrow sums, 0011 with wide ones; the later word counts."""
    with Pipeline(infrastructure, name="changed-text", partitions=1, services=()) as pipeline:
        client = clickhouse_connect.get_client(
            host=pipeline.env["WATTOKEN_CLICKHOUSE_HOST"],
            port=int(pipeline.env["WATTOKEN_CLICKHOUSE_PORT"]),
            database=pipeline.database,
        )
        # As if another text of it had been applied.
        client.command(
            "CREATE OR REPLACE TABLE schema_migrations ENGINE = ReplacingMergeTree"
            " ORDER BY (name, checksum) AS SELECT name, if(name = '0004_views.sql', 'other',"
            " checksum) AS checksum, applied_at FROM schema_migrations"
        )
        pipeline.run("migrate")
        columns = client.query(
            "SELECT type FROM system.columns WHERE table = 'registers' AND name = 'requests'"
            f" AND database = '{pipeline.database}'"
        ).result_rows
        assert columns == [("UInt128",)]


def test_a_place_that_is_behind_is_waited_for(infrastructure: Infrastructure) -> None:
    """It makes views as they were before what this place applied, and then as they are to be."""
    texts = {path.name: path.read_text() for path in sorted(MIGRATIONS.glob("*.sql"))}
    ours, theirs = "0016_class_prices.sql", "0015_price_class.sql"
    settings = ClickHouseSettings(
        clickhouse_port=infrastructure.ports.clickhouse_http, clickhouse_database="behind"
    )
    with closing(connect(settings, database="default")) as server:
        server.command("CREATE DATABASE behind")
    client, another = connect(settings), connect(settings)
    assert applied_texts(client) == {}
    for name in [name for name in texts if name < ours]:
        apply_migration(client, name, texts[name])
    (hours,) = [
        statement
        for statement in statements(texts["0011_wide_sums.sql"])
        if "VIEW usage_hour_entries " in statement
    ]
    another.command(hours)

    def goes_on() -> None:
        time.sleep(1.0)
        apply_migration(another, theirs, texts[theirs])

    with ThreadPoolExecutor(1) as places:
        going = places.submit(goes_on)
        apply_migration(client, ours, texts[ours])
        going.result()
    assert ours in applied_texts(client)
    with pytest.raises(ConfigurationError, match="no_such_column"):
        apply_migration(client, "0099_wrong.sql", "SELECT no_such_column FROM checkpoints")

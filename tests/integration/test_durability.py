"""What ClickHouse says on a full disk, and what it has on disk when it has answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.metering_rules import MeteringRules
from services.aggregator.core.partition import Checkpoint
from services.aggregator.core.slice_keys import pack
from services.aggregator.core.windows import HOUR, REGISTER
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.local_stack.clickhouse import (
    KEEP_FREE_BYTES,
    clickhouse_library,
    clickhouse_plan,
)
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import pick_port
from services.local_stack.supervisor import Supervisor
from services.platform.clickhouse import connect
from services.platform.errors import DatabaseUnavailableError
from services.platform.kafka_log import Log
from services.platform.log_beginning import ensure_beginnings
from services.platform.migrate import migrate_tables
from services.platform.rules_table import ensure_rules
from services.platform.settings import ClickHouseSettings
from tests.full_disk import SmallDisk, small_disk
from tests.integration.conftest import missing

LOG = Log("cluster", "topic-id", "usage", 1)
FSYNCED_TABLES = {
    *(
        "slices_register",
        "slices_minute",
        "slices_hour",
        "slices_unit",
        "checkpoints",
        "dead_letters",
    ),
    *("metering_rules", "log_partitions"),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    with small_disk(tmp_path_factory.mktemp("disk"), megabytes=256) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def settings(disk: SmallDisk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A ClickHouse of its own on the small disk, migrated."""
    try:
        library = clickhouse_library(print)
    except ComponentMissing as error:
        missing(error)
    data, logs = disk.path / "clickhouse", tmp_path_factory.mktemp("logs")
    data.mkdir()
    http, tcp = pick_port(None), pick_port(None)
    with Supervisor() as supervisor:
        plan = clickhouse_plan(library, data, http, tcp, logs / "clickhouse.log")
        supervisor.launch(plan).wait_ready()
        settings = ClickHouseSettings(clickhouse_port=http)
        migrate_tables(settings, lambda line: None)
        yield settings


@pytest.fixture
def client(settings: ClickHouseSettings) -> Iterator[Client]:
    with closing(connect(settings)) as connected:
        yield connected


@pytest.fixture
def sink(settings: ClickHouseSettings) -> Iterator[ClickHouseSink]:
    with closing(ClickHouseSink(settings, LOG, Labels())) as opened:
        yield opened


def hour_key(labels: Labels) -> Any:
    series = labels.series.number(Series("usage", "r", "p", "m"))
    numbers = (1, labels.tenants.number("t"), series, 0)
    return pack(HOUR, labels, *(np.array([number]) for number in numbers))


QUESTIONS: dict[str, Callable[[ClickHouseSink], Any]] = {
    "offsets": lambda sink: sink.read_offsets(),
    "checkpoints": lambda sink: sink.read_checkpoints([0]),
    "rules": lambda sink: sink.read_rules([0]),
    "admissions": lambda sink: sink.read_admissions([0]),
    "starts": lambda sink: sink.read_starts([0]),
    "copies": lambda sink: sink.read_copies([0]),
    "slices": lambda sink: sink.read_slices(REGISTER, 0, 0),
    "contradiction": lambda sink: sink.find_contradiction(REGISTER, 0, 0),
    "look-up": lambda sink: sink.look_up("hour", 0, hour_key(sink._labels)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_nothing_is_told_from_no_rows(
    question: str, sink: ClickHouseSink, disk: SmallDisk, client: Client
) -> None:
    """With a full disk an answer is the true one or an error, never the empty one."""
    ask = QUESTIONS[question]
    ask(sink)  # an empty database is no fault
    client.command("TRUNCATE TABLE checkpoints")
    ensure_rules(client, LOG, MeteringRules(), lambda line: None)
    ensure_beginnings(client, LOG, {0: 0}, lambda line: None)
    sink.write_checkpoints({0: Checkpoint(5, 0, 5, 5)})
    before = ask(sink)
    disk.fill()
    try:
        assert client.query("SELECT 1").result_rows == [], "the trap that this test is about"
        try:
            assert str(ask(sink)) == str(before)
        except DatabaseUnavailableError as error:
            assert "disk is full" in str(error)
    finally:
        disk.free()
    assert str(ask(sink)) == str(before)


def test_rules_and_beginnings_are_not_written_over_on_a_full_disk(
    client: Client, disk: SmallDisk
) -> None:
    ensure_rules(client, LOG, MeteringRules(), lambda line: None)
    disk.fill()
    try:
        with pytest.raises(DatabaseUnavailableError):
            ensure_rules(client, LOG, MeteringRules(too_old_ms=1), lambda line: None)
        with pytest.raises(DatabaseUnavailableError):
            ensure_beginnings(client, LOG, {0: 7}, lambda line: None, accept_log_start=True)
    finally:
        disk.free()


def test_clickhouse_begins_nothing_that_the_disk_may_have_no_room_for(
    client: Client, disk: SmallDisk
) -> None:
    """A failed write is a written one to chDB, so it must not come to one."""
    merge = "OPTIMIZE TABLE begun FINAL SETTINGS optimize_throw_if_noop = 1"
    client.command("CREATE TABLE begun (n UInt64) ENGINE = MergeTree ORDER BY n")
    client.command("INSERT INTO begun SELECT number FROM numbers(1000)")
    client.command("INSERT INTO begun SELECT number FROM numbers(1000)")
    disk.fill_but(KEEP_FREE_BYTES // 2)
    try:
        for begins in ("INSERT INTO begun VALUES (1)", merge):
            with pytest.raises(ClickHouseError, match="enough"):
                client.command(begins)
        assert client.query("SELECT count() FROM begun").result_rows == [(2000,)]
    finally:
        disk.free()
    client.command("INSERT INTO begun VALUES (1)")
    client.command(merge)
    assert client.query("SELECT count() FROM begun").result_rows == [(2001,)]


def synced(client: Client) -> dict[str, int]:
    rows = client.query(
        "SELECT event, value FROM system.events WHERE event IN ('FileSync', 'DirectorySync')"
    ).result_rows
    return {str(event): int(value) for event, value in rows}


def test_an_insert_is_on_disk_when_it_is_answered(client: Client, sink: ClickHouseSink) -> None:
    sink.write_checkpoints({0: Checkpoint(6, 0, 6, 6)})
    before = synced(client)
    sink.write_checkpoints({0: Checkpoint(7, 0, 7, 7)})
    after = synced(client)
    assert after["FileSync"] > before.get("FileSync", 0)
    assert after["DirectorySync"] > before.get("DirectorySync", 0)


def test_every_table_that_a_checkpoint_speaks_of_is_synced(client: Client) -> None:
    rows = client.query(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree'"
    ).result_rows
    having = {
        str(name)
        for name, engine in rows
        if "fsync_after_insert = 1" in engine
        and "fsync_part_directory = 1" in engine
        and "min_rows_to_fsync_after_merge = 1" in engine
    }
    assert having >= FSYNCED_TABLES

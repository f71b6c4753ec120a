"""What readers of the database say when its disk is full: the truth or an error, never nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.billing.periods import parse_period
from services.billing.statement_queries import read_statement, read_tenants
from services.dead_letters import letters as dead_letters
from services.exporter import queries
from services.exporter.control_room import queries as room_queries
from services.exporter.control_room.figures import window_of
from services.exporter.control_room.room import ControlRoom
from services.exporter.electricity_queries import read_energy
from services.exporter.exposition import Exposition
from services.exporter.reconciliation import read_reconciliation
from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.local_stack.clickhouse import clickhouse_library, clickhouse_plan
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import pick_port
from services.local_stack.supervisor import Supervisor
from services.platform.catalogue import read_catalogue, store_catalogue
from services.platform.clickhouse import connect
from services.platform.errors import DatabaseUnavailableError
from services.platform.kafka_log import Log
from services.platform.migrate import migrate_tables
from services.platform.rules_table import ensure_rules, rules_now
from services.platform.settings import ClickHouseSettings
from services.simulator import audit
from services.simulator.expected import VIEWS
from tests.full_disk import SmallDisk, small_disk
from tests.integration.conftest import missing
from tests.integration.test_exporter import Samples, insert_checkpoint, samples_of, value

LOG = Log("cluster", "topic-id", "usage", 1)
NOW = datetime.now(UTC)
PERIOD = parse_period(f"{NOW:%Y-%m}")
SERIES = {"region": "us-east", "provider": "openai", "model": "gpt-5.6-luna"}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    with small_disk(tmp_path_factory.mktemp("disk"), megabytes=256) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def settings(
    disk: SmallDisk, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClickHouseSettings]:
    """A ClickHouse of its own on the small disk, with usage, counts and a dead letter."""
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
        store_catalogue(settings, read_catalogue(None), lambda line: None)
        with closing(connect(settings)) as client:
            fill(client)
        yield settings


def fill(client: Client) -> None:
    ensure_rules(client, LOG, MeteringRules(), lambda line: None)
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    # The last two blocks and the running one are full whatever the time is, and stay so.
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [now + timedelta(minutes=offset) for offset in range(-45, 45)]
    windows: dict[str, list[dict[str, Any]]] = {
        "slices_register": [{}],
        "slices_minute": [{"window_start": minute} for minute in minutes],
        "slices_hour": [{"window_start": hour, "tenant": "acme"}],
    }
    for table, keys in windows.items():
        rest = {**SERIES, "entry": "usage", "log": LOG.name, "partition": 0}
        rest |= {"version": 9, "requests": 5, "input_tokens": 700, "output_tokens": 30}
        rows = [key | rest for key in keys]
        client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))
    unit = {**SERIES, "entry": "usage", "log": LOG.name, "partition": 0, "version": 9}
    unit |= {"window_start": hour, "tenant": "acme", "unit": "pages", "quantity": 4}
    client.insert("slices_unit", [list(unit.values())], column_names=list(unit))
    counts = {"received": 8, "accepted": 5, "duplicate": 2, "rejected": {"too_old": 1}}
    insert_checkpoint(client, LOG.name, 9, **counts)
    letter = {"log": LOG.name, "partition": 0, "offset": 3, "topic": "usage", "reason": "too_old"}
    letter |= {"error": "old", "payload": "{}", "payload_bytes": 2, "append_time": NOW}
    client.insert("dead_letters", [list(letter.values())], column_names=list(letter))


@pytest.fixture
def client(settings: ClickHouseSettings) -> Iterator[Client]:
    with closing(connect(settings)) as connected:
        yield connected


def room(read: Callable[[Client, Any], Any]) -> Callable[[Client], Any]:
    return lambda client: read(client, window_of(NOW.timestamp() + 120))


QUESTIONS: dict[str, Callable[[Client], Any]] = {
    "registers": queries.read_registers,
    "checkpoints": queries.read_checkpoints,
    "demand": queries.read_demand,
    "intervals": queries.read_intervals,
    "peaks": queries.read_peaks,
    "bills": queries.read_bills,
    "energy": read_energy,
    "league": queries.read_league,
    "catalogue": queries.read_catalogue,
    "reconciliation": read_reconciliation,
    "room: load": room(room_queries.read_load),
    "room: registers": room(room_queries.read_registers),
    "room: today": room(room_queries.read_today),
    "room: period": room(room_queries.read_period),
    "room: mix": room(room_queries.read_mix),
    "room: league": room(room_queries.read_league),
    "room: models": room(room_queries.read_models),
    "statement": lambda client: read_statement(client, "acme", PERIOD, NOW),
    "statement: tenants": lambda client: read_tenants(client, PERIOD),
    "audit: checkpoints": lambda client: audit.checkpoint_offsets(client, LOG),
    "audit: rules": lambda client: audit.late_after_ms(client, LOG),
    "audit: counts": lambda client: audit.meter_counts(client, LOG),
    **{f"audit: {shape.view}": partial(audit.view_rows, shape=shape) for shape in VIEWS},
    "dead letters: counts": lambda client: dead_letters.count_by_reason(
        client, dead_letters.Selection()
    ),
    "dead letters": lambda client: list(
        dead_letters.read_letters(client, dead_letters.Selection())
    ),
    "dead letters: rules": lambda client: rules_now(client, LOG.name),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_the_truth_or_an_error(question: str, client: Client, disk: SmallDisk) -> None:
    ask = QUESTIONS[question]
    before = ask(client)
    assert before or question in ("intervals", "room: today"), "a question that has an answer"
    said: object = before
    disk.fill()
    try:
        assert client.query("SELECT 1").result_rows == [], "the trap that this test is about"
        try:
            said = ask(client)
        except DatabaseUnavailableError as error:
            assert "disk is full" in str(error)
    finally:
        disk.free()
    after = ask(client)
    # The clock goes on meanwhile: a block may end between one question and the next.
    assert said in (before, after)
    assert bool(after) == bool(before)


def shown(scraper: Scraper) -> Samples:
    families = asyncio.run(scraper.scrape())
    return samples_of(b"".join(Exposition().write(families, openmetrics=False)).decode())


def exporter_settings(settings: ClickHouseSettings) -> ExporterSettings:
    return ExporterSettings(
        **settings.model_dump(), exporter_refresh_seconds=0, exporter_timeout_seconds=20
    )


def test_a_scrape_is_absent_and_no_counter_falls(
    settings: ClickHouseSettings, disk: SmallDisk
) -> None:
    before = shown(Scraper(exporter_settings(settings)))
    assert value(before, "up") == 1
    counters = {key: number for key, number in before.items() if key[0].endswith("_total")}
    assert value(before, "input_tokens_total", **SERIES) == 700
    disk.fill()
    try:
        # A new one, which remembers nothing: its counters are the true ones, or absent.
        during = shown(Scraper(exporter_settings(settings)))
    finally:
        disk.free()
    found = {key: number for key, number in during.items() if key[0].endswith("_total")}
    assert found.items() <= counters.items()
    assert value(during, "up") == int(found == counters)
    for name in ("week_tokens", "billing_period_tokens", "reconciliation_difference_tokens"):
        gauges = {key: number for key, number in during.items() if key[0] == f"wattoken_{name}"}
        assert gauges.items() <= before.items()


def test_the_control_room_says_so(settings: ClickHouseSettings, disk: SmallDisk) -> None:
    disk.fill()
    try:
        answer = asyncio.run(ControlRoom(exporter_settings(settings)).answer())
    finally:
        disk.free()
    assert b"disk is full" in answer.body

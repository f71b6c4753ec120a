"""Sums beyond what UInt64 holds, through every view and every reader, on a real ClickHouse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client

from services.exporter.control_room.room import ControlRoom
from services.exporter.exposition import Exposition
from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.local_stack.pipeline import Pipeline
from services.platform.settings import ClickHouseSettings, read_settings
from services.simulator.audit import view_rows
from services.simulator.expected import COLUMNS, USAGE_HOUR_ENTRIES, VIEWS
from tests.integration.conftest import PipelineFactory
from tests.integration.faults import database as connected

#: A row holds at most UInt64; two rows of this size do not fit one, nor do input and output of one.
ROW: Final = {
    "requests": 10**19,
    "failed_requests": 10**19,
    "input_tokens": 10**19,
    "cache_read_input_tokens": 6 * 10**18,
    "cache_write_input_tokens": 10**18,
    "output_tokens": 10**19 + 1,
    "reasoning_output_tokens": 7 * 10**18,
    "estimated_tokens": 10**19,
}
#: One more than fit twice, in rows of several partitions and logs.
PLACES: Final = [("log/a", 0), ("log/a", 1), ("log/b", 0)]
ROWS: Final = len(PLACES)
TOKENS: Final = ROWS * (ROW["input_tokens"] + ROW["output_tokens"])
SERIES: Final = {"region": "us-east", "provider": "openai", "model": "gpt-5.6-luna"}
TENANT: Final = "acme"
CLASSES: Final = {
    "uncached_input": ROWS * 3 * 10**18,
    "cache_read": ROWS * 6 * 10**18,
    "cache_write": ROWS * 10**18,
    "output": ROWS * (3 * 10**18 + 1),
    "reasoning": ROWS * 7 * 10**18,
}


@pytest.fixture(scope="module")
def hour() -> datetime:
    """The hour that has all usage; its first minute, so that the running month and week have it."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def wide(pipelines: PipelineFactory, hour: datetime) -> Pipeline:
    """A database with rows as large as they can be, in every family and of every entry."""
    pipeline = pipelines(services=(), partitions=1)
    windows: dict[str, dict[str, Any]] = {
        "slices_register": {},
        "slices_minute": {"window_start": hour},
        "slices_hour": {"window_start": hour, "tenant": TENANT},
    }
    with connected(pipeline) as client:
        for table, window in windows.items():
            rows = [
                {**window, **SERIES, "entry": entry, "log": log, "partition": partition}
                | {"version": 1, **ROW}
                for entry in ("usage", "debit", "credit")
                for log, partition in PLACES
            ]
            client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))
    return pipeline


@pytest.fixture
def client(wide: Pipeline) -> Iterator[Client]:
    with connected(wide) as client:
        yield client


def only(client: Client, query: str) -> dict[str, Any]:
    """The one row of an answer, by column."""
    (row,) = client.query(query).named_results()
    return dict(row)


def totals() -> dict[str, int]:
    """What a view shows of each column: plain usage, and adjustments apart."""
    return {name: ROWS * row for name, row in ROW.items()} | {
        "debit_tokens": TOKENS,
        "credit_tokens": TOKENS,
    }


@pytest.mark.parametrize("view", ["registers", "usage_minute", "usage_hour"])
def test_totals_hold_every_row(client: Client, view: str) -> None:
    row = only(client, f"SELECT {', '.join(totals())} FROM {view}")
    assert row == totals()


def test_demand_and_peaks_hold_every_row(client: Client) -> None:
    for view in ("demand_15m", "region_demand_15m"):
        row = only(client, f"SELECT tokens, demand_tokens_per_second FROM {view}")
        assert row["tokens"] == TOKENS, view
        assert row["demand_tokens_per_second"] == pytest.approx(TOKENS / 900)
    row = only(client, "SELECT requests, estimated_tokens FROM region_demand_15m")
    assert row == {"requests": ROWS * 10**19, "estimated_tokens": ROWS * 10**19}
    row = only(
        client,
        "SELECT tokens, peak_tokens, coincident_tokens, system_peak_tokens FROM peak_demand",
    )
    assert set(row.values()) == {TOKENS}
    row = only(client, "SELECT tokens, load_factor, coincidence_factor FROM load_factor")
    assert row["tokens"] == TOKENS
    assert 0 < row["load_factor"] <= 1
    assert row["coincidence_factor"] == 1
    row = only(
        client,
        "SELECT sum(measured_tokens) AS measured, sum(estimated_tokens) AS estimated"
        " FROM data_quality",
    )
    assert row == {"measured": TOKENS - ROWS * 10**19, "estimated": ROWS * 10**19}


def test_a_complete_block_in_the_load_duration_holds_every_row(
    wide: Pipeline, hour: datetime
) -> None:
    with connected(wide) as client:
        client.command("CREATE TABLE kept AS slices_minute")
        client.command("INSERT INTO kept SELECT * FROM slices_minute")
        earlier = f"toDateTime({int(hour.timestamp())} - 7200, 'UTC')"
        client.command("TRUNCATE TABLE slices_minute")
        client.command(
            f"INSERT INTO slices_minute SELECT * REPLACE ({earlier} AS window_start) FROM kept"
        )
        try:
            rows = client.query("SELECT DISTINCT tokens FROM load_duration").result_rows
            assert rows == [(TOKENS,)]
        finally:
            client.command("TRUNCATE TABLE slices_minute")
            client.command("INSERT INTO slices_minute SELECT * FROM kept")
            client.command("DROP TABLE kept")


def test_sliding_demand_holds_every_row(wide: Pipeline) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with connected(wide) as client:
        client.command(
            "INSERT INTO slices_minute SELECT * REPLACE"
            f" (toDateTime({int((now - timedelta(minutes=5)).timestamp())}, 'UTC') AS window_start,"
            " 'sliding' AS region) FROM slices_minute FINAL"
        )
        try:
            row = only(client, "SELECT tokens FROM sliding_demand WHERE region = 'sliding'")
            assert row == {"tokens": TOKENS}
        finally:
            client.command("DELETE FROM slices_minute WHERE region = 'sliding'")


def test_mix_league_and_density_hold_every_row(client: Client) -> None:
    row = only(client, "SELECT tokens, share FROM generation_mix")
    assert row == {"tokens": TOKENS, "share": 1}
    row = only(client, "SELECT tokens, share, leading_weeks FROM token_league")
    assert row == {"tokens": TOKENS, "share": 1, "leading_weeks": 1}
    row = only(
        client,
        "SELECT requests, input_tokens, output_tokens, cache_read_input_tokens, tokens_per_request"
        " FROM token_density",
    )
    expected = {name: totals()[name] for name in row if name != "tokens_per_request"}
    assert {name: row[name] for name in expected} == expected
    assert row["tokens_per_request"] == pytest.approx(TOKENS / (ROWS * 10**19))


def prices(client: Client) -> dict[str, Decimal]:
    """What a million tokens cost now, by token class."""
    rows = client.query(
        "SELECT token_class, usd_per_million_tokens FROM current_prices"
        " WHERE region = {region:String} AND model = {model:String} AND tou_period = 'flat'",
        parameters=SERIES,
    ).result_rows
    return {str(name): Decimal(price) for name, price in rows}


def test_charges_and_statements_hold_every_row(client: Client) -> None:
    price = prices(client)
    assert price.keys() >= CLASSES.keys()
    for entry, sign in (("usage", 1), ("debit", 1), ("credit", -1)):
        rows = client.query(
            "SELECT token_class, tokens, amount_usd FROM charges WHERE entry = {entry:String}",
            parameters={"entry": entry},
        ).result_rows
        assert {(name, tokens) for name, tokens, _ in rows} == set(CLASSES.items())
        for name, tokens, amount in rows:
            assert amount == sign * tokens * price[name] / 1_000_000, name
    rows = client.query("SELECT line, sum(tokens) FROM statements GROUP BY line").result_rows
    assert dict(rows) == {
        **{"energy": TOKENS, "adjustment": 2 * TOKENS, "total": TOKENS},
        # Charged for all regions together, and for this one where the catalogue says so.
        "demand": TOKENS,
    }
    row = only(
        client,
        "SELECT demand_tokens_per_second, usd_per_token_per_second, amount_usd FROM statements"
        " WHERE line = 'demand'",
    )
    assert row["demand_tokens_per_second"] == TOKENS // 3600
    assert row["amount_usd"] == TOKENS // 3600 * row["usd_per_token_per_second"]
    usage = sum(Decimal(CLASSES[name]) * price[name] / 1_000_000 for name in CLASSES)
    (total,) = client.query(
        "SELECT amount_usd FROM statements WHERE line = 'total'"
    ).first_row  # Debit and credit are alike, so what is left is usage and demand.
    assert total == usage + row["amount_usd"]


def test_a_statement_prints_them(wide: Pipeline, hour: datetime) -> None:
    document = json.loads(wide.run("statement", TENANT, f"{hour:%Y-%m}", "--json"))
    assert str(TOKENS) in json.dumps(document)
    printed = wide.run("statement", TENANT, f"{hour:%Y-%m}")
    assert f"{ROWS * (3 * 10**18 + 1):,}" in printed.replace("\n", "")


def test_answers_in_json_are_digits(client: Client) -> None:
    """Plain digits, or quoted where 64-bit integers are: a reader of JSON sees no other kind."""
    query = "SELECT input_tokens FROM registers FORMAT JSONEachRow"
    for quoted in (0, 1):
        answer = client.raw_query(
            query, settings={"output_format_json_quote_64bit_integers": quoted}
        )
        number = str(ROWS * 10**19)
        assert answer.decode().strip() == (
            f'{{"input_tokens":"{number}"}}' if quoted else f'{{"input_tokens":{number}}}'
        )


def exporter_settings(pipeline: Pipeline) -> ExporterSettings:
    env = {name.lower().removeprefix("wattoken_"): text for name, text in pipeline.env.items()}
    fields = {name: env[name] for name in ExporterSettings.model_fields if name in env}
    fields |= {"exporter_refresh_seconds": "0", "exporter_timeout_seconds": "20"}
    return read_settings(ExporterSettings, **fields)


def test_the_exporter_shows_them(wide: Pipeline) -> None:
    families = asyncio.run(Scraper(exporter_settings(wide)).scrape())
    text = b"".join(Exposition().write(families, openmetrics=False)).decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    labels = ",".join(f'{name}="{value}"' for name, value in SERIES.items())
    for name, total in totals().items():
        assert lines[f"wattoken_{name}_total{{{labels}}}"] == str(total)
    week = float(lines['wattoken_week_tokens{origin="US"}'])
    assert week == pytest.approx(TOKENS)
    assert float(lines['wattoken_reconciliation_difference_tokens{stage="hours"}']) == 0


def test_the_control_room_shows_them(wide: Pipeline) -> None:
    answer = asyncio.run(ControlRoom(exporter_settings(wide)).answer())
    sections = json.loads(answer.body)["sections"]
    assert {name: one["error"] for name, one in sections.items() if one["error"]} == {}
    system = sections["registers"]["data"]["system"]
    assert system["tokens"] == str(TOKENS)
    assert sections["league"]["data"]["places"][0]["tokens"] == str(TOKENS)


def test_the_audit_reads_them(wide: Pipeline) -> None:
    settings = ClickHouseSettings(
        clickhouse_port=wide.infrastructure.ports.clickhouse_http,
        clickhouse_database=wide.database,
    )
    assert settings.clickhouse_database == wide.database
    with connected(wide) as client:
        for shape in VIEWS:
            if shape.columns == COLUMNS:
                (row,) = view_rows(client, shape).values()
                assert row == tuple(totals()[name] for name in COLUMNS), shape.view
        for row in view_rows(client, USAGE_HOUR_ENTRIES).values():
            told = [totals().get(name, 0) for name in USAGE_HOUR_ENTRIES.columns]
            assert row == tuple(told)

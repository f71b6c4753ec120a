"""What the services ask ClickHouse, on what the aggregator's own sink wrote: known in, known out.

No Kafka and no other process takes part, so it runs wherever ClickHouse does: see
tests/integration/test_versions_newer.py and its neighbours.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from schemas.metering_rules import DAY_MS, MeteringRules
from schemas.price_class import PriceClass
from services.aggregator.core.slice_keys import pack
from services.aggregator.core.windows import FAMILIES, HOUR, MINUTE, REGISTER, UNIT, Family
from services.aggregator.decoding.labels import Series as SeriesLabels
from services.aggregator.decoding.labels import Unit
from services.billing.periods import Period
from services.billing.statement_queries import read_statement, read_statements
from services.dead_letters.letters import Selection, count_by_reason, read_letters
from services.exporter import queries as exporter
from services.exporter.control_room import queries as room
from services.exporter.control_room.figures import window_of
from services.exporter.reconciliation import read_reconciliation
from services.exporter.rows import REGISTER_COLUMNS, Reconciliation, Series
from services.exporter.settings import ExporterSettings
from services.exporter.sources import Connection
from services.platform.errors import ConfigurationError
from services.platform.rules_table import rules_now
from services.platform.supported import minor_release
from services.simulator.audit import late_after_ms, meter_counts, view_rows
from services.simulator.expected import USAGE_HOUR
from tests.contract import dashboard_files
from tests.integration import utility_oracle as oracle
from tests.integration.dashboard_scene import choices, fill_sql
from tests.integration.metered_database import (
    LETTERS,
    LINES,
    LOG,
    Metered,
    checkpoint,
    meter,
)
from tests.versions.clickhouse import stack_version
from tests.versions.database import DatabaseFactory

T = TypeVar("T")
DAY = oracle.DAY_SECONDS


@pytest.fixture(scope="module")
def metered(databases: DatabaseFactory) -> Iterator[Metered]:
    made = meter(databases("queries"), int(time.time()))
    yield made
    made.sink.close()


@pytest.fixture(scope="module")
def client(metered: Metered) -> Iterator[Client]:
    with metered.database.connect() as client:
        yield client


def test_it_is_the_version_that_was_asked_for(
    client: Client, request: pytest.FixtureRequest
) -> None:
    version = request.config.getoption("--clickhouse") or stack_version()
    assert minor_release(str(client.server_version)) == minor_release(version)


def assert_rows(family: Family, metered: Metered, partition: int, found: Any) -> None:
    rows, versions = found
    expected = metered.rows(family, partition)
    order = np.argsort(rows.keys)
    assert rows.keys[order].tolist() == expected.keys.tolist()
    assert rows.totals[order].tolist() == expected.totals.tolist()
    assert set(versions.tolist()) == {checkpoint(metered.events, partition).next_offset}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_worker_recovers_the_slices_it_wrote(metered: Metered, family: Family) -> None:
    for partition in (0, 1):
        assert_rows(family, metered, partition, metered.sink.read_slices(family, partition, 0))
        assert metered.sink.find_contradiction(family, partition, 0) is None


@pytest.mark.parametrize("family", [MINUTE, HOUR, UNIT], ids=lambda family: family.name)
def test_a_worker_looks_up_old_slices_and_recovers_from_a_window_on(
    metered: Metered, family: Family
) -> None:
    keys = metered.rows(family, 0).keys
    unknown = np.setdiff1d(metered.rows(family, 1).keys, keys)
    found = metered.sink.look_up(family.name, 0, np.concatenate([keys, unknown]))
    assert_rows(family, metered, 0, found)
    first = family.window_number(1000 * (int(time.time()) - 3 * 3600))
    rows, _ = metered.sink.read_slices(family, 0, first)
    assert 0 < len(rows) < len(keys)


def test_a_worker_looks_up_any_number_of_slices_at_once(metered: Metered) -> None:
    """Of a batch of late events each may be in a slice of its own, with names as long as any."""
    labels, now_ms = metered.labels, 1000 * int(time.time())
    count = 20_000
    long = ["é" * 128, "provider" * 16, "model-" * 42]
    series = np.array([labels.series.number(SeriesLabels("usage", *long))] * count)
    tenants = [labels.tenants.number(f"{number:06}" + "t" * 122) for number in range(count)]
    for family, varieties in (
        (MINUTE, np.zeros(count, np.int64)),
        (HOUR, np.full(count, labels.classes.number(PriceClass("batch", 200_000)))),
        (UNIT, np.full(count, labels.units.number(Unit("pages")))),
    ):
        windows = np.full(count, family.window_number(now_ms)) - np.arange(count) % 1000
        unknown = pack(family, labels, windows, np.array(tenants), series, varieties)
        keys = np.concatenate([unknown, metered.rows(family, 0).keys])
        assert_rows(family, metered, 0, metered.sink.look_up(family.name, 0, keys))


def test_a_worker_recovers_checkpoints_and_rules(metered: Metered) -> None:
    expected = {number: checkpoint(metered.events, number) for number in (0, 1)}
    assert metered.sink.read_checkpoints([0, 1, 2]) == expected
    assert metered.sink.read_offsets() == {n: one.next_offset for n, one in expected.items()}
    rules = metered.sink.read_rules([0, 1, 2])
    assert {number: book.entries for number, book in rules.items()} == {
        number: ((0, MeteringRules(too_old_ms=7 * DAY_MS)),) for number in (0, 1)
    }


def test_different_totals_under_one_version_are_named(databases: DatabaseFactory) -> None:
    made = meter(databases("contradiction"), int(time.time()))
    with made.database.connect() as client:
        client.command(
            "INSERT INTO slices_register SELECT * REPLACE (requests + 1 AS requests)"
            " FROM slices_register FINAL WHERE partition = 1 AND model = 'unheard-of'"
        )
    named = made.sink.find_contradiction(REGISTER, 1, 0)
    assert named is not None and "unheard-of" in named
    made.sink.close()


def test_dead_letters_are_found_again(metered: Metered, client: Client) -> None:
    counted = count_by_reason(client, Selection())
    assert [(one.reason, one.letters) for one in counted] == [("invalid_json", 1), ("too_old", 1)]
    for limit in (None, 10):
        letters = list(read_letters(client, Selection(partition=1), limit))
        assert {(one.offset, one.payload, one.payload_bytes, one.reason) for one in letters} == {
            (one.offset, one.payload, one.payload_bytes, one.reason) for one in LETTERS
        }
    (one,) = read_letters(client, Selection(reason="too_old", offset=6))
    assert one.append_time.replace(tzinfo=UTC) == datetime.fromtimestamp(
        LETTERS[1].append_ms / 1000, UTC
    )
    assert rules_now(client, LOG.name) == MeteringRules(too_old_ms=7 * DAY_MS)
    counts = meter_counts(client, LOG)
    assert (counts.accepted, counts.received) == (len(metered.events), len(metered.events) + 2)
    assert counts.rejected == counts.dead_letters == {"invalid_json": 1, "too_old": 1}
    assert late_after_ms(client, LOG).least == MeteringRules().late_after_ms


def usage_hours(metered: Metered) -> dict[Any, tuple[int, ...]]:
    hours: dict[Any, Counter[str]] = defaultdict(Counter)
    for one in metered.events:
        row = hours[(one.time // 3600 * 3600, one.tenant, one.region, one.provider, one.model)]
        if one.entry != "usage":
            row[f"{one.entry}_tokens"] += one.input + one.output
            continue
        row["requests"] += 1
        row["input_tokens"] += one.input
        row["cache_read_input_tokens"] += one.cached
        row["output_tokens"] += one.output
        row["estimated_tokens"] += one.output
    return {key: tuple(row[name] for name in REGISTER_COLUMNS) for key, row in hours.items()}


@pytest.mark.parametrize("grain", ["minute", "hour"])
def test_sums_of_parts_by_any_two_dimensions_are_those_of_the_events(
    metered: Metered, client: Client, grain: str
) -> None:
    seconds = {"minute": 60, "hour": 3600}[grain]
    dimensions: dict[str, Callable[[Any], Any]] = {
        "toUnixTimestamp(window_start)": lambda one: one.time // seconds * seconds,
        "region": lambda one: one.region,
        "provider": lambda one: one.provider,
        "model": lambda one: one.model,
    }
    if grain == "hour":
        dimensions["tenant"] = lambda one: one.tenant
    for pair in combinations(dimensions, 2):
        sums: dict[Any, Counter[str]] = defaultdict(Counter)
        for one in metered.events:
            row = sums[tuple(dimensions[name](one) for name in pair)]
            if one.entry != "usage":
                row[f"{one.entry}_tokens"] += one.input + one.output
                continue
            row.update(requests=1, input_tokens=one.input, cache_read_input_tokens=one.cached)
            row.update(output_tokens=one.output, estimated_tokens=one.output)
        columns = ", ".join(f"sum({name})" for name in REGISTER_COLUMNS)
        grouped = f"SELECT {', '.join(pair)}, {columns} FROM %s GROUP BY {', '.join(pair)}"
        expected = {key: tuple(row[name] for name in REGISTER_COLUMNS) for key, row in sums.items()}
        for view in (f"usage_{grain}_parts", f"usage_{grain}"):
            found = client.query(grouped % view).result_rows
            assert {row[:2]: row[2:] for row in found} == expected, (view, pair)


def test_hours_tell_price_classes_apart_and_units_are_beside(
    metered: Metered, client: Client
) -> None:
    hours: dict[Any, Counter[str]] = defaultdict(Counter)
    units: Counter[Any] = Counter()
    for one in metered.events:
        key = (one.time // 3600 * 3600, *one[1:6])
        row = hours[(*key, *one.price_class)]
        row.update(requests=1, input_tokens=one.input, cache_read_input_tokens=one.cached)
        row.update(output_tokens=one.output, audio_input_tokens=one.audio)
        if one.pages:
            units[(*key, "pages")] += one.pages
    names = "toUnixTimestamp(window_start), tenant, toString(entry), region, provider, model"
    measures = (
        *("requests", "input_tokens", "cache_read_input_tokens", "output_tokens"),
        *("audio_input_tokens", "image_input_tokens"),
    )
    found = client.query(
        f"SELECT {names}, service_tier, context_band, {', '.join(measures)} FROM usage_hour_entries"
    ).result_rows
    assert {row[:8]: row[8:] for row in found} == {
        key: tuple(row[name] for name in measures) for key, row in hours.items()
    }
    assert len(found) == len(hours)
    found = client.query(f"SELECT {names}, unit, quantity FROM usage_unit_hours").result_rows
    assert {row[:7]: row[7] for row in found} == units and len(found) == len(units)
    # Each token is in one line of the charges, whatever its class.
    ((billed,),) = client.query(
        "SELECT sum(tokens) FROM charges WHERE token_class NOT IN ('', 'pages')"
    ).result_rows
    assert billed == sum(one.input + one.output for one in metered.events)


def test_the_exporter_reads_registers_and_checkpoints(metered: Metered, client: Client) -> None:
    assert view_rows(client, USAGE_HOUR) == usage_hours(metered)
    registers: dict[Series, list[int]] = defaultdict(lambda: [0] * len(REGISTER_COLUMNS))
    for key, row in usage_hours(metered).items():
        held = registers[Series(*key[2:])]
        held[:] = [sum(pair) for pair in zip(held, row, strict=True)]
    found = {row.series: list(row.totals) for row in exporter.read_registers(client)}
    assert found == registers
    rows = {row.partition: row for row in exporter.read_checkpoints(client)}
    for number in (0, 1):
        expected = checkpoint(metered.events, number)
        assert rows[number].next_offset == expected.next_offset
        assert rows[number].rejected == dict(expected.rejected)
        assert rows[number].newest_event_ms == expected.newest_event_ms
    assert read_reconciliation(client) == Reconciliation(0, 0, 0)


def within_a_minute(client: Client, read: Callable[[int], T]) -> tuple[int, T]:
    """Read while the database's clock shows one minute; gives its time too."""
    while True:
        now = int(client.query("SELECT toUnixTimestamp(now('UTC'))").first_row[0])
        found = read(now)
        if client.query("SELECT toUnixTimestamp(now('UTC'))").first_row[0] // 60 == now // 60:
            return now, found


def test_the_exporter_reads_what_it_keeps(metered: Metered, client: Client) -> None:
    """Over a connection as it has one for heavy queries: one thread, low priority."""
    settings = ExporterSettings(**metered.database.settings.model_dump())
    gentle = Connection(settings, 60, gentle=True)
    reads: tuple[Callable[[Client], Any], ...] = (
        *(exporter.read_demand, exporter.read_intervals, exporter.read_peaks),
        *(exporter.read_league, exporter.read_bills, exporter.read_catalogue),
    )
    now, (demand, intervals, peaks, league, bills, catalogue) = within_a_minute(
        client, lambda now: [gentle.run(read) for read in reads]
    )
    minutes = metered.slices(60)
    blocks = oracle.demand_15m(minutes, now)
    block = oracle.block_of(now) - 900
    sliding = oracle.sliding_demand(minutes, now)
    expected = {
        Series(*line): (
            blocks.get((block, *line), (0, 0.0))[1],
            sliding.get(line, (0, 0, 0, 0.0))[3],
        )
        for line in LINES
    }
    assert {row.series: row[1:] for row in demand} == expected
    ends = {region: 0 for region, _, _ in LINES}
    for (start, region, *_), (_, _, complete) in blocks.items():
        if complete and start >= now - DAY:
            ends[region] = max(ends[region], start + 900)
    assert intervals == ends
    month = oracle.month_of(now)
    peak_rows = oracle.peak_demand(minutes, now)
    expected_peaks = {
        region: (row[0], row[1] / 900, row[2], row[3] / 900)
        for (period, region), row in peak_rows.items()
        if period == month
    }
    assert {row.region: tuple(row[1:]) for row in peaks} == expected_peaks
    assert {row.origin for row in league} == {"US", "CN", "unknown"}
    assert all(0 < row.share < 1 and row.leading_weeks <= 3 for row in league)
    priced = [bill for bill in bills if bill.tou_period != "unpriced"]
    assert {bill.series for bill in priced} == {Series(*line) for line in LINES[:2]}
    assert all(bill.usd > 0 and bill.unpriced_tokens == 0 for bill in priced)
    unpriced = {bill.series: bill for bill in bills if bill.tou_period == "unpriced"}
    assert all(bill.usd == 0 for bill in unpriced.values())
    # Of the others, tiers without a price.
    assert unpriced[Series(*LINES[2])].unpriced_tokens == sum(
        one.input + one.output
        for one in metered.events
        if one.entry == "usage"
        and (one.region, one.provider, one.model) == LINES[2]
        and oracle.month_of(one.time) == month
    )
    assert catalogue.capacities["us-east"] > 0
    assert {one.model for one in catalogue.models} == {model for _, _, model in LINES}
    assert {one.provider for one in catalogue.prices} == {"openai", "deepseek"}


def test_the_control_room_reads_its_figures(metered: Metered, client: Client) -> None:
    window = window_of(time.time())
    load = {(row.minute, row.region): row.tokens for row in room.read_load(client, window)}
    expected: Counter[tuple[int, str]] = Counter()
    today: Counter[str] = Counter()
    for one in metered.events:
        if one.entry == "usage" and window.load_from <= one.time < window.now:
            expected[one.time, one.region] += one.input + one.output
        if one.entry == "usage" and window.day_from <= one.time // 3600 * 3600 < window.now:
            today[one.model] += one.input + one.output
    assert load == expected
    registers = {row.region: row for row in room.read_registers(client, window)}
    assert registers.keys() == {region for region, _, _ in LINES}
    assert sum(row.requests for row in registers.values()) == len(metered.events) - 2
    models = {row.model: row.tokens for row in room.read_models(client, window)}
    assert models == today
    for read in (room.read_today, room.read_period, room.read_mix, room.read_league):
        rows: list[Any] = read(client, window)
        assert rows, read.__name__


def test_every_view_is_the_same_for_every_reader(client: Client) -> None:
    """Whatever migrations make of views; with a reader's own way of joining, too."""
    views = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    ).result_rows
    assert len(views) >= 20
    for (view,) in views:

        def read(now: int, view: str = view) -> list[list[str]]:
            answers = (
                client.query(f"SELECT * FROM {view}", settings=settings)
                for settings in ({}, {"join_use_nulls": 1})
            )
            return [sorted(map(repr, answer.result_rows)) for answer in answers]

        _, (rows, as_nulls) = within_a_minute(client, read)
        assert rows, view
        assert as_nulls == rows, view


@pytest.mark.parametrize("path", dashboard_files.SQL, ids=lambda path: path.stem)
def test_every_query_of_a_sql_dashboard_has_rows(client: Client, path: Path) -> None:
    dashboard = dashboard_files.load(path)
    span = re.fullmatch(r"now-(\d+)([dhy])", dashboard["time"]["from"])
    assert span is not None
    seconds = int(span[1]) * {"h": 3600, "d": DAY, "y": 365 * DAY}[span[2]]
    now = int(time.time())
    values: dict[str, list[str]] = {}
    for name, variable in dashboard_files.variables(dashboard).items():
        if variable["type"] != "datasource":
            values[name] = choices(client, variable, values)
    assert all(values.values())
    for title, target in dashboard_files.queries(dashboard):
        text = fill_sql(target["rawSql"], values, from_time=now - seconds, to_time=now)
        assert client.query(text).result_rows, f"{title}: {text}"


@pytest.mark.parametrize(
    "value",
    ["' OR 1 = 1 --", "'; DROP TABLE dead_letters; --", "\\' OR ''='", "{log:String}", "a\0b"],
)
def test_sql_in_a_value_is_a_value(client: Client, value: str) -> None:
    before = sum(count.letters for count in count_by_reason(client, Selection()))
    assert before
    chosen = Selection(reason=value)
    assert count_by_reason(client, chosen) == []
    assert list(read_letters(client, chosen)) == []
    january, now = Period(date(2026, 1, 1), date(2026, 2, 1)), datetime.now(UTC)
    with pytest.raises(ConfigurationError, match="was not metered"):
        read_statement(client, value, january, now)
    (nothing,) = read_statements(client, [value], january, now)
    assert (nothing.tenant, nothing.lines, nothing.adjustments) == (value, (), ())
    assert sum(count.letters for count in count_by_reason(client, Selection())) == before

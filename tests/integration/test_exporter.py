"""The exporter on a real ClickHouse and a real Kafka: what it shows, and when it shows nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import run
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from schemas.canary import CANARY, NO_CANARY_REGION
from services.exporter.exposition import Exposition
from services.exporter.metric_definitions import METRICS, exposed_name
from services.exporter.rows import REGISTER_COLUMNS
from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.local_stack.pipeline import Pipeline
from services.local_stack.processes import Child
from services.local_stack.prometheus import find_promtool
from services.platform.migrate import answered
from services.platform.settings import KafkaSettings, read_settings
from tests.integration.conftest import PipelineFactory
from tests.waiting import eventually

TIMEOUT_SECONDS = 2.0
PARTITIONS = 4
#: A series with a price in the catalogue, and a region with a capacity.
PRICED = {"region": "us-east", "provider": "openai", "model": "gpt-5.6-luna"}
STAGES = ("hours", "minutes")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def exporting(pipelines: PipelineFactory) -> Pipeline:
    """A pipeline of which only the exporter runs: the tests write the rows themselves."""
    return pipelines(
        services=["exporter"],
        partitions=PARTITIONS,
        env={
            "WATTOKEN_EXPORTER_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
            "WATTOKEN_EXPORTER_MAX_SERIES": "6",
            "WATTOKEN_EXPORTER_REFRESH_SECONDS": "1",
            # Else a scrape within two seconds of another shows what that one did.
            "WATTOKEN_EXPORTER_HEIGHTS_SECONDS": "0",
        },
    )


@pytest.fixture
def database(exporting: Pipeline) -> Iterator[Client]:
    """A client of the pipeline's database."""
    env = exporting.env
    client = clickhouse_connect.get_client(
        host=env["WATTOKEN_CLICKHOUSE_HOST"],
        port=int(env["WATTOKEN_CLICKHOUSE_PORT"]),
        database=env["WATTOKEN_CLICKHOUSE_DATABASE"],
    )
    yield client
    client.close()


@pytest.fixture
def log_name(exporting: Pipeline) -> str:
    settings = read_settings(
        KafkaSettings, kafka_bootstrap_servers=exporting.env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]
    )
    # Asked again, should a broker that a test stopped not be back at once.
    return answered(settings, lambda questions: questions.describe(exporting.topic)).name


def get(pipeline: Pipeline, path: str = "/metrics", accept: str = "") -> tuple[str, float]:
    """The body, and how long it took."""
    request = urllib.request.Request(
        pipeline.addresses["exporter"] + path, headers={"Accept": accept}
    )
    begin = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), time.perf_counter() - begin


def scrape(pipeline: Pipeline) -> Samples:
    """What is shown of what was written before.

    Scrapes that come at once share one, and the stack's Prometheus scrapes too: the first answer
    may be of a scrape that had read the tables before the test wrote. The second is not.
    """
    get(pipeline)
    body, _ = get(pipeline)
    return samples_of(body)


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def read_afresh(pipeline: Pipeline) -> Samples:
    """What an exporter of its own shows, which keeps no reading and shares none with Prometheus."""
    env = {name.lower().removeprefix("wattoken_"): text for name, text in pipeline.env.items()}
    fields = {name: env[name] for name in ExporterSettings.model_fields if name in env}
    fields |= {"exporter_refresh_seconds": "0", "exporter_timeout_seconds": "10"}
    families = asyncio.run(Scraper(read_settings(ExporterSettings, **fields)).scrape())
    text = b"".join(Exposition().write(families, openmetrics=False)).decode()
    return samples_of(text)


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"wattoken_{name}", frozenset(labels.items())))


def insert_register(client: Client, log: str, version: int, **columns: Any) -> None:
    row: dict[str, Any] = {"region": "eu", "provider": "p", "model": "m", "entry": "usage"}
    row |= {"log": log, "partition": 0, "version": version, **columns}
    client.insert("slices_register", [list(row.values())], column_names=list(row))


def insert_checkpoint(client: Client, log: str, next_offset: int, **columns: Any) -> None:
    row: dict[str, Any] = {"log": log, "partition": 0, "topic": "t", "next_offset": next_offset}
    row |= {"start_offset": 0, **columns}
    client.insert("checkpoints", [list(row.values())], column_names=list(row))


def assert_equals_registers(samples: Samples, client: Client) -> None:
    columns = ", ".join(REGISTER_COLUMNS)
    rows = client.query(
        f"SELECT region, provider, model, {columns} FROM registers WHERE {NO_CANARY_REGION}"
    ).result_rows
    assert rows
    for region, provider, model, *totals in rows:
        labels = {"region": region, "provider": provider, "model": model}
        shown = [value(samples, f"{column}_total", **labels) for column in REGISTER_COLUMNS]
        assert shown == totals


def test_counters_equal_the_view_whatever_lies_in_the_slices(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    # Versions out of order, a repeated row, two partitions, two logs, and adjustments.
    insert_register(database, log_name, 20, requests=4, input_tokens=400, output_tokens=40)
    insert_register(database, log_name, 10, requests=1, input_tokens=100, output_tokens=10)
    insert_register(database, log_name, 20, requests=4, input_tokens=400, output_tokens=40)
    insert_register(database, log_name, 5, partition=1, requests=2, input_tokens=2**53 - 1000)
    insert_register(database, "old/log", 99, requests=3, failed_requests=1, estimated_tokens=7)
    insert_register(database, log_name, 20, entry="debit", input_tokens=30, output_tokens=3)
    insert_register(database, log_name, 20, entry="credit", input_tokens=20)
    insert_register(database, log_name, 8, model='odd "\\\n name', requests=1, input_tokens=5)
    samples = scrape(exporting)
    assert_equals_registers(samples, database)
    labels = {"region": "eu", "provider": "p", "model": "m"}
    assert value(samples, "requests_total", **labels) == 9
    assert value(samples, "input_tokens_total", **labels) == 2**53 - 600
    assert value(samples, "debit_tokens_total", **labels) == 33
    assert value(samples, "credit_tokens_total", **labels) == 20
    assert value(samples, "up") == 1


def test_pipeline_metrics_come_from_the_newest_checkpoints(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    topic = exporting.topic
    old = {"received": 9, "accepted": 9, "late": 1}
    new = {"received": 20, "accepted": 14, "duplicate": 2, "late": 3}
    event = "2026-03-15 12:00:00.250"
    insert_checkpoint(database, log_name, 20, topic=topic, rejected={"too_old": 4}, **new)
    insert_checkpoint(database, log_name, 9, topic=topic, **old)
    insert_checkpoint(database, "old/log", 5, received=5, accepted=5, newest_event=event)
    insert_checkpoint(
        database, log_name, 1, partition=1, topic=topic, received=1, accepted=1, newest_event=event
    )
    producer = Producer({"bootstrap.servers": exporting.env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]})
    for partition, records in {0: 25, 2: 3}.items():
        for _ in range(records):
            producer.produce(topic, b"x", partition=partition)
    assert producer.flush(30) == 0

    samples = scrape(exporting)
    counts = {
        name: value(samples, f"events_{name}_total")
        for name in ("received", "accepted", "duplicate", "late")
    }
    assert counts == {"received": 26, "accepted": 20, "duplicate": 2, "late": 3}
    assert value(samples, "events_rejected_total", reason="too_old") == 4
    lags = [value(samples, "consumer_lag_messages", partition=str(n)) for n in range(PARTITIONS)]
    assert lags == [5, 0, 3, 0]
    marks = [
        value(samples, "watermark_timestamp_seconds", partition=str(n)) for n in range(PARTITIONS)
    ]
    assert marks == [None, 1773576000.25, None, None]


def test_a_late_event_raises_a_counter_and_an_older_row_lowers_none(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    labels = {"region": "eu", "provider": "p", "model": "late"}
    insert_register(database, log_name, 10, model="late", requests=1, input_tokens=100)
    before = value(scrape(exporting), "input_tokens_total", **labels)
    insert_register(database, log_name, 30, model="late", requests=2, input_tokens=150)
    insert_register(database, log_name, 20, model="late", requests=1, input_tokens=120)
    after = value(scrape(exporting), "input_tokens_total", **labels)
    assert (before, after) == (100, 150)


def insert_usage(client: Client, log: str, at: datetime, tokens: int) -> None:
    """Meter output tokens of one request at a time, in all families, as a flush does."""
    row: dict[str, Any] = {**PRICED, "entry": "usage", "log": log, "partition": 3}
    totals = {"requests": 1, "output_tokens": tokens, "version": 1}
    minute = at.replace(second=0, microsecond=0)
    windows: dict[str, dict[str, Any]] = {
        "slices_minute": {"window_start": minute},
        "slices_hour": {"window_start": minute.replace(minute=0), "tenant": "acme"},
        "slices_register": {},
    }
    for table, window in windows.items():
        # Versions are absolute totals: add to what is there.
        where = " AND ".join(f"{name} = {{{name}:String}}" for name in PRICED)
        if window:
            where += " AND window_start = {window_start:DateTime('UTC')}"
        found = client.query(
            f"SELECT requests, output_tokens, version FROM {table} FINAL WHERE {where}",
            parameters={**PRICED, **window},
        ).result_rows
        before = dict(zip(totals, found[0], strict=True)) if found else dict.fromkeys(totals, 0)
        now = {name: before[name] + totals[name] for name in totals}
        whole = {**row, **window, **now}
        client.insert(table, [list(whole.values())], column_names=list(whole))


def settled_reading(pipeline: Pipeline) -> tuple[Samples, datetime]:
    """A reading that no minute's end fell into, and its minute."""
    while True:
        before = datetime.now(UTC).replace(second=0, microsecond=0)
        samples = read_afresh(pipeline)
        if datetime.now(UTC).replace(second=0, microsecond=0) == before:
            return samples, before


def block_of(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def test_demand_peaks_league_and_bills_are_of_now(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    begin = datetime.now(UTC)
    usage = [
        (block_of(begin) - timedelta(minutes=15), 900_000),
        (block_of(begin) - timedelta(minutes=16), 90_000),
        (begin - timedelta(minutes=1), 9_000),
        (begin, 4_500),
    ]
    for at, tokens in usage:
        insert_usage(database, log_name, at, tokens)
    samples, minute = settled_reading(exporting)

    def used(since: datetime, until: datetime) -> int:
        return sum(tokens for at, tokens in usage if since <= at < until)

    month = minute.replace(day=1, hour=0, minute=0)
    monday = (minute - timedelta(days=minute.weekday())).replace(hour=0, minute=0)
    later = begin + timedelta(days=1)
    block, quarter = block_of(minute), timedelta(minutes=15)
    region = {"region": PRICED["region"]}
    blocks = {block_of(at) for at, _ in usage if at >= month}
    peak, peak_start = max((used(one, one + quarter), -one.timestamp()) for one in blocks)
    closed = max(block_of(at) for at, _ in usage if block_of(at) < block) + quarter

    assert value(samples, "block_demand_tokens_per_second", **PRICED) == pytest.approx(
        used(block - quarter, block) / 900
    )
    assert value(samples, "sliding_demand_tokens_per_second", **PRICED) == pytest.approx(
        used(minute - quarter, minute) / 900
    )
    assert value(samples, "billing_peak_demand_tokens_per_second", **region) == peak / 900
    assert value(samples, "billing_peak_timestamp_seconds", **region) == -peak_start
    assert value(samples, "coincident_demand_tokens_per_second", **region) == peak / 900
    assert value(samples, "billing_period_tokens", **region) == used(month, later)
    assert value(samples, "billing_period_start_timestamp_seconds") == month.timestamp()
    assert (
        value(samples, "last_closed_interval_end_timestamp_seconds", **region) == closed.timestamp()
    )
    assert value(samples, "week_tokens", origin="US") == used(monday, later)
    assert value(samples, "week_share_ratio", origin="US") == 1
    assert value(samples, "leading_weeks", origin="US") in (1, 2)
    assert_priced(samples, database, used(month, later))


def assert_priced(samples: Samples, client: Client, output_tokens: int) -> None:
    """Prices, charges, capacities and models are the catalogue's."""
    (price,) = client.query(
        "SELECT usd_per_million_tokens FROM tariffs WHERE model = {model:String} AND"
        " token_class = 'output' AND service_tier = 'standard' AND above_input_tokens = 0"
        " AND valid_from <= now() AND now() < valid_to",
        parameters={"model": PRICED["model"]},
    ).first_row
    flat = {"tou_period": "flat"}
    labels = {"provider": PRICED["provider"], "model": PRICED["model"], **flat}
    shown = value(samples, "price_usd_per_token", token_class="output", **labels)
    assert shown == pytest.approx(float(price) / 1e6, rel=1e-12)
    charged = value(samples, "billing_period_charges_usd", **PRICED, **flat)
    assert charged == float(price * output_tokens / 1_000_000)
    (capacity,) = client.query(
        "SELECT capacity_tokens_per_second FROM regions WHERE region = {region:String}",
        parameters={"region": PRICED["region"]},
    ).first_row
    assert value(samples, "capacity_tokens_per_second", region=PRICED["region"]) == capacity
    infos = [dict(labels) for name, labels in samples if name == "wattoken_model_info"]
    (info,) = (info for info in infos if info["model"] == PRICED["model"])
    assert (info["author"], info["origin"]) == ("OpenAI", "US")


def test_totals_that_differ_are_told_by_stage(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    before = read_afresh(exporting)
    # The tests above wrote registers without hours, and checkpoints without registers.
    registers, hours, accepted, events = database.query(
        "SELECT (SELECT tokens FROM register_totals), (SELECT sum(tokens) FROM hour_totals),"
        " (SELECT sum(accepted) FROM checkpoints FINAL), (SELECT events FROM register_totals)"
    ).first_row
    stages = [value(before, "reconciliation_difference_tokens", stage=s) for s in STAGES]
    assert stages == [pytest.approx(registers - hours), 0]
    assert value(before, "reconciliation_difference_events") == accepted - events
    # An adjustment counts; here it is in the hours and nowhere else.
    row: dict[str, Any] = {"tenant": "acme", "region": "eu", "provider": "p", "model": "m"}
    row |= {
        "entry": "debit",
        "window_start": datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
    }
    row |= {"log": log_name, "partition": 0, "version": 1, "input_tokens": 77}
    database.insert("slices_hour", [list(row.values())], column_names=list(row))
    after = read_afresh(exporting)
    assert value(after, "reconciliation_difference_tokens", stage="minutes") == 77


def test_what_has_no_price_is_counted_and_what_a_canary_sends_is_nobodys(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    before = read_afresh(exporting)
    row: dict[str, Any] = {"entry": "usage", "log": log_name, "partition": 1, "version": 1}
    row |= {"provider": "p", "requests": 1, "input_tokens": 30, "output_tokens": 12}
    canary = dict.fromkeys(("region", "provider", "model"), CANARY)
    for names, tenant in (
        ({"region": "eu", "model": "nobody-prices-it"}, "acme"),
        (canary, CANARY),
    ):
        whole = {**row, **names}
        database.insert("slices_register", [list(whole.values())], column_names=list(whole))
        hours = {**whole, "tenant": tenant, "window_start": hour}
        database.insert("slices_hour", [list(hours.values())], column_names=list(hours))
        minutes = {**whole, "window_start": hour}
        database.insert("slices_minute", [list(minutes.values())], column_names=list(minutes))
    after = read_afresh(exporting)

    def unpriced(samples: Samples) -> float:
        name = "wattoken_billing_period_unpriced_tokens"
        return sum(tokens for (of, _), tokens in samples.items() if of == name)

    assert unpriced(after) - unpriced(before) == 42
    assert value(after, "canary_metered_requests", canary=CANARY) == 1
    assert value(after, "canary_metered_input_tokens", canary=CANARY) == 30
    assert value(after, "canary_metered_output_tokens", canary=CANARY) == 12
    assert {name for name, labels in after for _, label in labels if CANARY in label} == {
        f"wattoken_canary_metered_{name}" for name in ("requests", "input_tokens", "output_tokens")
    }
    text, _ = get(exporting, "/metrics?name[]=wattoken_canary_metered_requests")
    assert set(samples_of(text)) == {
        ("wattoken_canary_metered_requests", frozenset({("canary", CANARY)}))
    }


def test_a_region_that_fell_silent_weeks_ago_is_known_to_an_exporter_that_starts(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    at = datetime.now(UTC).replace(minute=7, second=0, microsecond=0) - timedelta(days=20)
    row: dict[str, Any] = {"entry": "usage", "log": log_name, "partition": 2, "version": 1}
    row |= {"region": "silent", "provider": "p", "model": "m", "requests": 1, "window_start": at}
    database.insert("slices_minute", [list(row.values())], column_names=list(row))
    ended = value(
        read_afresh(exporting), "last_closed_interval_end_timestamp_seconds", region="silent"
    )
    assert ended == at.replace(minute=15).timestamp()


def all_families(pipeline: Pipeline) -> bool:
    return {name for name, _ in scrape(pipeline)} == {exposed_name(meaning) for meaning in METRICS}


def test_both_formats_say_the_same_and_name_what_the_table_names(exporting: Pipeline) -> None:
    eventually("all families", lambda: all_families(exporting))
    text, _ = get(exporting)
    openmetrics, _ = get(exporting, accept="application/openmetrics-text;version=1.0.0")
    names = {family.name for family in parse_openmetrics(openmetrics)}  # type: ignore[no-untyped-call]
    assert names == {family.name.removesuffix("_info") for family in parse_text(text)}
    exposed = {sample.name for family in parse_text(text) for sample in family.samples}
    assert exposed == {exposed_name(meaning) for meaning in METRICS}


def test_promtool_finds_no_fault(exporting: Pipeline) -> None:
    promtool = find_promtool()
    if promtool is None:
        pytest.skip("promtool is not installed (it comes with Prometheus)")
    body, _ = get(exporting)
    done = run([promtool, "check", "metrics"], input=body, text=True, capture_output=True)
    # Its only remark takes the name's weeks for a unit of time; they are a count.
    remark = 'wattoken_leading_weeks use base unit "seconds" instead of "weeks"\n'
    assert (done.stdout, done.stderr) == ("", remark)


def ask_prometheus(pipeline: Pipeline, query: str) -> list[dict[str, Any]]:
    """The result of an instant query; fails on what Prometheus cannot read."""
    url = f"{pipeline.infrastructure.prometheus_url}/api/v1/query?{urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        body = json.load(answer)
    assert body["status"] == "success"
    found = body["data"]["result"]
    assert isinstance(found, list)
    return found


def test_prometheus_answers_with_the_counters_values(exporting: Pipeline) -> None:
    shown = {
        labels: number
        for (name, labels), number in scrape(exporting).items()
        if name == "wattoken_input_tokens_total"
    }
    assert shown

    def answered() -> bool:
        query = f'wattoken_input_tokens_total{{pipeline="{exporting.name}"}}'
        return {
            frozenset(
                (key, found["metric"][key]) for key in ("region", "provider", "model")
            ): float(found["value"][1])
            for found in ask_prometheus(exporting, query)
        } == shown

    eventually("answered", answered)


def test_prometheus_evaluates_the_rules(exporting: Pipeline) -> None:
    samples = scrape(exporting)
    region = PRICED["region"]
    peak = value(samples, "billing_peak_demand_tokens_per_second", region=region)
    capacity = value(samples, "capacity_tokens_per_second", region=region)
    assert peak is not None
    assert capacity is not None
    chosen = f'{{pipeline="{exporting.name}",region="{region}"}}'

    def margin() -> list[float]:
        found = ask_prometheus(exporting, f"region:wattoken_reserve_margin:ratio{chosen}")
        return [float(one["value"][1]) for one in found]

    eventually("margin", margin)
    assert margin() == [pytest.approx(capacity / peak - 1)]
    with urllib.request.urlopen(
        f"{exporting.infrastructure.prometheus_url}/api/v1/rules", timeout=10
    ) as answer:
        groups = json.load(answer)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["type"] for rule in rules} == {"recording", "alerting"}
    assert [rule.get("lastError") for rule in rules if rule["health"] == "err"] == []


@contextmanager
def paused(child: Child) -> Iterator[None]:
    """The process hangs: its sockets stay open and say nothing."""
    child.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        child.kill(signal.SIGCONT)


def assert_without_clickhouse(samples: Samples) -> None:
    assert value(samples, "up") == 0
    names = {name for name, _ in samples}
    for meaning in METRICS:
        needs_clickhouse = set(meaning.collectors) - {"exporter", "log"}
        assert (exposed_name(meaning) in names) == (not needs_clickhouse), meaning.name
    assert value(samples, "scrape_collector_success", collector="registers") == 0
    assert value(samples, "scrape_collector_success", collector="log") == 1


def test_a_hung_clickhouse_is_absent_not_zero_and_costs_no_threads(exporting: Pipeline) -> None:
    before = scrape(exporting)
    assert value(before, "up") == 1
    clickhouse = exporting.infrastructure.clickhouse
    threads = Path(f"/proc/{exporting.exporter.pid}/task")
    with paused(clickhouse):
        _, seconds = get(exporting)
        assert seconds < TIMEOUT_SECONDS + 1
        with ThreadPoolExecutor(20) as pool:
            begin = time.perf_counter()
            bodies = list(pool.map(lambda _: samples_of(get(exporting)[0]), range(20)))
            assert time.perf_counter() - begin < TIMEOUT_SECONDS + 1.5
        for samples in bodies:
            assert_without_clickhouse(samples)
        if threads.exists():
            # Readers of the three sources, server, encoder and librdkafka; not one a scrape.
            assert len(list(threads.iterdir())) < 20
        health, _ = get(exporting, "/healthz")
        assert "ok" in health
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(exporting, "/readyz")
    eventually("up", lambda: value(scrape(exporting), "up") == 1)
    counters = {key: number for key, number in before.items() if key[0].endswith("_total")}
    after = scrape(exporting)
    assert {key: after[key] for key in counters} == counters


def test_a_clickhouse_that_is_gone_is_absent_and_back_when_it_is(
    exporting: Pipeline, log_name: str
) -> None:
    before = scrape(exporting)
    clickhouse = exporting.infrastructure.clickhouse
    clickhouse.kill()
    try:
        body, seconds = get(exporting)
        assert seconds < TIMEOUT_SECONDS + 1
        assert_without_clickhouse(scrape(exporting))
    finally:
        clickhouse.restart()
    eventually("up", lambda: value(scrape(exporting), "up") == 1)
    counters = {key: number for key, number in before.items() if key[0].endswith("_total")}
    after = scrape(exporting)
    assert {key: after[key] for key in counters} == counters


def test_a_hung_broker_takes_only_the_lag_away(exporting: Pipeline) -> None:
    eventually("all families", lambda: all_families(exporting))
    with paused(exporting.infrastructure.broker):
        body, seconds = get(exporting)
        assert seconds < TIMEOUT_SECONDS + 1
        samples = scrape(exporting)
        assert value(samples, "up") == 1
        assert value(samples, "scrape_collector_success", collector="log") == 0
        absent = {exposed_name(m) for m in METRICS} - {name for name, _ in samples}
        # Both are of the log of now, which only Kafka knows.
        assert absent == {"wattoken_consumer_lag_messages", "wattoken_checkpoint_offset"}
    eventually(
        "lag",
        lambda: value(scrape(exporting), "consumer_lag_messages", partition="0") is not None,
    )


def test_label_sets_beyond_the_limit_are_summed_and_never_fall(
    exporting: Pipeline, database: Client, log_name: str
) -> None:
    other = {"region": "other", "provider": "other", "model": "other"}
    for number in range(10):
        insert_register(
            database, log_name, 1, model=f"many-{number}", requests=1, input_tokens=number
        )
    first = scrape(exporting)
    omitted = value(first, "omitted_series")
    requests = [number for (name, _), number in first.items() if name == "wattoken_requests_total"]
    assert len(requests) == 7
    (total, label_sets) = database.query(
        f"SELECT sum(requests), count() FROM registers WHERE {NO_CANARY_REGION}"
    ).result_rows[0]
    assert sum(requests) == total
    assert omitted == label_sets - 6
    # The smallest becomes the biggest: it stays where it is.
    insert_register(database, log_name, 2, model="many-0", requests=2, input_tokens=10**9)
    second = scrape(exporting)
    assert value(second, "omitted_series") == omitted
    grown = (value(second, "input_tokens_total", **other) or 0) - (
        value(first, "input_tokens_total", **other) or 0
    )
    assert grown == 10**9
    assert {key for key in first if key[0].endswith("_total")} == {
        key for key in second if key[0].endswith("_total")
    }


def test_a_database_that_went_back_in_time_lowers_no_counter(
    exporting: Pipeline, database: Client
) -> None:
    before = scrape(exporting)
    assert value(before, "held_series") == 0
    database.command("TRUNCATE TABLE slices_register")
    database.command("TRUNCATE TABLE checkpoints")
    after = scrape(exporting)
    counters = {key: number for key, number in before.items() if key[0].endswith("_total")}
    assert {key: after[key] for key in counters} == counters
    assert (value(after, "held_series") or 0) > 0
    assert "counters are held" in exporting.exporter.plan.log_path.read_text()


def test_it_stops_when_told_even_while_clickhouse_hangs(exporting: Pipeline) -> None:
    with paused(exporting.infrastructure.clickhouse):
        waiting = threading.Thread(target=lambda: scrape(exporting), daemon=True)
        waiting.start()
        time.sleep(0.2)
        begin = time.monotonic()
        exporting.exporter.kill(signal.SIGTERM)
        assert exporting.exporter.wait(10) == 0
        assert time.monotonic() - begin < TIMEOUT_SECONDS + 3

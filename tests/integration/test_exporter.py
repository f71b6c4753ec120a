"""The exporter on a real ClickHouse and a real Kafka: what it shows, and when it shows nothing."""

from __future__ import annotations

import json
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

from deploy.local.pipeline import Pipeline
from deploy.local.processes import Child
from deploy.local.prometheus import find_prometheus
from services.exporter.collector import METRICS, exposed_name
from services.exporter.rows import REGISTER_COLUMNS
from services.platform.kafka import admin_client, describe_log
from services.platform.settings import KafkaSettings, read_settings
from tests.integration.conftest import PipelineFactory

TIMEOUT_SECONDS = 2.0
PARTITIONS = 4
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
    return describe_log(admin_client(settings), exporting.topic).name


def get(pipeline: Pipeline, path: str = "/metrics", accept: str = "") -> tuple[str, float]:
    """The body, and how long it took."""
    request = urllib.request.Request(
        pipeline.addresses["exporter"] + path, headers={"Accept": accept}
    )
    begin = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), time.perf_counter() - begin


def scrape(pipeline: Pipeline) -> Samples:
    body, _ = get(pipeline)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(body)
        for sample in family.samples
    }


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
    rows = client.query(f"SELECT region, provider, model, {columns} FROM registers").result_rows
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


def test_both_formats_say_the_same_and_name_what_the_table_names(exporting: Pipeline) -> None:
    text, _ = get(exporting)
    openmetrics, _ = get(exporting, accept="application/openmetrics-text;version=1.0.0")
    names = {family.name for family in parse_openmetrics(openmetrics)}  # type: ignore[no-untyped-call]
    assert names == {family.name.removesuffix("_info") for family in parse_text(text)}
    exposed = {sample.name for family in parse_text(text) for sample in family.samples}
    assert exposed == {exposed_name(meaning) for meaning in METRICS}


def test_promtool_finds_no_fault(exporting: Pipeline) -> None:
    prometheus = find_prometheus()
    promtool = Path(prometheus).with_name("promtool") if prometheus else None
    if promtool is None or not promtool.exists():
        pytest.skip("promtool is not installed (it comes with Prometheus)")
    body, _ = get(exporting)
    done = run([promtool, "check", "metrics"], input=body, text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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

    eventually(answered)


def test_every_query_of_the_dashboard_has_an_answer(exporting: Pipeline) -> None:
    dashboard = Path(__file__).parents[2] / "deploy/grafana/dashboards/wattoken.json"
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    for query in queries:
        query = query.replace("$__rate_interval", "1m").replace("$region", ".*")
        eventually(lambda query=query: ask_prometheus(exporting, query))


@contextmanager
def paused(child: Child) -> Iterator[None]:
    """The process hangs: its sockets stay open and say nothing."""
    child.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        child.kill(signal.SIGCONT)


def eventually(check: Any, timeout_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not check():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.1)


def assert_without_clickhouse(samples: Samples) -> None:
    assert value(samples, "up") == 0
    names = {name for name, _ in samples}
    for meaning in METRICS:
        needs_clickhouse = {"registers", "checkpoints"} & set(meaning.collectors)
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
            bodies = list(pool.map(lambda _: scrape(exporting), range(20)))
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
    eventually(lambda: value(scrape(exporting), "up") == 1)
    counters = {key: number for key, number in before.items() if key[0].endswith("_total")}
    assert {key: scrape(exporting)[key] for key in counters} == counters


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
    eventually(lambda: value(scrape(exporting), "up") == 1)
    counters = {key: number for key, number in before.items() if key[0].endswith("_total")}
    assert {key: scrape(exporting)[key] for key in counters} == counters


def test_a_hung_broker_takes_only_the_lag_away(exporting: Pipeline) -> None:
    with paused(exporting.infrastructure.broker):
        body, seconds = get(exporting)
        assert seconds < TIMEOUT_SECONDS + 1
        samples = scrape(exporting)
        assert value(samples, "up") == 1
        assert value(samples, "scrape_collector_success", collector="log") == 0
        absent = {exposed_name(m) for m in METRICS} - {name for name, _ in samples}
        assert absent == {"wattoken_consumer_lag_messages"}
    eventually(lambda: value(scrape(exporting), "consumer_lag_messages", partition="0") is not None)


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
        "SELECT sum(requests), count() FROM registers"
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

"""`wattoken audit` without a ledger: exact on what is, moving or not, and not on what is not."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer, TopicPartition

from schemas.price_class import UNITS
from schemas.wire import Tier, WireEvent, encode
from services.audit.report import as_json
from services.audit.run import audit
from services.audit.span import Span
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.services import wattoken_command
from services.platform.settings import ClickHouseSettings, KafkaSettings
from tests.integration.faults import (
    PARTITIONS,
    assert_exact,
    checkpoints,
    database,
    kafka_admin,
    load,
    log_name,
    metering,
    select,
    send,
    wait_until_metered,
)
from tests.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
Findings = dict[str, Any]
EVENTS = 4_000
WHOLE = Span()


def audited(pipeline: Pipeline, span: Span = WHOLE) -> Findings:
    """Audit, and give what a script sees of it."""
    ports = pipeline.infrastructure.ports
    findings = audit(
        KafkaSettings(
            kafka_bootstrap_servers=pipeline.infrastructure.bootstrap_servers,
            kafka_topic=pipeline.topic,
        ),
        ClickHouseSettings(
            clickhouse_port=ports.clickhouse_http, clickhouse_database=pipeline.database
        ),
        span,
    )
    said: Findings = json.loads(json.dumps(as_json(findings)))
    return said


def last(**length: int) -> Span:
    """The span up to now."""
    return Span(int((datetime.now(UTC) - timedelta(**length)).timestamp()) // 60 * 60)


def command(pipeline: Pipeline, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    return subprocess.run(
        wattoken_command("audit", *options),
        env={**os.environ, **pipeline.env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_content(pipeline: Pipeline, span: Span = WHOLE) -> Findings:
    findings = audited(pipeline, span)
    assert findings["differences"][:5] == []
    assert findings["exact"]
    assert findings["compared"]["usage_minute"] > 0
    return findings


def event(number: int, at: datetime, tenant: str = "acme") -> bytes:
    names = (f"valid-{number}", "gateway", tenant, at, "eu", "openai", "gpt-5")
    return encode(WireEvent(*names, 7, 3))


def classed_events(partition: int, at: datetime) -> Iterator[bytes]:
    """Events whose prices depend on more than the hour; some are not in the form of our own."""
    for number, tier in enumerate((*get_args(Tier), None, None)):
        names = (f"classed-{partition}-{number}", "gateway", "classy", at, "eu", "openai", "gpt-5")
        more: dict[str, Any] = {"cache_write_input_tokens": 4, "cache_write_1h_input_tokens": 3}
        more |= {"audio_input_tokens": 2, "image_output_tokens": 1, UNITS[number % 8]: 5}
        size = (10, 32_000, 32_001, 300_000)[number % 4]
        yield encode(WireEvent(*names, size, 3, service_tier=tier, **more))
    fields = json.loads(event(99_000 + partition, at, "classy"))
    yield json.dumps(fields | {"service_tier": "flex", "web_searches": 7}).encode()
    adjusting = {"entry": "credit", "adjusts": "classed-1", "reason": "refunded", "pages": 1}
    yield json.dumps(fields | {"id": f"valid-{98_000 + partition}", **adjusting}).encode()


class Sender:
    """Puts records on given partitions, in transactions if wanted."""

    def __init__(self, pipeline: Pipeline, **config: str) -> None:
        servers = pipeline.infrastructure.bootstrap_servers
        self.producer = Producer({"bootstrap.servers": servers, "log_level": 0, **config})
        self._topic = pipeline.topic

    def put(self, value: bytes, partition: int) -> None:
        self.producer.produce(self._topic, value, b"key", partition)

    def flush(self) -> None:
        assert self.producer.flush(20) == 0


@pytest.fixture(scope="module")
def metered(
    infrastructure: Infrastructure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """All kinds of trouble and transactions, metered to the end; nothing moves any more."""
    with metering(infrastructure) as pipeline:
        ledger = tmp_path_factory.mktemp("ledger") / "ledger"
        send(pipeline, ledger, events=EVENTS)
        plain, now = Sender(pipeline), datetime.now(UTC)
        for partition in range(PARTITIONS):
            for value in classed_events(partition, now):
                plain.put(value, partition)
        plain.flush()
        sender = Sender(pipeline, **{"transactional.id": pipeline.name})
        sender.producer.init_transactions(20)
        for commit in (True, False, True, False):
            sender.producer.begin_transaction()
            for partition in range(PARTITIONS):
                # Another sender's ids, the same ones in both: resends, and aborted ones.
                id_ = 1_000 * partition + commit
                sender.put(event(id_, datetime.now(UTC)), partition)
                sender.put(b"no json" if commit else b"{}", partition)
            sender.flush()
            if commit:
                sender.producer.commit_transaction(20)
            else:
                sender.producer.abort_transaction(20)
        wait_until_metered(pipeline)
        yield pipeline


@pytest.fixture
def client(metered: Pipeline) -> Iterator[Client]:
    with database(metered) as connected:
        yield connected


def test_it_is_content_with_what_is_exact(metered: Pipeline) -> None:
    findings = assert_content(metered)
    views = {"registers", "usage_minute", "usage_hour", "usage_unit_hours"}
    assert set(findings["compared"]) == views
    assert findings["compared"].pop("usage_unit_hours") > len(UNITS), "pages by entry too"
    assert min(findings["compared"].values()) > 50
    assert set(findings["moving"].values()) == {0}
    read = findings["partitions"]
    assert len(read) == PARTITIONS
    for one in read:
        assert one["whole"]
        assert (one["markers"], one["aborted"]) == (4, 4)
        assert one["records"] + one["markers"] + one["aborted"] == one["log_end"]
        assert one["records"] == one["accepted"] + one["duplicate"] + one["rejected"]
    accepted = select(metered, "SELECT sum(accepted), sum(duplicate) FROM checkpoints FINAL")
    assert accepted == [(sum(o["accepted"] for o in read), sum(o["duplicate"] for o in read))]


def test_a_span_is_recounted_alone(metered: Pipeline) -> None:
    whole = assert_content(metered)
    findings = assert_content(metered, last(minutes=30))
    assert set(findings["compared"]) == {"usage_minute", "usage_hour", "usage_unit_hours"}
    assert 0 < findings["compared"]["usage_minute"] < whole["compared"]["usage_minute"]
    now = datetime.now(UTC)
    begin, end = now - timedelta(days=3), now - timedelta(minutes=20)
    options = ("--from", f"{begin:%Y-%m-%dT%H:%M}", "--to", f"{end:%Y-%m-%dT%H:%M}")
    said = command(metered, "--json", *options)
    assert said.returncode == 0, said.stderr
    findings = json.loads(said.stdout)
    assert findings["compared"]["usage_hour"] > 0
    assert findings["span"] == {
        "from": f"{begin:%Y-%m-%dT%H:%M:00Z}",
        "to": f"{end:%Y-%m-%dT%H:%M:00Z}",
    }


def test_people_see_it_and_scripts_get_an_exit_code(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    said = command(metered)
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "exact: nothing differs")
    kept("slices_hour")
    row = some_row(client, "slices_hour")
    rewrite(client, "slices_hour", condition(row), "output_tokens + 1 AS output_tokens")
    said = command(metered)
    assert said.returncode == 1
    (line,) = [one for one in said.stdout.splitlines() if one.startswith("views = log")]
    for name in ("tenant", "region", "provider", "model"):
        assert row[name] in line
    assert "output_tokens must be" in line


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--last", "1w"), "no length of time"),
        (("--last", "1h", "--from", "2026-01-01"), "not both"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "the span is empty"),
        (("--ledger", "x", "--last", "1h"), "without --ledger"),
    ],
)
def test_options_that_contradict_each_other(
    metered: Pipeline, options: tuple[str, ...], says: str
) -> None:
    done = command(metered, *options)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("wattoken: ") and says in line


# Differences planted one at a time. Each undoes itself: the table is put back as it was.


@pytest.fixture
def kept(client: Client) -> Iterator[Callable[[str], None]]:
    """Remember a table, to be put back after the test."""
    tables: list[str] = []

    def keep(table: str) -> None:
        client.command(f"DROP TABLE IF EXISTS kept_{table} SYNC")
        client.command(f"CREATE TABLE kept_{table} AS {table}")
        client.command(f"INSERT INTO kept_{table} SELECT * FROM {table} FINAL")
        tables.append(table)

    yield keep
    for table in tables:
        client.command(f"TRUNCATE TABLE {table}")
        client.command(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        client.command(f"DROP TABLE kept_{table} SYNC")


def rewrite(client: Client, table: str, where: str, change: str) -> None:
    """Put changed rows in the place of others, as by hand."""
    client.command(f"CREATE TABLE other AS {table}")
    try:
        client.command(
            f"INSERT INTO other SELECT * REPLACE ({change})"
            f" FROM (SELECT * FROM {table} FINAL WHERE {where})"
        )
        client.command(f"INSERT INTO other SELECT * FROM {table} FINAL WHERE NOT ({where})")
        client.command(f"TRUNCATE TABLE {table}")
        client.command(f"INSERT INTO {table} SELECT * FROM other")
    finally:
        client.command("DROP TABLE other SYNC")


KEY = ("window_start", "tenant", "region", "provider", "model", "partition")
OF_HOURS = ("tenant", "service_tier", "context_band")
VIEWS = {
    "slices_register": "registers",
    "slices_minute": "usage_minute",
    "slices_hour": "usage_hour",
}


def some_row(client: Client, table: str) -> dict[str, Any]:
    names = [name for name in KEY if not (table == "slices_register" and name == "window_start")]
    names = [name for name in names if name != "tenant"]
    names += OF_HOURS if table == "slices_hour" else ()
    row = client.query(
        f"SELECT {', '.join(names)} FROM {table} FINAL WHERE entry = 'usage' AND requests > 1"
        f" ORDER BY {', '.join(names)} LIMIT 1 OFFSET 3"
    ).first_row
    assert row is not None
    return dict(zip(names, row, strict=True))


def condition(row: dict[str, Any]) -> str:
    parts = []
    for name, value in row.items():
        if isinstance(value, datetime):
            value = f"{value:%Y-%m-%d %H:%M:%S}"
        parts.append(f"{name} = {value!r}")
    return " AND ".join([*parts, "entry = 'usage'"])


def named(findings: Findings, check: str) -> list[dict[str, Any]]:
    return [one for one in findings["differences"] if one["check"] == check]


@pytest.mark.parametrize(
    ("table", "measure"),
    [
        ("slices_register", "input_tokens"),
        ("slices_minute", "requests"),
        ("slices_hour", "estimated_tokens"),
    ],
)
def test_a_row_changed_by_hand_is_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None], table: str, measure: str
) -> None:
    kept(table)
    row = some_row(client, table)
    rewrite(client, table, condition(row), f"{measure} + 1 AS {measure}")
    findings = audited(metered)
    assert not findings["exact"]
    (one,) = named(findings, "views = log")
    assert one["view"] == VIEWS[table]
    assert one["measure"] == measure
    assert one["found"] == one["expected"] + 1
    assert f"partition {row['partition']}" in one["detail"]
    for name in ("region", "provider", "model", "tenant"):
        assert one[name] == row.get(name, "")
    if "window_start" in row:
        assert one["window"] == f"{row['window_start']:%Y-%m-%dT%H:%M:%SZ}"
    else:
        assert one["window"] is None


@pytest.mark.nightly
def test_a_row_that_is_gone_or_too_many_is_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    kept("slices_hour")
    row = some_row(client, "slices_hour")
    rewrite(client, "slices_hour", condition(row), "'nobody' AS tenant")
    findings = audited(metered)
    assert not findings["exact"]
    found = named(findings, "views = log")
    assert {one["tenant"] for one in found} == {row["tenant"], "nobody"}
    assert all(one["expected"] == 0 for one in found if one["tenant"] == "nobody")
    assert named(findings, "hours = minutes") == []


@pytest.mark.nightly
def test_a_unit_changed_by_hand_is_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    kept("slices_unit")
    where = "tenant = 'classy' AND unit = 'pages' AND entry = 'credit' AND partition = 1"
    rewrite(client, "slices_unit", where, "quantity + 1 AS quantity")
    findings = audited(metered)
    (one,) = findings["differences"]
    assert (one["check"], one["view"], one["measure"]) == (
        *("views = log", "usage_unit_hours", "quantity"),
    )
    assert (one["expected"], one["found"]) == (PARTITIONS, PARTITIONS + 1)
    assert (one["entry"], one["variety"], one["tenant"]) == ("credit", "pages", "classy")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("where", "change", "said"),
    [
        (
            "service_tier = 'batch' AND context_band = 0",
            "'priority' AS service_tier",
            {"batch", "priority"},
        ),
        (
            "context_band = 32000",
            "toUInt32(100000) AS context_band",
            {"above 32000", "above 100000"},
        ),
    ],
)
def test_hours_of_another_price_class_are_named(
    metered: Pipeline,
    client: Client,
    kept: Callable[[str], None],
    where: str,
    change: str,
    said: set[str],
) -> None:
    kept("slices_hour")
    rewrite(client, "slices_hour", f"tenant = 'classy' AND partition = 0 AND {where}", change)
    findings = audited(metered)
    # The view adds classes up, so it says what it did.
    assert {one["check"] for one in findings["differences"]} == {"slices = log"}
    assert {one["tenant"] for one in findings["differences"]} == {"classy"}
    varieties = {one["variety"] for one in findings["differences"]}
    assert {variety for variety in said if any(variety in one for one in varieties)} == said


@pytest.mark.nightly
def test_two_slices_that_make_up_for_each_other_are_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    kept("slices_register")
    names = ("region", "provider", "model")
    region, provider, model = client.query(
        "SELECT region, provider, model FROM slices_register FINAL WHERE entry = 'usage'"
        " AND partition IN (0, 1) AND input_tokens > 5 GROUP BY region, provider, model"
        " HAVING count() = 2 ORDER BY region, provider, model LIMIT 1"
    ).first_row or ("", "", "")
    where = (
        f"region = '{region}' AND provider = '{provider}' AND model = '{model}'"
        " AND entry = 'usage' AND partition IN (0, 1)"
    )
    change = "if(partition = 0, input_tokens + 5, input_tokens - 5) AS input_tokens"
    rewrite(client, "slices_register", where, change)
    findings = audited(metered)
    assert not findings["exact"]
    assert named(findings, "views = log") == []
    found = named(findings, "slices = log")
    assert [(one["partition"], one["found"] - one["expected"]) for one in found] == [
        (0, 5),
        (1, -5),
    ]
    assert {tuple(one[name] for name in names) for one in found} == {(region, provider, model)}


@pytest.mark.nightly
@pytest.mark.parametrize("count", ["received", "accepted", "duplicate", "late"])
def test_a_count_that_is_off_is_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None], count: str
) -> None:
    kept("checkpoints")
    rewrite(client, "checkpoints", "partition = 2", f"{count} + 1 AS {count}")
    findings = audited(metered)
    assert not findings["exact"]
    (one,) = [one for one in named(findings, "checkpoints = log") if one["measure"] == count]
    assert (one["partition"], one["found"]) == (2, one["expected"] + 1)
    assert bool(named(findings, "received = accepted + duplicate + rejected")) == (count != "late")


def test_a_rejection_that_no_letter_tells_of_is_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    kept("dead_letters")
    row = client.query(
        "SELECT partition, offset FROM dead_letters FINAL ORDER BY offset LIMIT 1"
    ).first_row
    assert row is not None
    partition, offset = row
    client.command(f"DELETE FROM dead_letters WHERE partition = {partition} AND offset = {offset}")
    findings = audited(metered)
    assert not findings["exact"]
    (one,) = findings["differences"]
    assert (one["check"], one["partition"], one["offset"]) == (
        "dead letters = log",
        partition,
        offset,
    )


def test_lost_offsets_are_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    """The meter goes on behind an offset that it never counted, or never began with."""
    kept("checkpoints")
    counts = ("received", "accepted")
    change = ", ".join(f"{name} - 1 AS {name}" for name in counts)
    rewrite(client, "checkpoints", "partition = 1", change)
    findings = audited(metered)
    assert not findings["exact"]
    found = {one["measure"]: one for one in named(findings, "checkpoints = log")}
    assert {name: one["found"] - one["expected"] for name, one in found.items()} == dict.fromkeys(
        counts, -1
    )
    (one,) = named(findings, "checkpoints = registers")
    assert one["partition"] == 1

    rewrite(client, "checkpoints", "partition = 3", "toUInt64(2) AS start_offset")
    findings = audited(metered)
    assert not findings["exact"]
    (one,) = [one for one in named(findings, "offsets") if one["partition"] == 3]
    assert (one["measure"], one["found"]) == ("offsets before the first that was metered", 2)

    rewrite(client, "checkpoints", "partition = 0", "next_offset + 7 AS next_offset")
    findings = audited(metered)
    (one,) = [one for one in named(findings, "offsets") if one["partition"] == 0]
    assert (one["measure"], one["found"]) == ("offsets beyond the log's end", 7)


def test_an_event_counted_twice_is_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    """Consistently: in all families and in the checkpoint. Only the log tells."""
    for table in ("checkpoints", *VIEWS):
        kept(table)
    row = some_row(client, "slices_minute")
    hour = row["window_start"].replace(minute=0)
    series = {name: row[name] for name in ("region", "provider", "model", "partition")}
    of_hour = condition({"window_start": hour, **series})
    names = ", ".join(OF_HOURS)
    (kept_apart,) = client.query(
        f"SELECT {names} FROM slices_hour FINAL WHERE {of_hour} ORDER BY {names} LIMIT 1"
    ).named_results()
    change = "requests + 1 AS requests, input_tokens + 9 AS input_tokens"
    rewrite(client, "slices_minute", condition(row), change)
    rewrite(client, "slices_register", condition(series), change)
    where = condition({"window_start": hour, **kept_apart, **series})
    rewrite(client, "slices_hour", where, change)
    counts = "accepted + 1 AS accepted, duplicate - 1 AS duplicate"
    rewrite(client, "checkpoints", f"partition = {row['partition']}", counts)
    findings = audited(metered)
    assert not findings["exact"]
    assert {one["check"] for one in findings["differences"]} == {"checkpoints = log", "views = log"}
    found = named(findings, "views = log")
    assert {(one["view"], one["measure"], one["found"] - one["expected"]) for one in found} == {
        (view, measure, more)
        for view in VIEWS.values()
        for measure, more in (("requests", 1), ("input_tokens", 9))
    }


@pytest.mark.nightly
def test_different_rows_of_one_version_are_named(
    metered: Pipeline, client: Client, kept: Callable[[str], None]
) -> None:
    kept("slices_minute")
    client.command("SYSTEM STOP MERGES slices_minute")
    try:
        row = some_row(client, "slices_minute")
        client.command(
            "INSERT INTO slices_minute SELECT * REPLACE (output_tokens + 3 AS output_tokens)"
            f" FROM slices_minute FINAL WHERE {condition(row)}"
        )
        findings = audited(metered)
    finally:
        client.command("SYSTEM START MERGES slices_minute")
    assert not findings["exact"]
    (one,) = named(findings, "equal version, equal totals")
    assert (one["view"], one["model"], one["partition"]) == (
        "slices_minute",
        row["model"],
        row["partition"],
    )


def test_a_view_that_lies_is_named(metered: Pipeline, client: Client) -> None:
    """The slices are right, and the view shows something else."""
    (made,) = client.query(
        "SELECT as_select FROM system.tables WHERE name = 'registers'"
        " AND database = currentDatabase()"
    ).first_row or ("",)
    client.command(f"CREATE OR REPLACE VIEW registers AS {made.replace(' FINAL', '', 1)}")
    client.command("SYSTEM STOP MERGES slices_register")
    row = some_row(client, "slices_register")
    try:
        client.command(
            "INSERT INTO slices_register SELECT * REPLACE (version - 1 AS version,"
            f" input_tokens - 1 AS input_tokens) FROM slices_register FINAL WHERE {condition(row)}"
        )
        findings = audited(metered)
        assert not findings["exact"]
        assert {one["model"] for one in named(findings, "views = log")} == {row["model"]}
    finally:
        client.command(f"CREATE OR REPLACE VIEW registers AS {made}")
        client.command("SYSTEM START MERGES slices_register")
    assert_content(metered)


def test_a_resend_in_another_partition_is_named(infrastructure: Infrastructure) -> None:
    with metering(infrastructure) as pipeline:
        sender = Sender(pipeline)
        at = datetime.now(UTC)
        for number in range(50):
            sender.put(event(number, at), number % PARTITIONS)
        sender.put(event(5, at), 3)
        sender.flush()
        wait_until_metered(pipeline)
        findings = audited(pipeline)
        assert not findings["exact"]
        (one,) = findings["differences"]
        assert (one["check"], one["partition"]) == ("an event is in one partition", 3)
        assert "partition 1, offset 1" in one["detail"]


def test_it_follows_a_system_under_load(infrastructure: Infrastructure, tmp_path: Path) -> None:
    """Audits of a meter that never stands still: exact each time, and mostly of one moment."""
    ledger = tmp_path / "ledger"
    with metering(infrastructure) as pipeline, load(pipeline, ledger, rate=400) as running:
        eventually("metered", lambda: select(pipeline, "SELECT count() FROM checkpoints")[0][0])
        seen: list[int] = []
        for _ in range(3):
            findings = assert_content(pipeline)
            compared, moving = findings["compared"], findings["moving"]
            # Few rows, and all of the running hour: those may all be moving.
            units = compared.pop("usage_unit_hours")
            assert all(moving[view] * 2 < compared[view] for view in compared), findings["moving"]
            seen.append(sum(one["checkpoint"] for one in findings["partitions"]))
            assert_content(pipeline, last(minutes=5))
            eventually("metered on", lambda: sum(checkpoints(pipeline).values()) > seen[-1])
        assert seen == sorted(set(seen)), "it moved meanwhile"
        assert units > 0
        running.stop()
        assert_exact(pipeline, ledger)


@pytest.mark.nightly
def test_under_load_it_finds_what_was_changed(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    with metering(infrastructure) as pipeline, load(pipeline, ledger, rate=500):
        eventually(
            "rows", lambda: select(pipeline, "SELECT count() FROM slices_minute")[0][0] > 100
        )
        # An hour that nothing new comes into: what is late comes into the last minutes.
        with database(pipeline) as client:
            old = datetime.now(UTC) - timedelta(days=2)
            row = ("eu", "nobody", "no-model", "usage", log_name(pipeline), 0, 1, 5, 5, 5)
            client.insert(
                "slices_hour",
                [[old.replace(minute=0, second=0, microsecond=0), "ghost", *row]],
                column_names=[
                    *("window_start", "tenant", "region", "provider", "model", "entry", "log"),
                    *("partition", "version", "requests", "input_tokens", "output_tokens"),
                ],
            )
        findings = audited(pipeline)
        assert not findings["exact"]
        found = named(findings, "views = log")
        assert {one["tenant"] for one in found} == {"ghost"}
        assert {(one["measure"], one["expected"], one["found"]) for one in found} == {
            (name, 0, 5) for name in ("requests", "input_tokens", "output_tokens")
        }


@pytest.mark.nightly
def test_short_rules_late_windows_and_the_horizon(infrastructure: Infrastructure) -> None:
    """Resends beyond the horizon count again; windows past a retention are left out."""
    with metering(infrastructure, aggregator_keep_hours_seconds="3600") as pipeline:
        with database(pipeline) as client:
            client.command(
                "INSERT INTO metering_rules SELECT * REPLACE (toUInt64(30) AS from_offset,"
                " toUInt64(1500) AS dedup_horizon_ms, toUInt64(600000) AS minute_retention_ms,"
                " toUInt64(7200000) AS hour_retention_ms, toUInt64(60000) AS late_after_ms)"
                " FROM metering_rules"
            )
        pipeline.aggregator.restart()
        sender = Sender(pipeline)
        now = datetime.now(UTC)
        ages = [
            timedelta(),
            timedelta(minutes=9, seconds=58),
            timedelta(minutes=11),
            timedelta(hours=1, minutes=59),
            timedelta(hours=4),
            timedelta(days=34),
            timedelta(days=36),
            -timedelta(minutes=4),
            -timedelta(minutes=6),
        ]
        for round_ in range(4):
            for number in range(20):
                for partition in range(PARTITIONS):
                    at = now - ages[number % len(ages)]
                    sender.put(event(1_000 * partition + number, at), partition)
            sender.flush()
            time.sleep(1.0 if round_ % 2 else 2.0)
        wait_until_metered(pipeline)
        counts = select(pipeline, "SELECT sum(accepted), sum(duplicate) FROM checkpoints FINAL")
        assert min(counts[0]) > 0, "some count again, some do not"
        findings = assert_content(pipeline)
        assert sum(one["accepted"] for one in findings["partitions"]) == counts[0][0]


@pytest.mark.nightly
def test_a_log_that_lost_its_beginning(infrastructure: Infrastructure) -> None:
    """Retention took a part: what is left is recounted, the rest is said to be beyond it."""
    with metering(infrastructure) as pipeline:
        sender = Sender(pipeline)
        at = datetime.now(UTC)
        for number in range(400):
            sender.put(event(number, at), number % PARTITIONS)
        sender.flush()
        wait_until_metered(pipeline)
        delete_before(pipeline, 50)
        findings = audited(pipeline)
        assert findings["exact"]
        assert "registers" not in findings["compared"]
        assert any("registers are not recounted" in note for note in findings["notes"])
        assert not any(one["whole"] for one in findings["partitions"])
        done = command(pipeline, "--last", "1h")
        assert done.returncode == 1
        assert "does not reach back far enough" in done.stderr


def delete_before(pipeline: Pipeline, offset: int) -> None:
    admin = kafka_admin(pipeline)
    places = [TopicPartition(pipeline.topic, number, offset) for number in range(PARTITIONS)]
    for answer in admin.delete_records(places).values():
        answer.result()

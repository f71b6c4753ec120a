"""Each check of `wattoken doctor` on the real parts: silent where all is well, else it sees it.

Every fault is planted in the real thing and taken back. What needs users or ACLs is looked at where
there are such: tests/integration/test_secured.py, tests/integration/test_clickhouse_users.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from schemas.metering_rules import HOUR_MS
from services.local_stack.kafka import kafka_version
from services.local_stack.pipeline import Pipeline
from services.local_stack.services import wattoken_command
from services.operate.doctor.commands import chosen
from services.operate.doctor.finding import Finding, Level
from services.operate.doctor.judging.versions import METADATA_LEVELS
from services.operate.doctor.looking import clickhouse, kafka
from services.operate.doctor.looking.reach import not_scraping
from services.operate.doctor.looking.schema import EXPECTED_TABLES, document, found_tables
from services.operate.doctor.looking.world import World
from services.operate.doctor.registry import examine
from services.operate.doctor.settings import DoctorSettings, ServicesSettings
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings, read_settings
from services.platform.supported import minor_release
from tests.integration.conftest import PipelineFactory
from tests.versions.database import DatabaseFactory
from tests.waiting import eventually

#: For what is done before and after, on a busy machine.
PATIENCE_SECONDS = 200.0


@pytest.fixture(scope="module")
def whole(pipelines: PipelineFactory) -> Pipeline:
    """A pipeline with all of its services, examined by name of its own settings."""
    made = pipelines(name="doctor", partitions=2)
    if made.infrastructure.prometheus is not None:
        url = made.infrastructure.prometheus_url
        settings = ServicesSettings(prometheus_url=url)
        eventually("Prometheus scrapes", lambda: not_scraping(settings, url) is None)
    return made


@pytest.fixture
def env(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a doctor that is told of everything, in this process's environment."""
    urls = {f"WATTOKEN_{name.upper()}_URL": url for name, url in whole.addresses.items()}
    settings = {**whole.env, **urls}
    if whole.infrastructure.prometheus is not None:
        settings["WATTOKEN_PROMETHEUS_URL"] = whole.infrastructure.prometheus_url
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def world(env: dict[str, str]) -> Iterator[World]:
    made = World(read_settings(DoctorSettings))
    yield made
    made.close()


@pytest.fixture
def database(env: dict[str, str]) -> Iterator[Client]:
    client = connect(read_settings(ClickHouseSettings), answer_seconds=PATIENCE_SECONDS)
    yield client
    client.close()


def found(name: str) -> list[Finding]:
    """What one check finds now."""
    looking = World(read_settings(DoctorSettings))
    try:
        return [finding for check, finding in examine(looking, chosen([name])) if check == name]
    finally:
        looking.close()


def faults(name: str) -> list[tuple[Level, str]]:
    """Of that, what is not well: level, and all that is said."""
    return [
        (one.level, f"{one.what}: {one.found} -> {one.remedy}")
        for one in found(name)
        if one.level in (Level.WARNING, Level.ERROR)
    ]


def doctor(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        wattoken_command("doctor", *arguments),
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_a_whole_pipeline_is_well_and_every_check_says_so(env: dict[str, str]) -> None:
    done = doctor(env, "--json")
    told = json.loads(done.stdout)
    bad = [one for one in told["findings"] if one["level"] in ("warning", "error")]
    # How full the disk of this machine is, and how old its packages, is not the pipeline's.
    bad = [one for one in bad if one["check"] not in ("disks", "prices")]
    assert bad == []
    assert {one["check"] for one in told["findings"]} == {one.name for one in chosen(())}
    assert done.stderr == ""


def test_the_exit_code_tells_warnings_from_errors(env: dict[str, str]) -> None:
    away = {**env, "WATTOKEN_INGEST_URL": "http://127.0.0.1:1", "WATTOKEN_PROMETHEUS_URL": ""}
    done = doctor(away, "--only", "reach")
    assert done.returncode == 1
    assert "ERROR    ingest http://127.0.0.1:1: http://127.0.0.1:1/readyz does not" in done.stdout
    assert "1 errors, 0 warnings" in done.stdout
    well = {**env, "WATTOKEN_PROMETHEUS_URL": ""}
    assert doctor(well, "--only", "reach").returncode == 0
    short = {**well, "WATTOKEN_DOCTOR_BACKUP_HOURS": "1000"}
    assert doctor(short, "--only", "retention").returncode == 3


def test_where_nothing_answers_the_rest_is_skipped(env: dict[str, str]) -> None:
    away = {**env, "WATTOKEN_CLICKHOUSE_PORT": "1"}
    told = json.loads(doctor(away, "--json").stdout)
    levels = {
        (one["check"], one["what"]): one["level"]
        for one in told["findings"]
        if one["check"] != "prices"
    }
    assert levels["reach", "ClickHouse"] == "error"
    assert levels["schema", "schema"] == "skipped"
    assert levels["topics", f"topic {env['WATTOKEN_KAFKA_TOPIC']}"] == "ok"


def test_a_service_that_stopped_is_told(whole: Pipeline, env: dict[str, str]) -> None:
    whole.exporter.stop()
    try:
        ((level, text),) = [one for one in faults("reach") if "Prometheus" not in one[1]]
    finally:
        whole.exporter.start()
        whole.exporter.wait_ready()
    assert level is Level.ERROR
    assert text.startswith(f"exporter {whole.addresses['exporter']}: ")


def test_versions_are_those_that_run(env: dict[str, str], world: World) -> None:
    told = {one.what: one for one in found("versions")}
    assert {one.level for one in told.values()} == {Level.OK}
    broker = told[f"Kafka at {env['WATTOKEN_KAFKA_BOOTSTRAP_SERVERS']}"]
    assert broker.found.startswith(f"{kafka_version().rpartition('.')[0]}; ")
    (level,) = kafka.broker_levels(world).values()
    assert level is not None
    assert METADATA_LEVELS[level] == minor_release(kafka_version())
    assert "services" in told, "all three say their version"


@contextmanager
def altered(topic: str, servers: str, **config: str) -> Iterator[None]:
    """A topic with other settings for a while; double underscores stand for dots."""
    admin = AdminClient({"bootstrap.servers": servers})
    names = [name.replace("__", ".") for name in config]
    kind = ResourceType.TOPIC
    before = admin.describe_configs([ConfigResource(kind, topic)])
    held = next(iter(before.values())).result()

    def set_to(values: Mapping[str, str | None]) -> None:
        entries = [
            ConfigEntry(
                name,
                value or "",
                incremental_operation=AlterConfigOpType.DELETE
                if value is None
                else AlterConfigOpType.SET,
            )
            for name, value in values.items()
        ]
        resource = ConfigResource(kind, topic, incremental_configs=entries)
        admin.incremental_alter_configs([resource])[resource].result()

    def own(name: str) -> str | None:
        entry = held[name]
        dynamic = entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return str(entry.value) if dynamic else None

    set_to(dict(zip(names, config.values(), strict=True)))
    try:
        yield
    finally:
        set_to({name: own(name) for name in names})


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("message__timestamp__type", "CreateTime", Level.ERROR),
        ("cleanup__policy", "compact", Level.ERROR),
        ("max__message__bytes", "500000", Level.ERROR),
        ("min__insync__replicas", "2", Level.ERROR),
        ("compression__type", "zstd", Level.WARNING),
        ("unclean__leader__election__enable", "true", Level.WARNING),
    ],
)
def test_a_topic_with_another_setting_is_told(
    whole: Pipeline, env: dict[str, str], name: str, value: str, level: Level
) -> None:
    servers = env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]
    with altered(whole.topic, servers, **{name: value}):
        eventually("the broker has heard", lambda: faults("topics"))
        told = faults("topics")
    assert [one for one, _ in told if one is level], told
    assert any(name.replace("__", ".") in text for _, text in told), told
    eventually("all is well again", lambda: not faults("topics"))


def test_a_topic_that_is_not_there_is_told(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTOKEN_KAFKA_REJECTED_TOPIC", "nobody.made.it")
    ((level, text),) = faults("topics")
    assert level is Level.ERROR
    assert "topic nobody.made.it: there is no such topic -> run `wattoken migrate`" in text


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("retention__ms", str(HOUR_MS), Level.ERROR),
        ("retention__ms", str(60 * HOUR_MS), Level.WARNING),
        ("retention__bytes", "1000000000", Level.WARNING),
    ],
)
def test_a_retention_that_is_too_short_is_told(
    whole: Pipeline, env: dict[str, str], name: str, value: str, level: Level
) -> None:
    assert faults("retention") == []
    with altered(whole.topic, env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"], **{name: value}):
        eventually("the broker has heard", lambda: faults("retention"))
        ((told, text),) = faults("retention")
    assert told is level
    assert name.replace("__", ".") in text


@contextmanager
def changed(database: Client, change: str, back: str) -> Iterator[None]:
    database.command(change)
    try:
        yield
    finally:
        database.command(back)


@pytest.mark.parametrize(
    ("change", "back", "told"),
    [
        (
            "ALTER TABLE slices_minute ADD COLUMN mine UInt8",
            "ALTER TABLE slices_minute DROP COLUMN mine",
            "table slices_minute: has a column mine",
        ),
        (
            "ALTER TABLE slices_minute MODIFY TTL window_start + INTERVAL 9 DAY",
            "ALTER TABLE slices_minute MODIFY TTL window_start + INTERVAL 90 DAY",
            "another ttl: …window_start + toIntervalDay(9)…",
        ),
        (
            "ALTER TABLE checkpoints MODIFY SETTING fsync_after_insert = 0",
            "ALTER TABLE checkpoints MODIFY SETTING fsync_after_insert = 1",
            "table checkpoints: has fsync_after_insert = 0, not 1",
        ),
        (
            "RENAME TABLE registers TO registers_aside",
            "RENAME TABLE registers_aside TO registers",
            "table registers: is missing",
        ),
        (
            "CREATE TABLE mine (x UInt8) ENGINE = MergeTree ORDER BY x",
            "DROP TABLE mine",
            "has tables that are not of Wattoken: mine",
        ),
    ],
)
def test_tables_that_were_changed_by_hand_are_told(
    env: dict[str, str], database: Client, change: str, back: str, told: str
) -> None:
    assert faults("schema") == []
    with changed(database, change, back):
        assert any(told in text for _, text in faults("schema"))
    assert faults("schema") == []


def test_a_view_that_was_changed_by_hand_is_told(env: dict[str, str], database: Client) -> None:
    text = str(database.command("SHOW CREATE VIEW register_totals")).replace("\\n", "\n")
    whole = text.replace("CREATE VIEW", "CREATE OR REPLACE VIEW")
    other = re.sub(r"\s+FINAL\b", "", whole)
    assert other != whole
    with changed(database, other, whole):
        ((level, said),) = faults("schema")
        assert level is Level.ERROR
        assert said.startswith("table register_totals: has another select: ")
    assert faults("schema") == []


@pytest.mark.parametrize(
    ("change", "back", "level", "told"),
    [
        (
            "ALTER TABLE schema_migrations DELETE WHERE name = '0020_parts_for_sums.sql'"
            " SETTINGS mutations_sync = 2",
            None,
            Level.ERROR,
            "from 0020_parts_for_sums.sql on: run `wattoken migrate`",
        ),
        (
            "INSERT INTO schema_migrations (name, checksum) VALUES ('9999_later.sql', 'x')",
            "ALTER TABLE schema_migrations DELETE WHERE name = '9999_later.sql'"
            " SETTINGS mutations_sync = 2",
            Level.WARNING,
            "does not know 9999_later.sql): update this program",
        ),
    ],
)
def test_an_older_and_a_newer_schema_are_told(
    whole: Pipeline,
    env: dict[str, str],
    database: Client,
    change: str,
    back: str | None,
    level: Level,
    told: str,
) -> None:
    database.command(change)
    try:
        ((found_level, text),) = faults("schema")
    finally:
        if back is None:
            whole.run("migrate", timeout_seconds=PATIENCE_SECONDS)
        else:
            database.command(back)
    assert found_level is level
    assert told in text
    assert faults("schema") == []


def test_a_database_that_is_not_there_is_told(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTOKEN_CLICKHOUSE_DATABASE", "nobody_made_it")
    ((level, text),) = faults("schema")
    assert level is Level.ERROR
    assert "`wattoken migrate`" in text


def test_what_is_expected_of_the_tables_is_what_the_migrations_make(
    databases: DatabaseFactory, clickhouse_port: int | None
) -> None:
    if clickhouse_port is None:
        pytest.skip("this ClickHouse is in a process, and the doctor asks servers")
    fresh = databases("shape")
    settings = DoctorSettings(**fresh.settings.model_dump(exclude_unset=True))
    looking = World(settings)
    try:
        made = document(found_tables(looking))
    finally:
        looking.close()
    assert json.loads(made) == json.loads(EXPECTED_TABLES.read_text(encoding="utf-8")), (
        "a migration changed a table: python -m tools.schema_shape"
    )


def test_parts_that_pile_up_are_told(env: dict[str, str], database: Client) -> None:
    assert faults("parts") == []
    database.command("SYSTEM STOP MERGES calendar_days")
    try:
        database.command(
            "INSERT INTO calendar_days (calendar, day) SELECT 'made-up', toDate(number)"
            " FROM numbers(520)",
            settings={
                **{"max_block_size": 1, "min_insert_block_size_rows": 1},
                **{"min_insert_block_size_bytes": 1, "max_insert_threads": 1},
            },
        )
        told = faults("parts")
    finally:
        database.command("SYSTEM START MERGES calendar_days")
        database.command(
            "ALTER TABLE calendar_days DELETE WHERE calendar = 'made-up'"
            " SETTINGS mutations_sync = 2"
        )
    ((level, text),) = told
    assert level is Level.WARNING
    assert text.startswith("parts of calendar_days: 5")
    assert "inserts slow down at 1000" in text


def test_a_mutation_that_fails_is_told(env: dict[str, str], database: Client) -> None:
    database.command(
        "ALTER TABLE regions UPDATE country = throwIf(1, 'made to fail') WHERE 1",
        settings={"mutations_sync": 0},
    )
    try:
        eventually("it has failed once", lambda: faults("parts"))
        ((level, text),) = faults("parts")
    finally:
        database.command(f"KILL MUTATION WHERE database = '{env['WATTOKEN_CLICKHOUSE_DATABASE']}'")
    assert level is Level.ERROR
    assert "made to fail" in text
    eventually("it is gone", lambda: not faults("parts"))


def test_detached_parts_are_told(env: dict[str, str], database: Client) -> None:
    with changed(
        database,
        "ALTER TABLE regions DETACH PARTITION tuple()",
        "ALTER TABLE regions ATTACH PARTITION tuple()",
    ):
        ((level, text),) = faults("parts")
    assert level is Level.WARNING
    assert text.startswith("detached parts of regions: 1 were detached by hand")
    assert faults("parts") == []


def test_another_catalogue_than_the_programs_is_told(env: dict[str, str], database: Client) -> None:
    before = database.query(
        "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'models'"
    ).result_rows[0][0]
    with changed(
        database,
        "ALTER TABLE models MODIFY COMMENT 'another'",
        f"ALTER TABLE models MODIFY COMMENT '{before}'",
    ):
        told = [text for _, text in faults("prices") if "catalogue" in text]
    assert told
    assert "models" in told[0]
    assert not [text for _, text in faults("prices") if "catalogue" in text]


def test_the_clock_of_the_database_is_held_against_ours(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert faults("clickhouse-clock") == []
    true = time.time_ns
    # It is ours that is ahead, which is the same to who compares.
    monkeypatch.setattr(time, "time_ns", lambda: true() + 30_000_000_000)
    began = time.monotonic()
    ((level, text),) = faults("clickhouse-clock")
    took = time.monotonic() - began
    assert level is Level.WARNING
    found = re.search(r"clock of ClickHouse: at least ([0-9.]+) s behind this machine's", text)
    # Less the time that the question was on its way, which is part of that.
    assert found and 30.0 - took - 0.05 <= float(found[1]) <= 30.0, text


def test_the_brokers_clock_is_known_by_an_event_that_comes(
    whole: Pipeline, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = Producer({"bootstrap.servers": env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]})
    monkeypatch.setattr(kafka, "EVENT_SECONDS", 60.0)
    asked = kafka.newest
    true = time.time_ns

    def newest(world: World, partitions: range) -> dict[int, tuple[int, int]]:
        """Ask, and have an event come after the first answer."""
        answer = asked(world, partitions)
        producer.produce(whole.topic, b"made-up", partition=0)
        producer.flush(30)
        return answer

    monkeypatch.setattr(kafka, "newest", newest)
    (finding,) = found("clocks")
    assert finding.level is Level.OK, finding
    monkeypatch.setattr(time, "time_ns", lambda: true() - 120_000_000_000)
    (finding,) = found("clocks")
    assert finding.level is Level.ERROR
    assert "s ahead of this machine's" in finding.found
    monkeypatch.setattr(time, "time_ns", lambda: true() + 120_000_000_000)
    (finding,) = found("clocks")
    assert finding.level is Level.ERROR
    assert "s behind this machine's" in finding.found


def test_the_disks_are_those_of_the_server(
    whole: Pipeline, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTOKEN_AGGREGATOR_STATE_DIR", str(tmp_path))
    looking = World(read_settings(DoctorSettings))
    try:
        (disk,) = clickhouse.disks(looking)
    finally:
        looking.close()
    about = os.statvfs(whole.infrastructure.data / "clickhouse")
    assert disk.total_bytes == pytest.approx(about.f_blocks * about.f_frsize, rel=0.01)
    assert disk.free_bytes == pytest.approx(about.f_bavail * about.f_frsize, rel=0.05)
    assert [one.what.partition(" (")[0] for one in found("disks")] == [
        "ClickHouse's disk default",
        "disk of ids",
    ]


def test_a_lag_losses_and_missing_rules_are_told(
    pipelines: PipelineFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = pipelines(name="doctor-idle", partitions=2, services=())
    for name, value in idle.env.items():
        monkeypatch.setenv(name, value)
    assert faults("metering") == []
    servers = idle.env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]
    producer, admin = (
        Producer({"bootstrap.servers": servers}),
        AdminClient({"bootstrap.servers": servers}),
    )
    for _ in range(3):
        producer.produce(idle.topic, b"made-up", partition=1)
    producer.flush(30)
    ((level, text),) = faults("metering")
    assert level is Level.WARNING
    assert "3 records wait; partitions [1] were never metered" in text
    for deleted in admin.delete_records([TopicPartition(idle.topic, 1, 2)]).values():
        deleted.result()
    told = faults("metering")
    assert (Level.ERROR, "2 records were deleted before they were metered") in [
        (one, text.partition(": ")[2].partition(" ->")[0]) for one, text in told
    ]
    monkeypatch.setenv("WATTOKEN_KAFKA_TOPIC", "usage.events.doctor-new")
    made = admin.create_topics([NewTopic("usage.events.doctor-new", 1)])
    made["usage.events.doctor-new"].result()
    eventually("the topic is known", lambda: "no metering rules" in str(faults("metering")))

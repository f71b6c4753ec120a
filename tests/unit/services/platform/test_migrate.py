"""What a migration does is decided by texts: which statements, which are applied, in what order."""

from __future__ import annotations

import re
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from services.platform import migrate
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka_log import Log
from services.platform.migrate import (
    TopicPlan,
    check_topic,
    describe_made,
    make_topic,
    migrate_tables,
    statements,
)
from services.platform.schema_state import MIGRATIONS, checksum
from services.platform.settings import ClickHouseSettings

SHIPPED = sorted(MIGRATIONS.glob("*.sql"))
LOG = Log("cluster", "topic-id", "usage", 3)


def without_comments(statement: str) -> str:
    return re.sub(r"--[^\n]*", "", statement).strip()


def test_a_semicolon_at_a_lines_end_closes_a_statement() -> None:
    text = (
        "-- What it is for; and why.\n"
        "CREATE TABLE a (b String COMMENT 'one; two');\n"
        "\n"
        "    -- Between them;\n"
        "\n"
        "ALTER TABLE a\n    -- A remark.\n    ADD COLUMN c String;\n"
        "-- At the end.\n"
    )
    assert [without_comments(one) for one in statements(text)] == [
        "CREATE TABLE a (b String COMMENT 'one; two')",
        "ALTER TABLE a\n    \n    ADD COLUMN c String",
    ]
    assert list(statements("")) == list(statements("-- Nothing.\n;\n")) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_no_shipped_statement_is_cut_or_run_together(path: Path) -> None:
    found = [without_comments(one) for one in statements(path.read_text(encoding="utf-8"))]
    assert found
    for one in found:
        assert re.match(r"(CREATE|ALTER|DROP|INSERT|RENAME|EXCHANGE|OPTIMIZE)\s", one), one[:80]
        outside_texts = re.sub(r"'[^']*'", "''", one)
        assert ";" not in outside_texts.removesuffix(";"), one[:80]
        # Two that migrate at once, or one that was cut off, must be able to do it again.
        if re.match(r"CREATE|DROP", one):
            assert re.match(r"(CREATE|DROP) (OR REPLACE|\w+( \w+)? IF (NOT )?EXISTS)\b", one)


def test_the_order_of_shipped_migrations_is_that_of_their_numbers() -> None:
    numbers = [int(path.name.partition("_")[0]) for path in SHIPPED]
    assert numbers == list(range(1, len(SHIPPED) + 1))


LAST_APPLIED = datetime(2026, 11, 27, tzinfo=UTC)


class Database:
    """A client that keeps what it was told, and knows which texts were applied."""

    server_version = "25.8.1.1"

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows
        self.commands: list[str] = []
        self.inserted: list[tuple[str, list[Any], list[str]]] = []

    def command(self, text: str) -> None:
        self.commands.append(text)

    def query(self, text: str, _parameters: Any) -> Any:
        rows = [(LAST_APPLIED,)] if "SELECT max(applied_at)" in text else self.rows
        return SimpleNamespace(result_rows=[(rows,)])

    def insert(self, table: str, rows: list[Any], column_names: list[str]) -> None:
        self.inserted.append((table, rows, column_names))

    def close(self) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in (2, 1, 3):
        text = f"CREATE TABLE t{number};\nALTER TABLE t{number};\n"
        (tmp_path / f"000{number}_t.sql").write_text(text)
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("known", "applied"),
    [
        ({}, [1, 2, 3]),
        ({1: "", 2: "", 3: ""}, []),
        ({1: "", 2: ""}, [3]),
        # What changed may make again what a later one made otherwise.
        ({1: "", 2: "-- As it was.\n", 3: ""}, [2, 3]),
    ],
    ids=["a new database", "all are applied", "one is new", "one has changed"],
)
def test_from_the_first_that_is_not_applied_all_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, known: dict[int, str], applied: list[int]
) -> None:
    paths = {number: folder / f"000{number}_t.sql" for number in (1, 2, 3)}
    rows = [
        (paths[number].name, checksum(paths[number].read_text() + change))
        for number, change in known.items()
    ]
    database, said = Database(rows), list[str]()
    monkeypatch.setattr(migrate, "connect", lambda *_, **__: database)
    migrate_tables(ClickHouseSettings(), said.append)
    assert [text for text in database.commands if re.match(r"(CREATE|ALTER) TABLE t\d", text)] == [
        f"{verb} TABLE t{number}" for number in applied for verb in ("CREATE", "ALTER")
    ]
    assert database.inserted == [
        (
            "schema_migrations",
            [[paths[number].name, checksum(paths[number].read_text())]],
            ["name", "checksum"],
        )
        for number in applied
    ]
    assert said == [
        f"migration {path.name}: {'applied' if number in applied else 'already applied'}"
        for number, path in paths.items()
    ]


def test_one_that_was_cut_off_is_not_taken_for_applied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutOff(Database):
        def command(self, text: str) -> None:
            super().command(text)
            if text.startswith("ALTER TABLE t2"):
                raise ConnectionError

    database = CutOff([])
    monkeypatch.setattr(migrate, "connect", lambda *_, **__: database)
    with pytest.raises(ConnectionError):
        migrate_tables(ClickHouseSettings(), lambda _: None)
    assert [rows[0][0] for _, rows, _ in database.inserted] == ["0001_t.sql"]
    assert not any("t3" in text for text in database.commands)


def test_an_old_server_is_refused_before_anything_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database([])
    database.server_version = "24.3.1.1"
    monkeypatch.setattr(migrate, "connect", lambda *_, **__: database)
    with pytest.raises(ConfigurationError, match="too old"):
        migrate_tables(ClickHouseSettings(), lambda _: None)
    assert database.commands == []


class Admin:
    """An admin client whose broker makes every topic, and has one configured as given."""

    def __init__(self, timestamps: str | None = None, error: KafkaError | None = None) -> None:
        self._timestamps = timestamps
        self._error = error
        self.made: list[NewTopic] = []

    def create_topics(self, new: list[NewTopic], **_: Any) -> dict[str, Future[None]]:
        self.made += new
        future: Future[None] = Future()
        future.set_result(None)
        return {new[0].topic: future}

    def describe_configs(self, resources: list[Any], **_: Any) -> dict[Any, Future[Any]]:
        future: Future[Any] = Future()
        if self._error is not None:
            future.set_exception(KafkaException(self._error))
        elif self._timestamps is not None:
            entry = SimpleNamespace(value=self._timestamps)
            future.set_result({"message.timestamp.type": entry})
        else:
            future.set_result({})
        return {resources[0]: future}


def test_a_topic_of_events_bears_append_times_whatever_else_is_asked_for() -> None:
    admin: Any = Admin()
    wanted = {"message.timestamp.type": "CreateTime", "cleanup.policy": "compact"}
    other = {"retention.ms": "5", "segment.bytes": "7"}
    assert make_topic(admin, "usage", TopicPlan(6, 3, 1_000), {**wanted, **other})
    (made,) = admin.made
    assert (made.topic, made.num_partitions, made.replication_factor) == ("usage", 6, 3)
    assert made.config == {
        **other,
        "min.insync.replicas": "2",
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": "delete",
    }


def test_one_replica_is_enough_where_there_is_one() -> None:
    admin: Any = Admin()
    make_topic(admin, "usage", TopicPlan())
    assert admin.made[0].config["min.insync.replicas"] == "1"
    assert admin.made[0].config["retention.ms"] == str(7 * 24 * 3600 * 1000)


def test_a_topic_without_append_times_is_refused_with_the_command_that_mends_it() -> None:
    append: Any = Admin("LogAppendTime")
    check_topic(append, "usage")
    # A broker that does not say is believed.
    silent: Any = Admin()
    check_topic(silent, "usage")
    created: Any = Admin("CreateTime")
    with pytest.raises(ConfigurationError, match="=CreateTime.*kafka-configs.sh.* usage "):
        check_topic(created, "usage")
    away: Any = Admin(error=KafkaError(KafkaError._TIMED_OUT))
    with pytest.raises(UnavailableError, match="cannot read the configuration of usage"):
        check_topic(away, "usage")


def test_a_topic_that_was_just_made_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def describe(_admin: Any, topic: str) -> Log:
        asked.append(topic)
        if len(asked) < 3:
            raise ConfigurationError("there is no topic")
        return LOG

    monkeypatch.setattr(migrate, "describe_log", describe)
    monkeypatch.setattr(migrate, "HEARD_POLL_SECONDS", 0.0)
    admin: Any = Admin()
    assert describe_made(admin, "usage") == LOG
    monkeypatch.setattr(migrate, "HEARD_SECONDS", -1.0)
    asked.clear()
    with pytest.raises(ConfigurationError, match="no topic"):
        describe_made(admin, "usage")

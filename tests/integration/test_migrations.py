"""Databases that an older Wattoken made: brought up to date, gone back from, and refused.

`older_migrations` holds the texts of before 2026-11-25, of those that have changed since.
ClickHouse 25.8 took only the first two of them.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from schemas.catalogue import load_catalogue
from services.platform import migrate, supported
from services.platform.catalogue import store_catalogue
from services.platform.errors import ConfigurationError, WattokenError
from services.platform.schema_state import MIGRATIONS
from tests.versions.database import Database, DatabaseFactory

OLDER = Path(__file__).with_name("older_migrations")
_numbers = itertools.count(1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Migrations that a test may change: at first those of now."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy)
    monkeypatch.setattr(migrate, "MIGRATIONS", copy)
    return copy


@pytest.fixture
def empty(clickhouse_port: int | None) -> Callable[[], Database]:
    """Name databases that nobody has migrated yet."""
    return lambda: Database(f"wattoken_migrations{next(_numbers)}", clickhouse_port)


def be_older(folder: Path) -> None:
    """Lay the older texts over those of now."""
    for path in OLDER.glob("*.sql"):
        assert path.read_text() != (MIGRATIONS / path.name).read_text(), f"{path} is not older"
        shutil.copy(path, folder)


def be_of_now(folder: Path) -> None:
    for path in MIGRATIONS.glob("*.sql"):
        shutil.copy(path, folder)


def migrate_tables(database: Database) -> list[str]:
    lines: list[str] = []
    migrate.migrate_tables(database.settings, lines.append)
    return lines


def definitions(database: Database) -> dict[str, str]:
    """Every table and view as ClickHouse would make it, whatever the database's name."""
    with database.connect() as client:
        rows = client.query(
            "SELECT name, create_table_query FROM system.tables"
            " WHERE database = currentDatabase() AND name != 'schema_migrations'"
        ).result_rows
    return {name: text.replace(database.name, "wattoken") for name, text in rows}


def content(database: Database) -> dict[str, tuple[int, int]]:
    """How many rows each table has, and a sum over all that they say but when it came to be."""
    with database.connect() as client:
        names = client.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase()"
            " AND engine != 'View' ORDER BY name"
        ).result_columns[0]
        return {
            name: client.query(
                "SELECT count(), sum(cityHash64(* EXCEPT applied_at)) FROM " + name
                if name == "schema_migrations"
                else f"SELECT count(), sum(cityHash64(*)) FROM {name}"
            ).result_rows[0]
            for name in names
        }


def test_the_databases_of_tests_are_as_if_each_was_migrated_by_itself(
    databases: DatabaseFactory, empty: Callable[[], Database]
) -> None:
    """They are copies of one that was, and what migrates finds nothing left to do."""
    alone = empty()
    alone.migrate()
    copied = databases("copied")
    assert definitions(copied) == definitions(alone)
    found = content(copied)
    assert found == content(alone)
    assert sum(rows > 0 for rows, _ in found.values()) > 10
    assert all(line.endswith(("already applied", "unchanged")) for line in copied.migrate())


def takes_older(database: Database) -> bool:
    """Migrate with the older texts; False where ClickHouse refused one of them."""
    try:
        migrate_tables(database)
    except WattokenError as error:
        assert "Function 'in' is supported only if" in str(error), error
        return False
    return True


def test_a_database_of_an_older_release_is_brought_up_to_date(
    databases: DatabaseFactory, empty: Callable[[], Database], folder: Path
) -> None:
    wanted = definitions(databases("fresh"))
    database = empty()
    be_older(folder)
    takes_older(database)
    with database.connect() as client:
        client.command(
            "INSERT INTO slices_register (region, provider, model, log, version, requests)"
            " VALUES ('eu', 'openai', 'gpt-5.6-luna', 'a-log', 7, 5)"
        )
    be_of_now(folder)
    said = migrate_tables(database)
    assert said[:4] == [f"migration {name}: already applied" for name in names(folder)[:4]]
    assert said[4:] == [f"migration {name}: applied" for name in names(folder)[4:]]
    store_catalogue(database.settings, load_catalogue(), lambda line: None)
    assert definitions(database) == wanted
    with database.connect() as client:
        assert client.query("SELECT requests FROM registers").result_rows == [(5,)]
        ((priced,),) = client.query("SELECT count() FROM current_prices").result_rows
        assert priced > 0
    assert all(line.endswith("already applied") for line in migrate_tables(database))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.sql"))


def be_of_before(folder: Path, first: str) -> None:
    """Take away the migrations from this one on."""
    for path in folder.glob("*.sql"):
        if path.name >= first:
            path.unlink()


#: What the hours of one series and tenant are told apart by, and their tokens and requests.
HOURS = (
    "SELECT sum(requests), sum(input_tokens), sum(output_tokens), sum(debit_tokens) FROM usage_hour"
    " WHERE tenant = 'acme'"
)
CLASSES = (
    "SELECT toString(entry) AS kind, service_tier, context_band, input_tokens, audio_input_tokens"
    " FROM usage_hour_entries WHERE tenant = 'acme' ORDER BY ALL"
)


def test_hours_of_before_the_price_class_mean_what_they_meant(
    empty: Callable[[], Database], folder: Path
) -> None:
    database = empty()
    be_of_before(folder, "0015")
    migrate_tables(database)
    names = ["window_start", "tenant", "region", "provider", "model", "entry", "log", "version"]
    names += ["requests", "input_tokens", "output_tokens"]
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    key = [hour, "acme", "eu", "openai", "gpt-5.6-luna"]

    def write(client: Client, *rows: list[object], columns: tuple[str, ...] = ()) -> None:
        # Each in a part of its own, which ClickHouse is to put together.
        for row in rows:
            client.insert("slices_hour", [[*key, *row]], column_names=[*names, *columns])

    with database.connect() as client:
        write(client, ["usage", "a-log", 5, 1, 100, 10], ["usage", "a-log", 9, 2, 300, 30])
        write(client, ["usage", "b-log", 2, 1, 1000, 1], ["debit", "a-log", 9, 1, 7, 1])
        assert client.query(HOURS).result_rows == [(3, 1300, 31, 8)]
        be_of_now(folder)
        migrate_tables(database)
        assert client.query(HOURS).result_rows == [(3, 1300, 31, 8)]
        plain = [("debit", "", 0, 7, 0), ("usage", "", 0, 1300, 0)]
        assert client.query(CLASSES).result_rows == plain
        tiers = ("service_tier", "context_band", "audio_input_tokens")
        write(client, ["usage", "a-log", 9, 1, 5, 1, "batch", 0, 4], columns=tiers)
        write(client, ["usage", "a-log", 9, 1, 6, 1, "batch", 32000, 0], columns=tiers)
        write(client, ["usage", "a-log", 11, 1, 8, 1, "batch", 32000, 3], columns=tiers)
        # Of an older Wattoken: it names no class.
        write(client, ["usage", "a-log", 10, 3, 400, 40])
        for _ in range(2):
            assert client.query(HOURS).result_rows == [(6, 1413, 43, 8)]
            assert client.query(CLASSES).result_rows == [
                ("debit", "", 0, 7, 0),
                ("usage", "", 0, 1400, 0),
                ("usage", "batch", 0, 5, 4),
                ("usage", "batch", 32000, 8, 3),
            ]
            client.command("OPTIMIZE TABLE slices_hour FINAL")


def test_a_release_gone_back_from_comes_again(empty: Callable[[], Database], folder: Path) -> None:
    database = empty()
    migrate_tables(database)
    wanted = definitions(database)
    be_older(folder)
    if takes_older(database):
        assert definitions(database) != wanted
    be_of_now(folder)
    migrate_tables(database)
    assert definitions(database) == wanted


def test_what_a_later_migration_recreated_outlives_a_change_of_an_earlier_one(
    empty: Callable[[], Database], folder: Path
) -> None:
    database = empty()
    (folder / "9999_later.sql").write_text(
        "CREATE OR REPLACE VIEW registers AS SELECT region, 1 AS later FROM slices_register;\n"
    )
    migrate_tables(database)
    wanted = definitions(database)
    assert "later" in wanted["registers"]
    changed = folder / "0004_views.sql"
    changed.write_text(changed.read_text() + "\n-- Said better.\n")
    migrate_tables(database)
    assert definitions(database) == wanted


def test_a_clickhouse_that_is_too_old_is_refused_before_anything_is_made(
    empty: Callable[[], Database], databases: DatabaseFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = databases("there")
    database = empty()
    monkeypatch.setattr(supported, "CLICKHOUSE", supported.Supported((99, 1), (99, 3)))
    with pytest.raises(ConfigurationError, match=r"too old: 99\.1 to 99\.3 is supported"):
        migrate_tables(database)
    with there.connect() as client:
        found = client.query(
            "SELECT count() FROM system.databases WHERE name = {name:String}",
            parameters={"name": database.name},
        ).first_row
    assert found == (0,)

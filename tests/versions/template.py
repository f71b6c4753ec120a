"""A migrated database of each server, which others are copied from.

All migrations one after the other make many views that a later one makes again, and the catalogue
is a hundred thousand rows that a client has to send: most of what it takes to begin a test. So they
run once for a server; other databases get what came of it, table by table, and `wattoken migrate`
finds nothing left to do there. tests/integration/test_migrations.py holds that a copy is what it
was copied from; tests of migrations begin with an empty database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.catalogue import Catalogue
from schemas.catalogue.rows import TableRows, table_rows
from services.platform import catalogue as platform_catalogue
from services.platform.catalogue import read_catalogue
from services.platform.errors import WattokenError
from tests.versions.database import Database

#: Nothing else has this in its name, so it can be replaced wherever a definition says it.
TEMPLATE = "wattoken_template_of_tests"
#: Where it was migrated, by the port of the server; None: in this process.
_made: set[int | None] = set()


def copy_template(name: str, port: int | None) -> None:
    """Make a database as migrations would, with the shipped catalogue; one that is there stays."""
    there = databases(port)
    # A port may have come to another server.
    if port not in _made or TEMPLATE not in there:
        Database(TEMPLATE, port).migrate()
        _made.add(port)
    if name in there:
        return
    with Database(TEMPLATE, port).connect() as client:
        client.command(f"CREATE DATABASE {name}")
        for table, definition, has_rows in tables(client):
            client.command(definition.replace(TEMPLATE, name))
            if has_rows:
                client.command(f"INSERT INTO {name}.{table} SELECT * FROM {TEMPLATE}.{table}")


def drop(name: str, port: int | None) -> None:
    """Drop a database that nobody needs any more, if the server still answers.

    Two dozen tables that lie there cost a server a thousandth of a core, and the next copy time.
    """
    with suppress(WattokenError, ClickHouseError), Database("default", port).connect() as client:
        client.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@contextmanager
def shipped_catalogue_kept() -> Iterator[None]:
    """Read the shipped catalogue, and put it into rows, once for all that migrate in this process.

    It takes a second, and most of what is left to do where the database is a copy.
    """

    def read(folder: Path | None) -> Catalogue:
        return read_catalogue(folder) if folder else shipped()

    def rows(catalogue: Catalogue) -> tuple[TableRows, ...]:
        return shipped_rows() if catalogue is shipped() else table_rows(catalogue)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform_catalogue, "read_catalogue", read)
        patch.setattr(platform_catalogue, "table_rows", rows)
        yield


@cache
def shipped() -> Catalogue:
    """The catalogue that is shipped, with the price lists that are installed."""
    return read_catalogue(None)


@cache
def shipped_rows() -> tuple[TableRows, ...]:
    """Its rows."""
    return table_rows(shipped())


def databases(port: int | None) -> set[str]:
    """The names of the server's databases."""
    with Database("default", port).connect() as client:
        return {name for (name,) in client.query("SHOW DATABASES").result_rows}


def tables(client: Client) -> list[tuple[str, str, bool]]:
    """Each table of the client's database, and then each view.

    A name, the statement that makes it, and whether rows lie in it.
    """
    return [
        (name, definition, bool(has_rows))
        for name, definition, has_rows in client.query(
            "SELECT name, create_table_query, coalesce(total_rows, 0) > 0 FROM system.tables"
            " WHERE database = currentDatabase() ORDER BY engine = 'View', name"
        ).result_rows
    ]

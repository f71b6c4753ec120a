"""Puts the catalogue (schemas/catalogue) into its ClickHouse tables, each replaced in one step.

A reader sees the old content of a table or the new, never a mixture: the new rows go into a table
of their own, which then changes names with the old one. The checksum of the rows stands in the
table's comment and so changes with them; loading the same again does nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
from clickhouse_connect.driver.client import Client

from schemas.catalogue import Catalogue, CatalogueError, load_catalogue
from schemas.catalogue.rows import TableRows, table_rows
from services.platform.clickhouse import connect, mapped_errors
from services.platform.errors import ConfigurationError
from services.platform.settings import ClickHouseSettings

Report = Callable[[str], None]
#: Text of a hundred thousand rows is made at each `wattoken migrate`. A decimal is not taken for a
#: string.
_JSON = msgspec.json.Encoder(decimal_format="number")
#: A table in the making has this in its name; one older than an hour belongs to a load that died.
STAGING = "__staging_"


def read_catalogue(folder: Path | None, *, with_price_lists: bool = True) -> Catalogue:
    """Load the catalogue from its files; raises `ConfigurationError` if they are wrong."""
    try:
        return load_catalogue(folder, with_price_lists=with_price_lists)
    except CatalogueError as error:
        raise ConfigurationError(str(error)) from None


def store_catalogue(settings: ClickHouseSettings, catalogue: Catalogue, report: Report) -> None:
    """Make the catalogue's tables hold exactly this catalogue; ``report`` gets a line per table.

    Safe from two places at once: each replaces a table whole, and the last one stays.
    """
    client = connect(settings)
    try:
        with mapped_errors():
            _drop_leftovers(client)
            for content in table_rows(catalogue):
                changed = _replace(client, content)
                state = f"{len(content.rows)} rows" if changed else "unchanged"
                report(f"catalogue table {content.table}: {state}")
    finally:
        client.close()


def checksum(content: TableRows) -> str:
    """What tells two contents of a table apart."""
    text = _JSON.encode((content.columns, content.rows))
    return f"catalogue sha256:{hashlib.sha256(text).hexdigest()}"


def _replace(client: Client, content: TableRows) -> bool:
    """Replace a table's content; False if it is there already."""
    table, comment = content.table, checksum(content)
    held = client.query(
        "SELECT comment FROM system.tables"
        " WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": table},
    ).result_rows
    if held == [(comment,)]:
        return False
    staging = f"{table}{STAGING}{secrets.token_hex(8)}"
    client.command(f"CREATE TABLE {staging} AS {table}")
    try:
        client.command(f"ALTER TABLE {staging} MODIFY COMMENT '{comment}'")
        if content.rows:
            client.insert(staging, content.rows, column_names=content.columns)
        client.command(f"EXCHANGE TABLES {staging} AND {table}")
    finally:
        client.command(f"DROP TABLE IF EXISTS {staging} SYNC")
    return True


def _drop_leftovers(client: Client) -> None:
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND position(name, {staging:String}) > 0"
        " AND metadata_modification_time < now() - INTERVAL 1 HOUR",
        parameters={"staging": STAGING},
    ).result_rows
    for (name,) in rows:
        client.command(f"DROP TABLE IF EXISTS `{name}` SYNC")

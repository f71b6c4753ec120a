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
from services.platform.cluster import answer_seconds, tell, wait_for_replicas
from services.platform.cluster_ddl import Cluster
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


def store_catalogue(
    settings: ClickHouseSettings,
    catalogue: Catalogue,
    report: Report,
    cluster: Cluster | None = None,
) -> None:
    """Make the catalogue's tables hold exactly this catalogue; ``report`` gets a line per table.

    On a cluster without Keeper that is one server's alone.
    Safe from two places at once: each replaces a table whole, and the last one stays.
    """
    client = connect(settings, answer_seconds=answer_seconds(cluster))
    try:
        with mapped_errors():
            _drop_leftovers(client, cluster)
            for content in table_rows(catalogue):
                changed = _replace(client, content, cluster)
                state = f"{len(content.rows)} rows" if changed else "unchanged"
                report(f"catalogue table {content.table}: {state}")
    finally:
        client.close()


def checksum(content: TableRows) -> str:
    """What tells two contents of a table apart."""
    text = _JSON.encode((content.columns, content.rows))
    return f"catalogue sha256:{hashlib.sha256(text).hexdigest()}"


def _replace(client: Client, content: TableRows, cluster: Cluster | None) -> bool:
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
    tell(client, f"CREATE TABLE {staging} AS {table}", cluster)
    try:
        tell(client, f"ALTER TABLE {staging} MODIFY COMMENT '{comment}'", cluster)
        if content.rows:
            client.insert(staging, content.rows, column_names=content.columns)
            wait_for_replicas(client, staging, cluster)
        tell(client, f"EXCHANGE TABLES {staging} AND {table}", cluster)
    finally:
        tell(client, f"DROP TABLE IF EXISTS {staging} SYNC", cluster)
    return True


def _drop_leftovers(client: Client, cluster: Cluster | None) -> None:
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND position(name, {staging:String}) > 0"
        " AND metadata_modification_time < now() - INTERVAL 1 HOUR",
        parameters={"staging": STAGING},
    ).result_rows
    for (name,) in rows:
        tell(client, f"DROP TABLE IF EXISTS `{name}` SYNC", cluster)

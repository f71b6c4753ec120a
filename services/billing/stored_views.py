"""Reads the text of each view that `wattoken migrate` made, for queries over other tables."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

from services.billing.rerate_sql import Views
from services.platform.clickhouse import all_rows

_VIEWS: Final = """
SELECT name, as_select FROM system.tables
WHERE database = {database:String} AND engine = 'View' AND as_select != ''
"""
#: A catalogue is in the query's text. A month is grouped on the server's disk where it must be.
LONG_QUERY: Final = {
    "max_query_size": 1 << 28,
    "max_bytes_before_external_group_by": 1 << 30,
    "max_bytes_before_external_sort": 1 << 30,
}


def read_views(client: Client) -> Views:
    """All views of the client's database. Raises `UnavailableError`."""
    database = str(client.database)
    return Views(database, dict(all_rows(client, _VIEWS, {"database": database})))

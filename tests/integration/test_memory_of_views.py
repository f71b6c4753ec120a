"""A question about all history needs no more memory than a bound, however many keys there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from tests.versions.database import DatabaseFactory

#: Grouping so many keys at once takes 1.3 GB.
KEYS = 3_000_000
#: The views' own bound, and what ClickHouse needs beside it to put together what lies in files.
MEMORY_BYTES_MAX = 900_000_000
#: In so many inserts, none of which takes long beside other tests.
INSERTS = 6
#: From the last hour backwards, so that nothing is past its retention.
FILL = """
INSERT INTO slices_minute
    (window_start, region, provider, model, entry, log, partition, version, requests,
     input_tokens, output_tokens)
SELECT
    toStartOfHour(now('UTC')) - 60 * (number % 100000),
    concat('region-', toString(intDiv(number, 100000) % 3)), 'a-provider',
    concat('a-model-', toString(intDiv(number, 100000))), 'usage', 'a-log', 0, 1, 1, 2, 3
FROM numbers({first:UInt64}, {count:UInt64})
"""


@pytest.fixture(scope="module")
def client(databases: DatabaseFactory) -> Iterator[Client]:
    with databases("memory").connect() as client:
        for first in range(0, KEYS, KEYS // INSERTS):
            client.command(FILL, parameters={"first": first, "count": KEYS // INSERTS})
        yield client


def test_all_minutes_need_no_more_than_the_bound(client: Client) -> None:
    found = client.query(
        "SELECT count(), sum(requests), sum(input_tokens + output_tokens)"
        " FROM (SELECT * FROM usage_minute)",
        settings={"max_memory_usage": MEMORY_BYTES_MAX},
    ).first_row
    assert found == (KEYS, KEYS, 5 * KEYS)


@pytest.mark.parametrize(
    "view",
    ["usage_minute", "usage_hour", "usage_hour_entries", "usage_unit_hours", "demand_15m"],
)
def test_each_view_whose_groups_grow_with_history_has_the_bound(client: Client, view: str) -> None:
    text = str(client.command(f"SHOW CREATE VIEW {view}"))
    assert "max_bytes_before_external_group_by = 536870912" in text

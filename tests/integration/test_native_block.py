"""Blocks of ours, read by a real ClickHouse: every index width, texts of any length and script."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from services.aggregator.storage.native_block import NativeBlock
from tests.versions.database import DatabaseFactory


@pytest.fixture(scope="module")
def client(databases: DatabaseFactory) -> Iterator[Client]:
    with databases("blocks").connect() as client:
        client.command("CREATE DATABASE IF NOT EXISTS native_block")
        client.command(
            "CREATE OR REPLACE TABLE native_block.rows (number UInt64, at DateTime('UTC'),"
            " text LowCardinality(String), plain String, kind Enum8('usage' = 0, 'debit' = 1),"
            " absent UInt64) ENGINE = MergeTree ORDER BY number"
        )
        yield client
        client.command("DROP DATABASE native_block SYNC")


@pytest.mark.parametrize("distinct", [1, 2, 256, 257, 65_536, 65_537])
def test_what_is_written_is_read_again(client: Client, distinct: int) -> None:
    rows = distinct + 3
    texts = ["", "\u00e9\U0001f600" * 40, *(f"text-{number}" for number in range(distinct))][
        :distinct
    ]
    indexes = np.arange(rows)[::-1] % distinct
    numbers = np.arange(rows, dtype=np.uint64) + np.uint64(2**63)
    block = NativeBlock(rows)
    block.add_numbers("number", "UInt64", numbers)
    block.add_numbers("at", "DateTime('UTC')", np.arange(rows, dtype=np.uint32))
    block.add_texts("text", texts, indexes)
    block.add_texts("plain", texts, indexes)
    block.add_texts("kind", ["debit", "usage"], np.arange(rows) % 2)
    client.command("TRUNCATE TABLE native_block.rows")
    client.raw_insert("native_block.rows", block.names, block.data(), fmt="Native")
    found = client.query(
        "SELECT number, toUnixTimestamp(at), text, plain, kind, absent FROM native_block.rows"
        " ORDER BY number"
    ).result_rows
    expected = [
        (2**63 + row, row, texts[indexes[row]], texts[indexes[row]], ("debit", "usage")[row % 2], 0)
        for row in range(rows)
    ]
    assert found == expected


def test_an_empty_block_tells_what_is_wrong_with_the_table(client: Client) -> None:
    """What the sink asks where a long insert broke off."""
    client.command("TRUNCATE TABLE native_block.rows")
    client.raw_insert("native_block.rows", ["number"], b"", fmt="Native")
    assert client.query("SELECT count() FROM native_block.rows").first_row == (0,)
    for table, column, code in (("nowhere", "number", 60), ("rows", "nothing", 16)):
        with pytest.raises(DatabaseError) as refused:
            client.raw_insert(f"native_block.{table}", [column], b"", fmt="Native")
        assert refused.value.code == code

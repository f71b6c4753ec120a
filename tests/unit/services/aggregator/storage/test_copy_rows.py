"""Copies as they go to ClickHouse and come from it, without one.

What a server makes of them is in tests/integration/test_id_copies.py.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.runs import Stretch
from services.aggregator.decoding.labels import Labels
from services.aggregator.storage import connection
from services.aggregator.storage.copy_binary import pieces_in
from services.aggregator.storage.copy_pieces import DamagedCopyError, seal_of
from services.aggregator.storage.copy_rows import ClickHouseCopies
from services.platform.errors import ConfigurationError, DatabaseUnavailableError
from services.platform.kafka_log import Log
from services.platform.settings import ClickHouseSettings

LOG = Log("cluster", "topic-id", "usage.events.v1", 12)
STRETCH = Stretch(Cut(-5, 40), Cut(900, 50), 41, 49, 12)
#: Of lengths around which a varint gets one byte longer; more than go over the wire at once.
PIECES = [bytes([number]) * size for number, size in enumerate([127, 128, 16_384, 1, 2, 3, 4, 5])]
PIECES += [b"eight" * 30, b"last"]
COPIED = Copied(STRETCH, 2**63 + 7, len(PIECES), sum(map(len, PIECES)))
KEEP_SECONDS = 3600


class Bytes:
    """Reads RowBinary, in its own way."""

    def __init__(self, content: bytes) -> None:
        self.left = content

    def number(self, kind: str) -> int:
        (value,) = struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))
        return int(value)

    def take(self, count: int) -> bytes:
        assert len(self.left) >= count
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def text(self) -> bytes:
        digits: list[int] = []
        while not digits or digits[-1] >= 128:
            digits.append(self.take(1)[0])
        return self.take(sum(digit % 128 * 128**place for place, digit in enumerate(digits)))


#: Types of the columns of migration 0025, but for texts.
TYPES = {
    **{"partition": "I", "begin_offset": "q", "end_offset": "q", "token": "Q", "piece": "I"},
    **{"pieces": "I", "begin_ms": "q", "end_ms": "q", "first_ms": "q", "last_ms": "q"},
    **{"ids": "Q", "file_bytes": "Q", "seal": "Q", "keep_seconds": "I"},
}


class Driver:
    """Stands for the driver's client: keeps rows that are inserted, and answers from them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.inserts: list[int] = []
        self.asked: list[dict[str, Any]] = []
        self.refusal: Exception | None = None

    def raw_insert(
        self,
        table: str,
        column_names: Sequence[str],
        block: bytes,
        settings: dict[str, Any],
        *,
        fmt: str,
    ) -> None:
        assert (table, fmt) == ("seen_runs", "RowBinary")
        # On a cluster an answer must mean that the shards have it.
        assert settings == {"distributed_foreground_insert": 1}
        content = Bytes(block)
        before = len(self.rows)
        while content.left:
            self.rows.append(
                {
                    name: content.number(TYPES[name]) if name in TYPES else content.text()
                    for name in column_names
                }
            )
        self.inserts.append(len(self.rows) - before)

    def raw_query(self, text: str, parameters: dict[str, Any], *, fmt: str) -> bytes:
        assert fmt == "RowBinary"
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(parameters)
        wanted = range(parameters["first"], parameters["last"])
        return b"".join(
            struct.pack("<IQ", row["piece"], row["seal"]) + length(row["data"]) + row["data"]
            for row in self.rows
            if row["piece"] in wanted
        )


def length(data: bytes) -> bytes:
    low, high = len(data) % 128, len(data) // 128
    return bytes([low]) if not high else bytes([low + 128]) + length(bytes(high))


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(connection, "connect", lambda settings: driver)
    return driver


@pytest.fixture
def copies(driver: Driver) -> ClickHouseCopies:
    return ClickHouseCopies(ClickHouseSettings(), LOG, Labels())


def written(copies: ClickHouseCopies, keep_seconds: int = KEEP_SECONDS) -> bool:
    return copies.write_copy(3, COPIED, PIECES, keep_seconds, lambda: False)


def test_each_piece_is_a_row_that_says_what_it_is_of(
    copies: ClickHouseCopies, driver: Driver
) -> None:
    assert written(copies)
    assert driver.inserts == [8, 2]
    for number, (row, piece) in enumerate(zip(driver.rows, PIECES, strict=True)):
        assert row == {
            **{"log": LOG.name.encode(), "partition": 3, "begin_offset": -5, "end_offset": 900},
            **{"token": COPIED.token, "piece": number, "pieces": 10, "begin_ms": 40, "end_ms": 50},
            **{"first_ms": 41, "last_ms": 49, "ids": 12, "file_bytes": COPIED.file_bytes},
            **{"seal": seal_of(COPIED.token, number, piece), "data": piece},
            "keep_seconds": KEEP_SECONDS,
        }


def test_more_seconds_than_the_column_holds_are_as_many_as_it_holds(
    copies: ClickHouseCopies, driver: Driver
) -> None:
    for seconds, kept in ((2**32 - 1, 2**32 - 1), (2**32, 2**32 - 1), (1, 1)):
        driver.rows.clear()
        assert written(copies, seconds)
        assert {row["keep_seconds"] for row in driver.rows} == {kept}


def test_what_is_given_up_on_the_way_is_no_copy(copies: ClickHouseCopies, driver: Driver) -> None:
    answers = iter([False, True])
    assert not copies.write_copy(3, COPIED, PIECES, KEEP_SECONDS, lambda: next(answers))
    assert driver.inserts == [8]


def test_what_was_written_is_read(copies: ClickHouseCopies, driver: Driver) -> None:
    assert written(copies)
    assert list(copies.read_pieces(3, COPIED)) == PIECES
    which = {"log": LOG.name, "partition": 3, "token": COPIED.token, "begin": -5, "end": 900}
    assert driver.asked == [{**which, "first": 0, "last": 8}, {**which, "first": 8, "last": 10}]


@pytest.mark.parametrize("lost", range(len(PIECES)))
def test_a_piece_that_does_not_come_is_no_answer(
    copies: ClickHouseCopies, driver: Driver, lost: int
) -> None:
    assert written(copies)
    del driver.rows[lost]
    with pytest.raises(DatabaseUnavailableError, match="answered with nothing"):
        list(copies.read_pieces(3, COPIED))


@pytest.mark.parametrize("code", [32, 33, 40, 228, 246, 271])
def test_what_clickhouse_finds_damaged_is_damaged(
    copies: ClickHouseCopies, driver: Driver, code: int
) -> None:
    refusal = DatabaseError("Code: 40. DB::Exception: Checksum doesn't match")
    refusal.code = code
    driver.refusal = refusal
    with pytest.raises(DamagedCopyError, match="Checksum"):
        list(copies.read_pieces(3, COPIED))


def test_other_errors_of_clickhouse_are_its_own(copies: ClickHouseCopies, driver: Driver) -> None:
    no_table, too_much = DatabaseError("no such table"), DatabaseError("memory limit")
    no_table.code, too_much.code = 60, 241
    for refusal, mapped in (
        (no_table, ConfigurationError),
        (too_much, DatabaseUnavailableError),
        (OperationalError("connection refused"), DatabaseUnavailableError),
    ):
        driver.refusal = refusal
        with pytest.raises(mapped):
            list(copies.read_pieces(3, COPIED))


def test_an_answer_that_ends_anywhere_gives_the_pieces_before() -> None:
    rows = [
        struct.pack("<IQ", number, 7) + length(piece) + piece
        for number, piece in enumerate([b"a" * 130, b"", b"b" * 3, b"c"])
    ]
    whole = b"".join(rows)
    ends = [sum(map(len, rows[: number + 1])) for number in range(len(rows))]
    for end in range(len(whole) + 1):
        found = list(pieces_in(whole[:end]))
        assert len(found) == sum(at <= end for at in ends), end
        assert found == list(pieces_in(whole))[: len(found)]
    assert [piece for _, (_, piece) in pieces_in(whole)] == [b"a" * 130, b"", b"b" * 3, b"c"]

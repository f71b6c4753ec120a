"""Copies of runs of ids in ClickHouse: listed, read and written in pieces, a row each.

On a full disk ClickHouse may answer 200 and nothing: a list is put so that a true answer has a row,
and pieces that were listed and do not come are no answer.

Library errors arrive as `DatabaseUnavailableError` (a retry may help) or `ConfigurationError`; what
ClickHouse itself finds damaged as `DamagedCopyError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from clickhouse_connect.driver.exceptions import DatabaseError

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.runs import Stretch
from services.aggregator.storage.connection import SinkConnection
from services.aggregator.storage.copy_binary import COLUMNS, pieces_in, rows_of_copy
from services.aggregator.storage.copy_pieces import DamagedCopyError, unsealed
from services.platform.clickhouse import INSERT_SETTINGS, all_rows, mapped_errors, nothing_answered

TABLE: Final = "seen_runs"
#: Pieces that go over the wire at once.
PIECES_AT_ONCE: Final = 8
#: Codes of errors that say that what is stored is not what was written: 32, 33 it ends too early,
#: 40 a checksum, 246 corrupted data, 271 it cannot be decompressed, 228 a part is not as large.
DAMAGED_CODES: Final = frozenset({32, 33, 40, 228, 246, 271})


class ClickHouseCopies(SinkConnection):
    """Reads and writes copies. Each answer is whole, or an error."""

    def read_copies(self, partitions: Sequence[int]) -> dict[int, list[Copied]]:
        """List the copies of these partitions that are whole; one without any has an empty list."""
        run = "begin_offset, begin_ms, end_offset, end_ms, first_ms, last_ms, ids"
        rows = all_rows(
            self._connected(),
            f"SELECT partition, {run}, token, pieces, file_bytes FROM {TABLE}"
            " WHERE log = {log:String} AND partition IN {partitions:Array(UInt32)}"
            f" GROUP BY partition, {run}, token, pieces, file_bytes"
            # A piece may be there twice, where the answer to an insert was lost.
            " HAVING uniqExact(piece) = pieces",
            {"log": self._log.name, "partitions": list(partitions)},
        )
        found: dict[int, list[Copied]] = {number: [] for number in partitions}
        for partition, begin, begin_ms, end, end_ms, first_ms, last_ms, ids, *file in rows:
            stretch = Stretch(Cut(begin, begin_ms), Cut(end, end_ms), first_ms, last_ms, ids)
            found[int(partition)].append(Copied(stretch, *file))
        return found

    def read_pieces(self, partition: int, copied: Copied) -> Iterator[bytes]:
        """The bytes of a copy, in order. Raises `DamagedCopyError` besides."""
        firsts = range(0, copied.pieces, PIECES_AT_ONCE)
        yield from unsealed(
            copied,
            (
                sealed
                for first in firsts
                for sealed in self._read_some(
                    partition, copied, first, min(first + PIECES_AT_ONCE, copied.pieces)
                )
            ),
        )

    def _read_some(
        self, partition: int, copied: Copied, first: int, last: int
    ) -> list[tuple[int, bytes]]:
        """Seals and pieces from one number to below another."""
        text = (
            f"SELECT piece, seal, data FROM {TABLE} WHERE log = {{log:String}}"
            " AND partition = {partition:UInt32} AND end_offset = {end:Int64}"
            " AND begin_offset = {begin:Int64} AND token = {token:UInt64}"
            " AND piece >= {first:UInt32} AND piece < {last:UInt32} ORDER BY piece LIMIT 1 BY piece"
        )
        parameters = {
            **{"log": self._log.name, "partition": partition, "token": copied.token},
            **{"begin": copied.stretch.begin.offset, "end": copied.stretch.end.offset},
            **{"first": first, "last": last},
        }
        with mapped_errors():
            try:
                answer = self._connected().raw_query(text, parameters, fmt="RowBinary")
            except DatabaseError as error:
                if error.code in DAMAGED_CODES:
                    raise DamagedCopyError(str(error)) from error
                raise
        pieces = dict(pieces_in(answer))
        if sorted(pieces) != list(range(first, last)):
            raise nothing_answered()
        return [pieces[number] for number in range(first, last)]

    def write_copy(
        self,
        partition: int,
        copied: Copied,
        pieces: Iterable[bytes],
        keep_seconds: int,
        given_up: Callable[[], bool],
    ) -> bool:
        """Insert the pieces of a run, some at a time; False where that was given up on the way.

        As long as some are missing it is no copy.
        """
        rows = rows_of_copy(self._log.name, partition, copied, pieces, keep_seconds)
        while some := list(islice(rows, PIECES_AT_ONCE)):
            if given_up():
                return False
            with mapped_errors():
                self._connected().raw_insert(
                    *(TABLE, COLUMNS, b"".join(some), INSERT_SETTINGS), fmt="RowBinary"
                )
        return True

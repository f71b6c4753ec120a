"""PURE: rows of copies as bytes, in ClickHouse's RowBinary.

Its numbers are little-endian, a text has its length before it as a varint
(https://clickhouse.com/docs/interfaces/formats/RowBinary).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

from services.aggregator.core.run_copies import Copied
from services.aggregator.storage.copy_pieces import seal_of
from services.platform.varint import VarintError, read_varint, varint

#: Of a row that is written.
COLUMNS: Final = (
    *("log", "partition", "begin_offset", "end_offset", "token", "piece", "pieces"),
    *("begin_ms", "end_ms", "first_ms", "last_ms", "ids", "file_bytes", "seal", "data"),
    "keep_seconds",
)
KEEP_SECONDS_MAX: Final = 2**32 - 1
_NUMBER_AND_SEAL: Final = struct.Struct("<IQ")


def rows_of_copy(
    log: str, partition: int, copied: Copied, pieces: Iterable[bytes], keep_seconds: int
) -> Iterator[bytes]:
    """A row with `COLUMNS` for each piece of a copy, in order."""
    stretch = copied.stretch
    which = _text(log.encode()) + struct.pack(
        "<IqqQ", partition, stretch.begin.offset, stretch.end.offset, copied.token
    )
    about = struct.pack(
        "<IqqqqQQ",
        copied.pieces,
        *(stretch.begin.log_ms, stretch.end.log_ms, stretch.first_ms, stretch.last_ms),
        *(stretch.count, copied.file_bytes),
    )
    keep = struct.pack("<I", min(keep_seconds, KEEP_SECONDS_MAX))
    for number, piece in enumerate(pieces):
        seal = struct.pack("<Q", seal_of(copied.token, number, piece))
        yield b"".join((which, struct.pack("<I", number), about, seal, _text(piece), keep))


def pieces_in(answer: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Numbers, seals and pieces of an answer with these three columns.

    Ends early where it is no such thing: what was asked for and is not there is then missed.
    """
    at = 0
    while at + _NUMBER_AND_SEAL.size < len(answer):
        number, seal = _NUMBER_AND_SEAL.unpack_from(answer, at)
        try:
            size, begin = read_varint(answer, at + _NUMBER_AND_SEAL.size)
        except VarintError:
            return
        at = begin + size
        if at > len(answer):
            return
        yield number, (seal, answer[begin:at])


def _text(content: bytes) -> bytes:
    return varint(len(content)) + content

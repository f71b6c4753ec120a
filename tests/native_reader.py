"""Reads a block of ClickHouse's Native format, as plainly as can be, to hold the writer against."""

from __future__ import annotations

import io
import struct
from typing import Any

NUMBERS = {"UInt32": ("I", 4), "UInt64": ("Q", 8), "DateTime('UTC')": ("I", 4)}
INDEXES = "BHIQ"


def read_varint(stream: io.BytesIO) -> int:
    number = shift = 0
    while True:
        (byte,) = stream.read(1)
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number
        shift += 7


def read_text(stream: io.BytesIO) -> str:
    return stream.read(read_varint(stream)).decode()


def read_numbers(stream: io.BytesIO, kind: str, size: int, rows: int) -> list[int]:
    return list(struct.unpack(f"<{rows}{kind}", stream.read(rows * size)))


def read_dictionary(stream: io.BytesIO, rows: int) -> list[str]:
    version, flags, count = struct.unpack("<QQQ", stream.read(24))
    assert version == 1, "how keys are written"
    # Keys in this block (512), and a new dictionary (1024); below, the width of indexes.
    assert flags & ~3 == 512 | 1024
    texts = [read_text(stream) for _ in range(count)]
    assert struct.unpack("<Q", stream.read(8)) == (rows,)
    width = flags & 3
    indexes = read_numbers(stream, INDEXES[width], 1 << width, rows)
    return [texts[index] for index in indexes]


def read_native(data: bytes) -> list[dict[str, Any]]:
    """Give the rows of a block, each column by its name."""
    stream = io.BytesIO(data)
    column_count, rows = read_varint(stream), read_varint(stream)
    columns: dict[str, list[Any]] = {}
    for _ in range(column_count):
        name, kind = read_text(stream), read_text(stream)
        if kind == "LowCardinality(String)":
            columns[name] = read_dictionary(stream, rows)
        else:
            columns[name] = read_numbers(stream, *NUMBERS[kind], rows)
    assert not stream.read(), "nothing behind the last column"
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

"""A block of rows in ClickHouse's Native format, written from arrays.

The driver takes rows as Python objects, a dozen for each slice; here a column is a few array
operations, whatever its length. Texts go as a dictionary and indexes (LowCardinality), which the
server casts to what the table has. The format:
https://clickhouse.com/docs/interfaces/formats/Native and, for dictionaries, the source's
SerializationLowCardinality.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.aggregator.arrays.key_index import Ints
from services.platform.varint import varint

#: LowCardinality: the version of how keys are written, then flags: keys follow in this block
#: (bit 9), and they are a new dictionary (bit 10). The lowest bits say how wide indexes are.
KEYS_VERSION: Final = 1
OWN_KEYS: Final = (1 << 9) | (1 << 10)
INDEX_TYPES: Final = tuple(np.dtype(name) for name in ("<u1", "<u2", "<u4"))


class NativeBlock:
    """Columns of one block, all with the same number of rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.names: list[str] = []
        self._parts: list[bytes] = []

    def add_numbers(self, name: str, kind: str, numbers: NDArray[np.generic]) -> None:
        """Add numbers; ``kind`` is ClickHouse's name of the array's type."""
        self._add(name, kind, np.ascontiguousarray(numbers).tobytes())

    def add_texts(self, name: str, texts: Sequence[str], indexes: Ints) -> None:
        """Add texts: the distinct ones, and for each row the index of its own."""
        width = next(
            number
            for number, kind in enumerate(INDEX_TYPES)
            if len(texts) <= 1 << 8 * kind.itemsize
        )
        encoded = [text.encode() for text in texts]
        self._add(
            name,
            "LowCardinality(String)",
            struct.pack("<QQQ", KEYS_VERSION, OWN_KEYS | width, len(encoded)),
            *(varint(len(text)) + text for text in encoded),
            struct.pack("<Q", self._rows),
            indexes.astype(INDEX_TYPES[width]).tobytes(),
        )

    def _add(self, name: str, kind: str, *data: bytes) -> None:
        self.names.append(name)
        for text in (name, kind):
            self._parts += (varint(len(text)), text.encode())
        self._parts += data

    def data(self) -> bytes:
        """The block as it goes over the wire."""
        return b"".join((varint(len(self.names)), varint(self._rows), *self._parts))

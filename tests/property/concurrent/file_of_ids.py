"""As much of RocksDB as the store of ids uses, in one file that opens at once.

It keeps RocksDB's promise: what `write` returned from is there after a crash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Entries:
    """As much of `WriteBatch` as the store uses."""

    def __init__(self, raw_mode: bool = False) -> None:
        self.data = b""

    def put(self, key: bytes, value: bytes) -> None:
        self.data += bytes([len(key)]) + key + bytes([len(value)]) + value


class FileOfIds:
    """As much of `Rdict` as the store uses."""

    def __init__(self, folder: Path, cache: Any) -> None:
        # Like RocksDB it makes its own folder, and none above it.
        folder.mkdir(exist_ok=True)
        self._path = folder / "entries"
        self._values: dict[bytes, bytes] | None = {}
        self._take(self._path.read_bytes() if self._path.exists() else b"")

    def _take(self, data: bytes) -> None:
        assert self._values is not None
        at = 0
        parts: list[bytes] = []
        while at < len(data):
            end = at + 1 + data[at]
            parts.append(data[at + 1 : end])
            at = end
        self._values.update(zip(parts[::2], parts[1::2], strict=True))

    def get(self, keys: list[bytes]) -> list[bytes | None]:
        if self._values is None:
            raise AssertionError("the database was closed")
        return [self._values.get(key) for key in keys]

    def write(self, batch: Entries, options: Any = None) -> None:
        if self._values is None:
            raise AssertionError("the database was closed")
        with self._path.open("ab") as file:
            file.write(batch.data)
        self._take(batch.data)

    def close(self) -> None:
        self._values = None

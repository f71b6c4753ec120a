"""RocksDB's logs and manifests, looked through before RocksDB reads them.

Of some damage to a file of this format RocksDB makes a loop without end that holds up the whole
process (facebook/rocksdb#13333; seen with 9.8.4, in every recovery mode). So a log is cut off
behind its last whole record, as RocksDB itself would do; what is missed then is noticed by the
marks in each bucket. A manifest has to be whole.

The format: blocks of 32 KiB; in them fragments of records, each a header (checksum, length, kind)
and its data. A fragment ends with its block at the latest, and where a block has no more room for a
header, zeros fill it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from aiokafka.record.util import calc_crc32c

from services.aggregator.storage.store_files import StoreFault

BLOCK_BYTES: Final = 32 * 1024
#: Checksum, length, kind.
HEADER: Final = struct.Struct("<IHB")
KIND_AT: Final = 6
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
#: What may come while no record is open, and while one is.
BEGINS, GOES_ON = (FULL, FIRST), (MIDDLE, LAST)
#: RocksDB stores checksums masked, as some data hold checksums themselves.
MASK_ROTATION, MASK_DELTA = 15, 0xA282EAD8


def look_through(folder: Path) -> None:
    """Make the logs and manifests of a closed database safe to read.

    Raises OSError, and `StoreFault` where a manifest is damaged.
    """
    for path in folder.glob("MANIFEST-*"):
        content = path.read_bytes()
        if whole_bytes(content) != len(content):
            raise StoreFault(f"{path} is damaged")
    for path in folder.glob("*.log"):
        content = path.read_bytes()
        whole = whole_bytes(content)
        if whole != len(content):
            os.truncate(path, whole)


def whole_bytes(content: bytes) -> int:
    """How many bytes from the beginning on are nothing but whole records."""
    at, whole, wanted = 0, 0, BEGINS
    while True:
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < HEADER.size:
            if any(content[at : at + left]):
                return whole
            at += left
            left = BLOCK_BYTES
        if at + HEADER.size > len(content):
            return whole
        checksum, length, kind = HEADER.unpack_from(content, at)
        end = at + HEADER.size + length
        if kind not in wanted or HEADER.size + length > left or end > len(content):
            return whole
        if checksum != masked(calc_crc32c(memoryview(content)[at + KIND_AT : end])):
            return whole
        at, wanted = end, GOES_ON if kind in (FIRST, MIDDLE) else BEGINS
        if wanted is BEGINS:
            whole = at


def masked(checksum: int) -> int:
    """A checksum as RocksDB stores it."""
    rotated = checksum >> MASK_ROTATION | checksum << (32 - MASK_ROTATION)
    return (rotated + MASK_DELTA) & 0xFFFFFFFF

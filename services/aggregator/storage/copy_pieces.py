"""PURE: a copy of a run in pieces, each with a seal, as a row of its own.

The seal is made with the number that only this file has and that of the piece: a piece of another
file or place is none of this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from xxhash import xxh3_64_intdigest

from services.aggregator.core.run_copies import Copied

PIECE_BYTES: Final = 1024 * 1024


class DamagedCopyError(Exception):
    """A copy is not what was written; the text says what is wrong."""


def pieces_for(file_bytes: int, size: int = PIECE_BYTES) -> int:
    """In how many pieces of a size a file is copied."""
    return -(-file_bytes // size)


def seal_of(token: int, number: int, piece: bytes) -> int:
    """The seal of a piece, by its number."""
    return xxh3_64_intdigest(piece, token ^ number)


def unsealed(copied: Copied, sealed: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """The pieces of a copy, from seals and pieces. Raises `DamagedCopyError`."""
    size = 0
    for number, (seal, piece) in enumerate(sealed):
        if seal_of(copied.token, number, piece) != seal:
            raise DamagedCopyError(f"piece {number} of {copied.pieces} is not what was copied")
        size += len(piece)
        yield piece
    if size != copied.file_bytes:
        raise DamagedCopyError(f"it has {size} bytes and not {copied.file_bytes}")

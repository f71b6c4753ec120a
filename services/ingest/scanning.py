"""PURE but for a count: how much of one request may be looked through a piece at a time.

A piece costs a third of a microsecond, and a byte may be one: without a bound one body of 8 MiB
holds up everybody for seconds. Patterns that are used here have possessive repeats only, so that
each byte is looked at a fixed number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from services.ingest.errors import TooLargeError

#: A text, whole or without an end; to be put first in a pattern.
TEXT: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
#: Pieces of one request: brackets, texts and what is no JSON, where something cannot be read.
PIECES_MAX: Final = 500_000
#: Bytes of one text, and of all texts of one request: a match of a long text gives nobody a turn.
BYTES_AT_ONCE_MAX: Final = 8 * 1024 * 1024
BYTES_MAX: Final = 2 * BYTES_AT_ONCE_MAX


#: What some of the dear things cost that a request may ask for often, in pieces: guessing which
#: field was meant, reading one more usage object of a stream, trying one in another format.
GUESS: Final = 600
USAGE_OBJECT: Final = 30
USAGE_FIT: Final = 100


class _Left:
    __slots__ = ("bytes", "pieces")

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.bytes = BYTES_MAX


_left: ContextVar[_Left | None] = ContextVar("pieces left of a request", default=None)


@contextmanager
def scanning(pieces_max: int = PIECES_MAX) -> Iterator[None]:
    """Let all that is looked through meanwhile, in this task, share so many pieces."""
    token = _left.set(_Left(pieces_max))
    try:
        yield
    finally:
        _left.reset(token)


def afford(cost: int) -> bool:
    """Say whether the request may still have something of this cost, and take it then."""
    left = _left.get()
    if left is None:
        return True
    if left.pieces < cost:
        return False
    left.pieces -= cost
    return True


def pieces(pattern: re.Pattern[bytes], text: bytes, start: int = 0) -> Iterator[re.Match[bytes]]:
    """Yield the matches of a pattern; raises `TooLargeError` when the request has had too many."""
    left = _left.get() or _Left(PIECES_MAX)
    size_bytes = len(text) - start
    if size_bytes > min(left.bytes, BYTES_AT_ONCE_MAX):
        raise _too_much()
    left.bytes -= size_bytes
    number = 0
    try:
        for number, piece in enumerate(pattern.finditer(text, start), 1):  # noqa: B007
            if number > left.pieces:
                raise _too_much()
            yield piece
    finally:
        left.pieces -= number


def _too_much() -> TooLargeError:
    return TooLargeError(
        "something cannot be read, and there is too much else to look for it: send valid JSON, or"
        " smaller batches"
    )

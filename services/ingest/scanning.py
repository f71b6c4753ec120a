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

#: A text, whole or without an end, or the beginning of one with many escapes: a match gives nobody
#: a turn. To be put first in a pattern.
TEXT: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+){0,20000}+(?P<end>"|\\?\Z)?'
_MORE: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+){0,20000}+(?P<end>"|\\?\Z)?', re.DOTALL)
_STRETCH_BYTES: Final = 128 * 1024
#: As long as the longest literal of a pattern, of which a stretch may end within.
_LITERAL_BYTES_MAX: Final = 16
_QUOTE: Final = ord('"')
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


def pieces(pattern: re.Pattern[bytes], text: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where the matches of a pattern with `TEXT` begin and end.

    Raises `TooLargeError` when the request has had too many.
    """
    left = _left.get() or _Left(PIECES_MAX)
    size_bytes = len(text) - start
    if size_bytes > min(left.bytes, BYTES_AT_ONCE_MAX):
        raise _too_much()
    left.bytes -= size_bytes
    count, at = left.pieces, start
    try:
        while (found := _next(pattern, text, at)) is not None:
            begin, at = found.span()
            count -= 1
            if text[begin] == _QUOTE:
                while found is not None and found["end"] is None:
                    found = _MORE.match(text, at)
                    at = at if found is None else found.end()
                    count -= 1
            if count < 0:
                raise _too_much()
            yield begin, at
    finally:
        left.pieces = count


def _next(pattern: re.Pattern[bytes], text: bytes, at: int) -> re.Match[bytes] | None:
    """Search a stretch at a time: a search gives nobody a turn."""
    found: re.Match[bytes] | None
    while at < len(text):
        end = at + _STRETCH_BYTES
        found = pattern.search(text, at, end)
        if found is None:
            at = end - _LITERAL_BYTES_MAX
            if end >= len(text):
                return None
        elif found.end() < end:
            return found
        else:
            # It may go on behind the stretch.
            return pattern.match(text, found.start())
    return None


def _too_much() -> TooLargeError:
    return TooLargeError(
        "something cannot be read, and there is too much else to look for it: send valid JSON, or"
        " smaller batches"
    )

"""PURE: the commas and brackets of a JSON text, found by passes of C code that never look back.

What is looked for need not be JSON: a text without an end goes to the end. A pattern that begins
a text again at each quotation mark would be quadratic there, and a match for each mark costs a
hundred times as much as a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.ingest.errors import TooLargeError

#: Values in one request: some hundred megabytes, were each built.
PARTS_MAX: Final = 2_000_000
#: What begins a value: one more for each comma, one for each bracket that opens.
_PARTS: Final = b",[{"
_ALL_BYTES: Final = bytes(range(256))
#: Looked at in one go: a thread gives others their turn between two, and pieces take little memory.
_CHUNK_BYTES: Final = 64 * 1024


def marks_outside_texts(text: bytes, marks: bytes) -> Iterator[bytes]:
    """Yield those bytes of ``marks`` that lie outside of texts, in their order, a few at a time."""
    others = _ALL_BYTES.translate(None, marks + b'"')
    inside = start = 0
    while start < len(text):
        end = _end_of_chunk(text, start)
        chunk, start = text[start:end], end
        if b"\\" in chunk:
            # Those that escape each other first: what is left before a quotation mark escapes it.
            chunk = chunk.replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = chunk.translate(None, others).split(b'"')
        yield b"".join(pieces[inside::2])
        inside = (inside + len(pieces) - 1) % 2


def _end_of_chunk(text: bytes, start: int) -> int:
    """Find where a chunk may end: not between a backslash and what it escapes."""
    end = min(start + _CHUNK_BYTES, len(text))
    if text[end - 1 : end] != b"\\":
        return end
    chunk = text[start:end]
    return end + (len(chunk) - len(chunk.rstrip(b"\\"))) % 2


def check_parts(body: bytes, parts_max: int) -> None:
    """Refuse a JSON body of more values than that; raises `TooLargeError`.

    Each may become an object, fifty times as large as its text; nothing is built to count them.
    """
    if has_more_parts(body, parts_max):
        raise TooLargeError(
            f"the body has more than {parts_max} values of JSON: send smaller batches"
        )


def has_more_parts(text: bytes, parts_max: int) -> bool:
    """Say whether a JSON text has more values than that."""
    if len(text) <= parts_max:
        return False
    parts = 1
    for start in range(0, len(text), _CHUNK_BYTES):
        chunk = text[start : start + _CHUNK_BYTES]
        parts += len(chunk) - len(chunk.translate(None, _PARTS))
        if parts > parts_max:
            break
    else:
        return False
    parts = 1
    for marks in marks_outside_texts(text, _PARTS):
        parts += len(marks)
        if parts > parts_max:
            return True
    return False

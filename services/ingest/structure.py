"""PURE: the commas and brackets of a JSON text, found by passes of C code that never look back.

What is looked for need not be JSON: a text without an end goes to the end. A pattern that begins
a text anew at each quotation mark would be quadratic there, and a match for each mark costs a
hundred times as much as a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.ingest.errors import TooLargeError

#: What begins a value: one more for each comma, one for each bracket that opens.
_PARTS: Final = b",[{"
_ALL_BYTES: Final = bytes(range(256))
#: Split at a time, so that a thread gives others their turn and the pieces take little memory.
_CHUNK_BYTES: Final = 64 * 1024


def marks_outside_texts(text: bytes, marks: bytes) -> Iterator[bytes]:
    """Yield those bytes of ``marks`` that lie outside of texts, in their order, a few at a time."""
    if b"\\" in text:
        # Those that escape each other first: what is left before a quotation mark escapes it.
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    reduced = text.translate(None, _ALL_BYTES.translate(None, marks + b'"'))
    inside = 0
    for start in range(0, len(reduced), _CHUNK_BYTES):
        pieces = reduced[start : start + _CHUNK_BYTES].split(b'"')
        yield b"".join(pieces[inside::2])
        inside = (inside + len(pieces) - 1) % 2


def check_parts(body: bytes, parts_max: int) -> None:
    """Refuse a JSON body of more values than that; raises `TooLargeError`.

    Each may become an object, fifty times as large as its text; nothing is built to count them.
    """
    if len(body) <= parts_max or len(body) - len(body.translate(None, _PARTS)) < parts_max:
        return
    parts = 1
    for marks in marks_outside_texts(body, _PARTS):
        parts += len(marks)
        if parts > parts_max:
            raise TooLargeError(
                f"the body has more than {parts_max} values of JSON: send smaller batches"
            )

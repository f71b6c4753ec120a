"""PURE: reads on where a JSON text cannot be read: what nobody reads need not be sound.

Half of a surrogate pair, a text cut within a UTF-8 character, NaN or a thousand brackets make a
parser refuse the whole. Here each such part is replaced by `UNREADABLE`: where nothing reads it
nothing is lost, and where it is read the event is refused, and it alone.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from schemas.wire import WireEvent
from services.ingest.errors import EventRejectedError, MalformedError, TooLargeError
from services.ingest.explain import CANNOT_BE_READ
from services.ingest.scanning import TEXT, pieces
from services.ingest.unreadable import UNREADABLE
from services.platform.printable import not_printable

#: Deeper nesting is cut off; no rule reads anything there.
DEPTH_READ_MAX: Final = 64
_TOKEN: Final = b'"' + UNREADABLE.encode() + b'"'
#: Each alternative begins with a literal: what is none of them is then skipped ten times as fast.
_PIECES: Final = re.compile(TEXT + rb"|-Infinity|Infinity|NaN|\[|\{|\]|\}", re.DOTALL)
#: As `_PIECES`, and commas; flat arrays of numbers, which may be long, are one piece.
_STRUCTURE: Final = re.compile(TEXT + rb'|\[[^\[\]{}"]*+\]|\[|\{|\]|\}|,', re.DOTALL)
_SPACE: Final = b" \t\r\n"
#: What an event has of text that its sender chooses.
TEXTS: Final = ("id", "source", "tenant", "region", "provider", "model", "adjusts", "reason")


def salvaged(text: bytes) -> bytes:
    """Replace each part that cannot be read; the same text where there is none.

    Raises `TooLargeError` where there is too much to look through.
    """
    parts: list[bytes] = []
    kept = depth = cut_from = 0
    for begin, end in pieces(_PIECES, text):
        start = begin
        match text[begin]:
            case 0x5B | 0x7B:
                depth += 1
                if depth == DEPTH_READ_MAX + 1:
                    cut_from = begin
                continue
            case 0x5D | 0x7D:
                depth -= 1
                if depth != DEPTH_READ_MAX:
                    continue
                start = cut_from
            case 0x22:
                # One at the very end is an object's or array's no more: nothing follows it.
                if depth > DEPTH_READ_MAX or end == len(text) or _readable(text[begin:end]):
                    continue
            case _:
                if depth > DEPTH_READ_MAX:
                    continue
        parts += (text[kept:start], _TOKEN)
        kept = end
    return b"".join((*parts, text[kept:])) if parts else text


def _readable(quoted: bytes) -> bool:
    try:
        msgspec.json.decode(quoted, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def split(body: bytes, elements_max: int) -> list[bytes]:
    """Split an array by its brackets and commas alone; its elements need not be sound.

    Raises `MalformedError` where the brackets do not match, `TooLargeError` for too many elements
    or where there is too much to look through.
    """
    elements: list[bytes] = []
    depth, start = 0, body.index(b"[") + 1
    for begin, end in pieces(_STRUCTURE, body, start):
        mark = body[begin : begin + 1] if end == begin + 1 else b""
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if depth < 0 or (mark == b"," and not depth):
            element = body[start:begin]
            if not element.strip(_SPACE) and (depth == 0 or elements):
                break
            elements.append(element)
            start = end
            if len(elements) > elements_max:
                raise TooLargeError(f"more than {elements_max} events in one request: split it")
        if depth < 0:
            if mark != b"]" or body[start:].strip(_SPACE):
                break
            return elements if len(elements) > 1 or elements[0].strip(_SPACE) else []
    raise MalformedError("the body is no JSON: its brackets do not match")


def check_readable(event: WireEvent) -> None:
    """Refuse an event with a text that cannot be read, or moves the cursor of whoever reads it.

    Raises `EventRejectedError`.
    """
    for name in TEXTS:
        text = getattr(event, name)
        if text is None:
            continue
        if UNREADABLE in text:
            raise EventRejectedError(
                "invalid_json",
                f"{name} {CANNOT_BE_READ}, it is cut off within a character: give valid UTF-8",
            )
        if (character := not_printable(text)) is not None:
            raise EventRejectedError(
                "invalid_value",
                f"{name} has the character {character}, which is not printable: leave it out",
            )

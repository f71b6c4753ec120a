"""PURE: walks over protobuf's wire format without building messages.

A parser builds everything before anyone may look: 32 MB of empty messages, two bytes each, become
gigabytes. Here each field is a view of the body, and their number is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.ingest.errors import MalformedError, TooLargeError
from services.platform.varint import VarintError, read_varint, varint

_VARINT: Final = 0
_BYTES: Final = 2


class Budget:
    """How many fields may still be walked over, in all of a body."""

    __slots__ = ("left",)

    def __init__(self, fields_max: int) -> None:
        self.left = fields_max

    def spend(self, fields: int) -> None:
        """Account for as many more; raises `TooLargeError` when there were too many."""
        self.left -= fields
        if self.left < 0:
            raise _too_many()


def fields(message: memoryview, budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: an int, or a view of what has a length.

    Raises `MalformedError` where the bytes are no message, `TooLargeError` beyond the budget.
    """
    at, end = 0, len(message)
    while at < end:
        budget.left -= 1
        if budget.left < 0:
            raise _too_many()
        # Nearly all tags and lengths are one byte, and a call costs more than reading it.
        if (tag := message[at]) < 0x80:
            at += 1
        else:
            tag, at = _varint(message, at)
        kind = tag & 7
        value: int | memoryview
        if kind == 2:
            if at < end and (length := message[at]) < 0x80:
                at += 1
            else:
                length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif kind == 0:
            value, at = _varint(message, at)
        elif kind == 1:
            value, at = int.from_bytes(message[at : at + 8], "little"), at + 8
        elif kind == 5:
            value, at = int.from_bytes(message[at : at + 4], "little"), at + 4
        else:
            raise _malformed()
        if at > end or tag < 8:
            raise _malformed()
        yield tag >> 3, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    try:
        return read_varint(message, at)
    except VarintError:
        raise _malformed() from None


def _too_many() -> TooLargeError:
    return TooLargeError("the body has too many protobuf fields: send smaller batches")


def _malformed() -> MalformedError:
    return MalformedError("the body is no protobuf message: it ends or breaks off within a field")


def field(number: int, value: int | bytes) -> bytes:
    """Write one field: a varint for an int, else bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    return varint(number << 3 | _BYTES) + varint(len(value)) + value

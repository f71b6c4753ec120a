"""PURE: walks over protobuf's wire format without building messages.

A parser builds everything before anyone may look: 32 MB of empty messages, two bytes each, become
gigabytes. Here each field is a view of the body, and their number is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.ingest.errors import MalformedError, TooLargeError
from services.platform.varint import varint

_VARINT: Final = 0
_BYTES: Final = 2
_VARINT_BYTES_MAX: Final = 10


class Budget:
    """How many fields may still be walked over, in all of a body."""

    def __init__(self, fields_max: int) -> None:
        self._left = fields_max

    def spend(self) -> None:
        """Account for one field; raises `TooLargeError` when there were too many."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeError("the body has too many protobuf fields: send smaller batches")


def fields(message: memoryview, budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: an int, or a view of what has a length.

    Raises `MalformedError` where the bytes are no message.
    """
    at, end = 0, len(message)
    while at < end:
        budget.spend()
        tag, at = _varint(message, at)
        value: int | memoryview
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
            case 1:
                value, at = int.from_bytes(message[at : at + 8], "little"), at + 8
            case 2:
                length, at = _varint(message, at)
                value, at = message[at : at + length], at + length
            case 5:
                value, at = int.from_bytes(message[at : at + 4], "little"), at + 4
            case _:
                raise _malformed()
        if at > end or tag < 8:
            raise _malformed()
        yield tag >> 3, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[at : at + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise _malformed()


def _malformed() -> MalformedError:
    return MalformedError("the body is no protobuf message: it ends or breaks off within a field")


def field(number: int, value: int | bytes) -> bytes:
    """Write one field: a varint for an int, else bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    return varint(number << 3 | _BYTES) + varint(len(value)) + value

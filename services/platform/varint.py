"""PURE: unsigned integers as varints (LEB128): seven bits a byte, lowest first, like protobuf."""

from __future__ import annotations

from typing import Final

#: Of 64 bits.
VARINT_BYTES_MAX: Final = 10


class VarintError(ValueError):
    """Where a varint should be there is none, or it breaks off."""


def varint(number: int) -> bytes:
    """Write a number, 0 or above."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def read_varint(content: bytes | memoryview, at: int) -> tuple[int, int]:
    """Read the number that begins at a place, and where what follows it begins.

    Raises `VarintError`.
    """
    number = 0
    for place, byte in enumerate(content[at : at + VARINT_BYTES_MAX]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, at + place + 1
    raise VarintError(f"no varint at byte {at} of {len(content)}")

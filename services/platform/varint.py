"""Unsigned integers as varints (LEB128): seven bits a byte, lowest first, as protobuf has them."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """Write a number, 0 or above."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)

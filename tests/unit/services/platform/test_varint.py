"""Varints: as LEB128 has them, and what is none."""

from __future__ import annotations

import pytest

from services.platform.varint import VarintError, read_varint, varint

#: From the examples of protobuf's encoding guide, and around where one more byte is needed.
KNOWN = {0: "00", 1: "01", 127: "7f", 128: "8001", 150: "9601", 16_383: "ff7f", 16_384: "808001"}


@pytest.mark.parametrize("number", [*KNOWN, 300, 2**32, 2**63, 2**64 - 1])
def test_what_is_written_is_read(number: int) -> None:
    written = varint(number)
    if number in KNOWN:
        assert written.hex() == KNOWN[number]
    assert read_varint(b"\xff" + written + b"\x05", 1) == (number, 1 + len(written))
    assert read_varint(memoryview(written), 0) == (number, len(written))


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10 + b"\x01"])
def test_what_breaks_off_or_never_ends_is_none(content: bytes) -> None:
    with pytest.raises(VarintError, match=f"no varint at byte 0 of {len(content)}"):
        read_varint(content, 0)

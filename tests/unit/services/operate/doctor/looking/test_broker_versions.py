"""A broker's answer about its features, read by hand."""

from __future__ import annotations

import struct

import pytest

from services.operate.doctor.looking.broker_versions import supported_features
from services.platform.varint import VarintError


def text(value: str) -> bytes:
    return bytes([len(value) + 1]) + value.encode()


def answer(features: bytes, error: int = 0) -> bytes:
    """Correlation, error, two keys with their versions, throttle time, and tagged features."""
    keys = b"\x03" + struct.pack(">hhh", 0, 0, 9) + b"\0" + struct.pack(">hhh", 18, 0, 4) + b"\0"
    return struct.pack(">ih", 1, error) + keys + struct.pack(">i", 0) + features


def test_features_are_found_among_other_tags() -> None:
    supported = b"\x03" + text("group.version") + struct.pack(">hh", 0, 1) + b"\0"
    supported += text("metadata.version") + struct.pack(">hh", 7, 27) + b"\0"
    epoch = b"\x01\x08" + struct.pack(">q", 42)
    tags = b"\x02" + b"\x00" + bytes([len(supported)]) + supported + epoch
    assert supported_features(answer(tags)) == {"group.version": 1, "metadata.version": 27}


def test_a_broker_without_features_has_none() -> None:
    assert supported_features(answer(b"\0")) == {}


def test_one_that_knows_no_such_version_answers_with_an_error() -> None:
    assert supported_features(answer(b"", error=35)) == {}


def test_what_is_cut_off_is_no_answer() -> None:
    with pytest.raises((VarintError, struct.error)):
        supported_features(answer(b"\x01\x00"))

"""Commas and brackets are counted outside of texts, as one who reads step by step counts them."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ingest import structure
from services.ingest.errors import TooLargeError
from services.ingest.structure import check_parts, has_more_parts, marks_outside_texts
from tests.versions.effort import examples

MARKS = b",[{"


def step_by_step(text: bytes) -> bytes:
    found, inside, escaped = bytearray(), False, False
    for byte in text:
        if inside and escaped:
            escaped = False
        elif inside and byte == ord("\\"):
            escaped = True
        elif byte == ord('"'):
            inside = not inside
        elif not inside and byte in MARKS:
            found.append(byte)
    return bytes(found)


@given(
    text=st.lists(st.sampled_from(['"', "\\", ",", "[", "{", "]", "a", '\\"', "\\\\"])),
    chunk_bytes=st.integers(1, 7),
)
@example(text=['"', "\\", "\\", "\\", '"', ",", '"', ","], chunk_bytes=2)
@settings(max_examples=examples(400), deadline=None)
def test_they_are_those_of_a_reader(text: list[str], chunk_bytes: int) -> None:
    body = ("[" + "".join(text)).encode()
    # Outside of texts there are no backslashes in JSON, and nothing is said of what is there.
    if b"\\" in bytes(outside(body)):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "_CHUNK_BYTES", chunk_bytes)
        assert b"".join(marks_outside_texts(body, MARKS)) == step_by_step(body)


def outside(text: bytes) -> bytearray:
    found, inside, escaped = bytearray(), False, False
    for byte in text:
        if inside and escaped:
            escaped = False
        elif inside and byte == ord("\\"):
            escaped = True
        elif byte == ord('"'):
            inside = not inside
        elif not inside:
            found.append(byte)
    return found


def test_a_body_of_too_many_values_is_refused() -> None:
    check_parts(b"[" + b"1," * 999 + b"1]", 2000)
    with pytest.raises(TooLargeError, match="more than 1000 values"):
        check_parts(b"[" + b"[]," * 1000 + b"1]", 1000)


def test_commas_in_a_text_are_none() -> None:
    text = json.dumps({"content": 'well, "this", [and] {that}, ' * 1000}).encode()
    assert not has_more_parts(text, 10)
    check_parts(text, 10)

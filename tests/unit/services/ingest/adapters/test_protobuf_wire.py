"""Walking over protobuf: whole messages, broken ones, and those made to be expensive."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.ingest.adapters.protobuf_wire import Budget, field, fields
from services.ingest.errors import MalformedError, TooLargeError


def walked(message: bytes, fields_max: int = 1000) -> list[tuple[int, int | bytes]]:
    found = fields(memoryview(message), Budget(fields_max))
    return [(number, value if isinstance(value, int) else bytes(value)) for number, value in found]


def test_every_kind_of_field() -> None:
    span = Span(name="x" * 300, start_time_unix_nano=2**63, kind=Span.SPAN_KIND_CLIENT, flags=7)
    assert sorted(walked(span.SerializeToString())) == [
        (5, b"x" * 300),
        (6, 3),
        (7, 2**63),
        (16, 7),
    ]


@given(number=st.integers(1, 2**29 - 1), value=st.integers(0, 2**64 - 1) | st.binary())
def test_what_is_written_is_read(number: int, value: int | bytes) -> None:
    assert walked(field(number, value)) == [(number, value)]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(message: bytes) -> None:
    with suppress(MalformedError):
        walked(message)


def test_what_is_cut_off_is_malformed() -> None:
    span = Span(trace_id=b"t" * 16, start_time_unix_nano=1, flags=2**31)
    message = span.SerializeToString()
    for end in range(1, len(message)):
        kept = message[:end]
        if kept in (message[:18], message[:27]):
            continue  # the ends of whole fields
        with pytest.raises(MalformedError):
            walked(kept)


def test_the_number_of_fields_is_bounded() -> None:
    with pytest.raises(TooLargeError):
        walked(b"\x08\x00" * 11, fields_max=10)
    assert len(walked(b"\x08\x00" * 10, fields_max=10)) == 10

"""A closed topic takes nothing that is an event, and all that ends a transaction."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import zstandard
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire import WireEvent, decode, encode
from services.operate.succession.closing import PROBE_BYTES, is_closed
from services.platform.succession import CLOSED_BATCH_BYTES_MAX

#: None, gzip, snappy, lz4, zstd, as a batch's attributes name them.
CODECS = range(5)
#: No field can be shorter.
SMALLEST = encode(
    WireEvent(*("i", "s", "t", datetime(2026, 1, 1, tzinfo=UTC), "r", "p", "m"), 0, 0)
)
#: The same without what a hand-written event may leave out, such as fractions of a second.
SHORTEST = (
    b'{"id":"i","source":"s","tenant":"t","time":"2026-01-01T00:00:00Z","region":"r",'
    b'"provider":"p","model":"m","input_tokens":0,"output_tokens":0}'
)
#: Version and kind of the marker in its key, version and coordinator's epoch in its value.
MARKER_BYTES = 61 + 1 + 1 + 1 + 1 + 1 + 4 + 1 + 6 + 1


def batch_bytes(value: bytes, codec: int, *, key: bytes | None = None, count: int = 1) -> int:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for offset in range(count):
        assert builder.append(offset, None, key, value, []) is not None
    return len(builder.build())


@pytest.mark.parametrize("codec", CODECS)
def test_the_smallest_event_does_not_fit(codec: int) -> None:
    assert decode(SHORTEST) == decode(SMALLEST)
    assert batch_bytes(SHORTEST, codec) > 1.5 * CLOSED_BATCH_BYTES_MAX


def test_nor_would_the_hardest_compression_make_it_fit() -> None:
    """Without a dictionary, which no broker or reader would have."""
    packed = zstandard.ZstdCompressor(level=22).compress(SHORTEST)
    assert 61 + len(packed) > 1.5 * CLOSED_BATCH_BYTES_MAX


@given(st.binary(max_size=8), st.sampled_from(CODECS), st.integers(1, 20))
def test_nor_do_events_alike_in_one_batch(key: bytes, codec: int, count: int) -> None:
    assert batch_bytes(SHORTEST, codec, key=key, count=count) > CLOSED_BATCH_BYTES_MAX


def test_a_transactions_marker_fits() -> None:
    assert MARKER_BYTES == 78 < CLOSED_BATCH_BYTES_MAX


def test_the_probe_does_not_fit() -> None:
    assert batch_bytes(bytes(PROBE_BYTES), 0) > CLOSED_BATCH_BYTES_MAX


@pytest.mark.parametrize(
    ("config", "closed"),
    [
        ({}, False),
        ({"max.message.bytes": "1048588"}, False),
        ({"max.message.bytes": "101"}, False),
        ({"max.message.bytes": "100"}, True),
        ({"retention.ms": "1"}, False),
    ],
)
def test_a_topic_is_closed_by_its_own_limit(config: dict[str, str], closed: bool) -> None:
    assert is_closed(config) == closed

"""A closed topic takes nothing that is an event, and all that ends a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
import zstandard
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire import WireEvent, decode, encode
from services.operate.succession.closing import PROBE_BYTES, Probe, is_closed
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


class Leaders(Probe):
    """Leaders of which only so many are heard in one transaction that a refusal ends."""

    def __init__(self, closed: set[int], heard_max: int) -> None:
        self._closed = closed
        self._heard_max = heard_max

    def _ask(self, partitions: Iterable[int], value: bytes) -> dict[int, KafkaError | None]:
        heard = list(partitions)[: self._heard_max]
        refusal = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
        return {
            number: refusal if number in self._closed and len(value) >= PROBE_BYTES else None
            for number in heard
        }


def test_all_leaders_are_heard_however_few_at_once() -> None:
    assert Leaders(set(range(60)), 5).still_open(range(60)) == []


def test_a_leader_that_takes_events_still_is_named() -> None:
    assert Leaders(set(range(60)) - {7}, 60).still_open(range(60)) == [7]
    assert Leaders(set(), 60).still_open(range(3)) == [0, 1, 2]


def test_a_leader_without_an_answer_is_named() -> None:
    assert Leaders(set(range(4)), 3).behind(range(4)) == [3]


def test_what_asks_whether_replicas_follow_fits() -> None:
    assert batch_bytes(b"", 0) < CLOSED_BATCH_BYTES_MAX

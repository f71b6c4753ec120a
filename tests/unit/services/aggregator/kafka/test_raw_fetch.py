"""Batches of a fetch as they lie on the log: handed out raw and placed, none of them lost."""

from __future__ import annotations

import gzip
import struct
from typing import Any, Final

import numpy as np
import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from faust.types import TP

from services.aggregator.decoding import record_batch
from services.aggregator.decoding.record_batch import MalformedBatchError, RecordBatch
from services.aggregator.kafka.raw_fetch import (
    FetchedBatches,
    RawPartitionRecords,
    Stretch,
    records_of,
)
from tests.record_batches import (
    CONTROL,
    GZIP,
    LOG_APPEND_TIME,
    TRANSACTIONAL,
    Record,
    batch_of,
    raw_batch,
    with_header,
)

#: Key of the record in a control batch: version, and what became of the transaction.
ABORT: Final = struct.pack(">hh", 0, 0)
COMMIT: Final = struct.pack(">hh", 0, 1)
#: Two producers, each with transactions.
ONE, OTHER = 100, 200


def reading(
    *raws: bytes,
    aborted: tuple[tuple[int, int], ...] = (),
    fetch_offset: int = 0,
    check_crcs: bool = True,
) -> Any:
    """Read a fetch as aiokafka's fetcher does; ``aborted`` are producers and first offsets."""
    fetched = FetchedBatches(b"".join(raws))
    return RawPartitionRecords(
        *(TP("topic", 0), fetched, list(aborted), fetch_offset, None, None),
        *(check_crcs, fetcher.READ_COMMITTED),
    )


def produced(offset: int, producer: int, transactional: bool = True) -> bytes:
    """A batch of one record."""
    attributes = LOG_APPEND_TIME | TRANSACTIONAL * transactional
    raw = batch_of([b"%d at %d" % (producer, offset)], offset).raw
    return with_header(raw, attributes=attributes, producer_id=producer)


def marker(offset: int, producer: int, key: bytes) -> bytes:
    return raw_batch(
        [Record(0, 0, bytes(6), key)],
        base_offset=offset,
        attributes=TRANSACTIONAL | CONTROL,
        producer_id=producer,
    )


def values(stretches: Any) -> list[bytes | None]:
    return list(records_of([one.batch for one in stretches if one.batch is not None]).values)


def test_of_a_batch_that_came_in_part_nothing_is_handed_out() -> None:
    whole, part = batch_of([b"a", b"b"]), batch_of([b"c"], 2)
    for length in range(len(part.raw)):
        read = reading(whole.raw, part.raw[:length])
        assert list(read) == [Stretch(0, whole.mark, whole)]
        assert read.next_fetch_offset == 2, "from there it is fetched again"


def test_where_reading_goes_on_is_known_after_each_batch() -> None:
    read = reading(*(batch_of([b"x"] * 3, offset).raw for offset in (0, 3, 9)))
    edges = [(one.first_offset, one.next_offset, read.next_fetch_offset) for one in read]
    # Between them others may be gone: the stretches leave no offset out.
    assert edges == [(0, 3, 3), (3, 6, 6), (6, 12, 12)]


def test_what_compaction_left_of_a_batch_still_moves_reading_on() -> None:
    empty = raw_batch([], base_offset=5, last_offset_delta=9)
    thinned = raw_batch([Record(1, 70, b"kept")], base_offset=15, last_offset_delta=4)
    read = reading(empty, thinned, fetch_offset=5)
    stretches = list(read)
    assert [(one.first_offset, one.next_offset) for one in stretches] == [(5, 15), (15, 20)]
    assert values(stretches) == [b"kept"]
    assert read.next_fetch_offset == 20


def test_one_flipped_bit_ends_the_fetch_unless_nobody_wants_to_know() -> None:
    raw = bytearray(batch_of([b"value"], 1).raw)
    raw[-3] ^= 1
    first = batch_of([b"a"])
    read = reading(first.raw, bytes(raw))
    assert next(read).batch == first
    with pytest.raises(CorruptRecordException, match="topic"):
        next(read)
    assert read.next_fetch_offset == 1
    unchecked = reading(first.raw, bytes(raw), check_crcs=False)
    assert [one.next_offset for one in unchecked] == [1, 2]


def test_a_header_that_cannot_be_read_is_said_when_the_batch_is_asked_for() -> None:
    """Not before: aiokafka makes the object in a task whose errors nobody hears of."""
    old = bytearray(batch_of([b"b"], 1).raw)
    old[record_batch.MAGIC_AT] = 1
    fetched = FetchedBatches(batch_of([b"a"]).raw + old)
    assert fetched.next_batch() == batch_of([b"a"])
    assert fetched.has_next()
    with pytest.raises(MalformedBatchError, match="message format 1 at offset 1"):
        fetched.next_batch()


def test_what_a_producer_took_back_is_left_out_and_what_others_wrote_meanwhile_is_not() -> None:
    read = reading(
        produced(0, ONE),
        produced(1, OTHER),
        produced(2, ONE),
        marker(3, ONE, ABORT),
        marker(4, OTHER, COMMIT),
        aborted=((ONE, 0),),
    )
    stretches = list(read)
    assert values(stretches) == [b"200 at 1"]
    # What is left out is passed over, or it would be fetched for ever.
    assert [(one.first_offset, one.next_offset) for one in stretches] == [
        *((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))
    ]
    assert [one.batch is None for one in stretches] == [True, False, True, True, True]


def test_after_the_marker_of_an_abort_the_producer_counts_again() -> None:
    read = reading(
        produced(0, ONE),
        marker(1, ONE, ABORT),
        produced(2, ONE),
        marker(3, ONE, COMMIT),
        aborted=((ONE, 0),),
    )
    assert values(read) == [b"100 at 2"]


def test_a_transaction_counts_up_to_where_the_aborted_one_began() -> None:
    read = reading(
        produced(0, ONE),
        marker(1, ONE, COMMIT),
        produced(2, ONE),
        marker(3, ONE, ABORT),
        aborted=((ONE, 2),),
    )
    assert values(read) == [b"100 at 0"]


def test_what_a_producer_writes_outside_of_transactions_is_never_taken_back() -> None:
    read = reading(produced(0, ONE, transactional=False), aborted=((ONE, 0),))
    assert values(read) == [b"100 at 0"]


def test_of_no_batches_there_are_no_records() -> None:
    records = records_of([])
    assert (len(records), list(records.values)) == (0, [])
    assert records.offsets.dtype == records.append_ms.dtype == np.dtype(np.int64)


def test_records_are_placed_before_anything_is_decompressed() -> None:
    packed = batch_of([b"a" * 99, b"b" * 99], 7, 70, codec=GZIP)
    damaged = RecordBatch.of(packed.raw[: record_batch.HEADER.size] + b"no gzip")
    records = records_of([damaged, batch_of([b"c"], 9, 90)])
    assert len(records) == 3
    assert records.offsets.tolist() == [7, 8, 9]
    assert records.append_ms.tolist() == [70, 70, 90]
    with pytest.raises(gzip.BadGzipFile):
        list(records.values)

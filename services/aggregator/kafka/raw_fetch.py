"""Raw fetching with aiokafka: whole Kafka batches as they lie on the log, no message a record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from services.aggregator.core.judging import Records
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.record_batch import NO_PRODUCER, RawValues, RecordBatch, first_end


@dataclass(frozen=True, slots=True)
class Stretch:
    """One Kafka batch of a fetch: the log from `first_offset` to below the end of the batch.

    The broker sends whole batches, so the first may also hold records before it. No batch but its
    mark where it has no record of anybody's.
    """

    first_offset: int
    mark: BatchMark
    batch: RecordBatch | None

    @property
    def next_offset(self) -> int:
        """Where the next one begins."""
        return self.mark.next_offset


class FetchedBatches:
    """What a fetch brought of a partition: as aiokafka's `MemoryRecords`, but batches stay raw."""

    def __init__(self, data: bytes) -> None:
        # Headers are read one by one, where an error reaches the worker: aiokafka makes this object
        # in a task that nobody waits for.
        self._data = data
        self._place = 0
        self._end = first_end(data, 0)

    def size_in_bytes(self) -> int:
        """The size of all that came."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether a whole batch is left; the last may have come in part."""
        return self._end is not None

    def next_batch(self) -> RecordBatch:
        """Hand over the next batch. Raises `MalformedBatchError`."""
        start, end = self._place, self._end
        assert end is not None, "there is no next batch"
        self._place, self._end = end, first_end(self._data, end)
        return RecordBatch.of(self._data[start:end])


class RawPartitionRecords(fetcher.PartitionRecords):
    """Hands out a `Stretch` for each Kafka batch instead of a message for each record.

    aiokafka makes a Python object with eleven fields for each record, which takes five times as
    long as all the rest of fetching; here not even the batch is decompressed.
    """

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Stretch]:
        batches = self._records
        while batches.has_next():
            batch = batches.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"invalid CRC in {self._tp}")
            aborted = self._is_aborted(batch)
            first_offset, self.next_fetch_offset = self.next_fetch_offset, batch.next_offset
            # Control batches hold the markers of transactions, no records of anybody's.
            empty = aborted or batch.is_control
            yield Stretch(first_offset, batch.mark, None if empty else batch)

    def _is_aborted(self, batch: RecordBatch) -> bool:
        """Whether a batch belongs to a transaction that its producer took back."""
        if batch.producer_id == NO_PRODUCER:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control:
            if self._contains_abort_marker(DefaultRecordBatch(batch.raw)):
                self._aborted_producers.discard(batch.producer_id)
            return False
        return batch.is_transactional and batch.producer_id in self._aborted_producers


def install() -> None:
    """Have aiokafka's fetcher make these objects, which it looks up by these names."""
    fetcher.MemoryRecords = FetchedBatches
    fetcher.PartitionRecords = RawPartitionRecords


def records_of(batches: Sequence[RecordBatch]) -> Records:
    """The records of some batches: their places on the log now, their values when asked for."""
    if not batches:
        return Records(np.empty(0, np.int64), np.empty(0, np.int64), [])
    offsets, times = zip(*[batch.offsets_and_times() for batch in batches], strict=True)
    return Records(np.concatenate(offsets), np.concatenate(times), RawValues(batches))

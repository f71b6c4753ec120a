"""Kafka's record batches (message format 2, of Kafka 0.11 and later), read as columns.

A batch is a header and its records, mostly compressed; the format is described at
https://kafka.apache.org/documentation/#recordbatch. What a worker must know of a batch to place it
on the log is in the header, so the records can be unpacked later, all at once, and elsewhere.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, SupportsIndex, overload

import cramjam
import numpy as np
from aiokafka import codec
from aiokafka.record.util import calc_crc32c

from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.frames import Frames, OptionalFrames
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.record_starts import starts_at_once, starts_in_turn

#: Base offset, length of what follows, leader epoch, magic, CRC, attributes, last offset delta,
#: base and last timestamp, producer's id, its epoch, sequence number, number of records.
HEADER: Final = struct.Struct(">qiibIhiqqqhii")
#: What stands before that which the length counts: base offset and length.
PREFIX: Final = struct.Struct(">qi")
#: Where that begins which the CRC covers: at the attributes.
CRC_COVERS_FROM: Final = 21
#: Where the number of the message format stands, in all of them.
MAGIC_AT: Final = 16
MAGIC: Final = 2
CODEC_MASK, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x07, 0x08, 0x10, 0x20
DECOMPRESS: Final[dict[int, Callable[[memoryview], bytes]]] = {
    0: bytes,
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}
#: LZ4 and Zstandard: whoever reads them takes frames one behind the other (the LZ4 frame format;
#: RFC 8878, section 3.1). To begin takes either as long as some thousand bytes.
FRAMED: Final = frozenset({3, 4})
#: A batch of more than this is decompressed alone: what beginning takes is little of it.
JOINED_BYTES_MAX: Final = 4096
NO_PRODUCER: Final = -1


class MalformedBatchError(ValueError):
    """Bytes that are no record batch, or none of a kind that is known."""


@dataclass(slots=True)
class RecordBatch:
    """A batch as it lies on the log, its records still packed. Nobody changes one."""

    raw: bytes
    base_offset: int
    leader_epoch: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    count: int

    @classmethod
    def of(cls, raw: bytes) -> RecordBatch:
        """Read the header of a batch. Raises `MalformedBatchError`."""
        if len(raw) <= MAGIC_AT:
            raise MalformedBatchError(f"{len(raw)} bytes are no record batch")
        if raw[MAGIC_AT] != MAGIC:
            offset, _ = PREFIX.unpack_from(raw)
            raise MalformedBatchError(
                f"message format {raw[MAGIC_AT]} at offset {offset}: only format {MAGIC}, of Kafka"
                " 0.11 and later, can be read; copy the records to a new topic"
            )
        if len(raw) < HEADER.size:
            raise MalformedBatchError(f"{len(raw)} bytes are no record batch")
        header = HEADER.unpack_from(raw)
        offset, _, epoch, _, crc, attributes, last_delta, base_ms, max_ms, producer, _, _, count = (
            header
        )
        return cls(
            raw, offset, epoch, crc, attributes, last_delta, base_ms, max_ms, producer, count
        )

    def __len__(self) -> int:
        return self.count

    @property
    def next_offset(self) -> int:
        """The offset after the batch's last; that stays though compaction takes the record."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def mark(self) -> BatchMark:
        """What tells it from any other."""
        compacted = self.count != self.last_offset_delta + 1
        return BatchMark(self.base_offset, self.next_offset, self.crc, self.leader_epoch, compacted)

    @property
    def is_control(self) -> bool:
        """Whether it holds the marker of a transaction's end, no records of anybody's."""
        return bool(self.attributes & CONTROL)

    @property
    def is_transactional(self) -> bool:
        """Whether it belongs to a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    def validate_crc(self) -> bool:
        """Say whether it came whole."""
        return bool(calc_crc32c(memoryview(self.raw)[CRC_COVERS_FROM:]) == self.crc)

    def payload(self) -> bytes:
        """The records, decompressed."""
        kind = self.attributes & CODEC_MASK
        if kind not in DECOMPRESS:
            raise MalformedBatchError(f"compression {kind} at offset {self.base_offset}")
        return bytes(DECOMPRESS[kind](memoryview(self.raw)[HEADER.size :]))

    def offsets_and_times(self) -> tuple[Ints, Ints]:
        """Each record's offset and append time, in ms; mostly without looking at the records."""
        dense = self.count == self.last_offset_delta + 1
        if dense and self.attributes & LOG_APPEND_TIME:
            offsets = np.arange(self.base_offset, self.next_offset)
            return offsets, np.full(self.count, self.max_timestamp_ms)
        return offsets_and_times([self], unpack([self]))


def first_end(data: bytes, start: int) -> int | None:
    """Where the batch ends that begins at a place; None where it has not come whole."""
    if start + PREFIX.size > len(data):
        return None
    _, length = PREFIX.unpack_from(data, start)
    end: int = start + PREFIX.size + length
    return None if end > len(data) else end


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The records of some batches: keys and values, and what each says relative to its batch."""

    keys: OptionalFrames
    values: OptionalFrames
    offset_deltas: Ints
    timestamp_deltas: Ints


def unpack(batches: Sequence[RecordBatch]) -> Unpacked:
    """Find the fields of all records at once. Raises `MalformedBatchError`."""
    groups = list(_joined(batches))
    if len(groups) < len(batches):
        with contextlib.suppress(MalformedBatchError, cramjam.DecompressionError):
            unpacked = _unpacked(groups)
            if _rise(unpacked.offset_deltas, [batch.count for batch in batches]):
                return unpacked
    # One by one, which says which of them is wrong.
    return _unpacked([[batch] for batch in batches])


def _unpacked(groups: Sequence[Sequence[RecordBatch]]) -> Unpacked:
    """The records of groups, each of which is decompressed at once."""
    payloads = [_decompressed(group) for group in groups]
    counts = [sum(batch.count for batch in group) for group in groups]
    buffer = Buffer(*payloads)
    starts = starts_at_once(buffer, payloads, counts)
    if starts is None:
        starts = _starts_in_turn(groups, payloads, counts)
    # After its length a record has: attributes (one byte), the two deltas, key, value, headers.
    timestamp_deltas, place = varints(buffer, starts + 1)
    offset_deltas, place = varints(buffer, place)
    key_lengths, place = varints(buffer, place)
    keys = texts_at(buffer, place, key_lengths)
    lengths, place = varints(buffer, keys.frames.ends)
    values = texts_at(buffer, place, lengths)
    return Unpacked(keys, values, offset_deltas, timestamp_deltas)


def _rise(offset_deltas: Ints, counts: Sequence[int]) -> bool:
    """Whether offsets rise within each batch: so it is its own records that a batch was given."""
    rising = np.diff(offset_deltas, prepend=0) > 0
    firsts = np.cumsum([0, *counts[:-1]])
    # Those behind the last record belong to batches that have none.
    rising[firsts[firsts < len(offset_deltas)]] = True
    return bool(rising.all())


def offsets_and_times(batches: Sequence[RecordBatch], unpacked: Unpacked) -> tuple[Ints, Ints]:
    """The offset and the append time, in ms, of each record that was unpacked of these batches."""
    counts = [batch.count for batch in batches]
    by_broker = [bool(batch.attributes & LOG_APPEND_TIME) for batch in batches]
    base_ms = [
        batch.max_timestamp_ms if stamped else batch.base_timestamp_ms
        for batch, stamped in zip(batches, by_broker, strict=True)
    ]
    offsets = np.repeat(np.array([batch.base_offset for batch in batches], np.int64), counts)
    times = np.repeat(np.array(base_ms, np.int64), counts)
    deltas = np.where(np.repeat(by_broker, counts), 0, unpacked.timestamp_deltas)
    return offsets + unpacked.offset_deltas, times + deltas


def texts_at(buffer: Buffer, starts: Ints, lengths: Ints) -> OptionalFrames:
    """The texts of these lengths; a negative one says that there is none."""
    return OptionalFrames(Frames(buffer, starts, starts + np.maximum(lengths, 0)), lengths >= 0)


def _joined(batches: Sequence[RecordBatch]) -> Iterator[Sequence[RecordBatch]]:
    """Neighbours that one call can decompress are together, all others alone."""
    first = 0
    for last in range(1, len(batches) + 1):
        if last == len(batches) or not _go_together(batches[last - 1], batches[last]):
            yield batches[first:last]
            first = last


def _go_together(one: RecordBatch, next_: RecordBatch) -> bool:
    kind = one.attributes & CODEC_MASK
    small = max(len(one.raw), len(next_.raw)) <= JOINED_BYTES_MAX
    return small and kind in FRAMED and next_.attributes & CODEC_MASK == kind


def _decompressed(group: Sequence[RecordBatch]) -> bytes:
    """The records of batches of one codec."""
    if len(group) == 1:
        return group[0].payload()
    packed = b"".join([memoryview(batch.raw)[HEADER.size :] for batch in group])
    return bytes(DECOMPRESS[group[0].attributes & CODEC_MASK](memoryview(packed)))


def _starts_in_turn(
    groups: Sequence[Sequence[RecordBatch]], payloads: Sequence[bytes], counts: Sequence[int]
) -> Ints:
    starts, start = [], 0
    for group, payload, count in zip(groups, payloads, counts, strict=True):
        offset = group[0].base_offset
        try:
            found = starts_in_turn(payload, start)
        except IndexError:
            raise MalformedBatchError(f"batch at offset {offset} is cut") from None
        if len(found) != count:
            raise MalformedBatchError(
                f"batch at offset {offset} has {len(found)} records, its header says {count}"
            )
        starts.append(found)
        start += len(payload)
    return np.array(list(chain.from_iterable(starts)), np.int64)


def varints(buffer: Buffer, places: Ints) -> tuple[Ints, Ints]:
    """Read a zigzag varint at each place: the numbers, and where they end."""
    places = places.copy()
    low = buffer.bytes_at(places)
    numbers = (low & 0x7F).astype(np.int64)
    places += 1
    going_on = np.flatnonzero(low > 0x7F)
    bits = 7
    while len(going_on):
        low = buffer.bytes_at(places[going_on])
        numbers[going_on] |= (low & 0x7F).astype(np.int64) << bits
        places[going_on] += 1
        going_on = going_on[low > 0x7F]
        bits += 7
    # Halved without the sign: the highest bit is part of the number.
    return (numbers.view(np.uint64) >> np.uint64(1)).view(np.int64) ^ -(numbers & 1), places


class RawValues(Sequence[bytes | None]):
    """The values of the records of some batches, unpacked only when somebody looks at one."""

    def __init__(self, batches: Sequence[RecordBatch]) -> None:
        self.batches = batches
        self._count = sum(batch.count for batch in batches)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _values(self) -> list[bytes | None]:
        values = unpack(self.batches).values
        return values.values(np.arange(len(values)))

    @overload
    def __getitem__(self, at: SupportsIndex) -> bytes | None: ...

    @overload
    def __getitem__(self, at: slice) -> list[bytes | None]: ...

    def __getitem__(self, at: SupportsIndex | slice) -> bytes | None | list[bytes | None]:
        return self._values[at]

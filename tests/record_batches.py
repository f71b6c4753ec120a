"""Kafka record batches as a broker keeps them, built by aiokafka."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from services.aggregator.decoding.record_batch import RecordBatch

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS: Final = {0: "none", GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
FIELDS: Final = (
    *("base_offset", "length", "leader_epoch", "magic", "crc", "attributes", "last_offset_delta"),
    *("base_timestamp_ms", "max_timestamp_ms", "producer_id", "producer_epoch", "sequence"),
    "count",
)


class Record(NamedTuple):
    """A record and its place in the batch."""

    offset_delta: int
    timestamp_ms: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def raw_batch(records: Sequence[Record], codec: int = 0, **header: int) -> bytes:
    """Build a batch; ``header`` are fields as a broker, or a fault, sets them."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for record in records:
        offset, time_ms, value, key, headers = record
        builder.append(offset, timestamp=time_ms, key=key, value=value, headers=list(headers))
    return with_header(bytes(builder.build()), **header)


def with_header(raw: bytes, **header: int) -> bytes:
    """Change fields of a batch's header; length and CRC are made to fit unless they are given."""
    layout = DefaultRecordBase.HEADER_STRUCT
    fields = dict(zip(FIELDS, layout.unpack_from(raw), strict=True))
    fields |= {"length": len(raw) - struct.calcsize(">qi")}
    changed = layout.pack(*(fields | header).values()) + raw[layout.size :]
    crc = calc_crc32c(changed[DefaultRecordBase.ATTRIBUTES_OFFSET :])
    return bytes(layout.pack(*({**fields, "crc": crc} | header).values()) + raw[layout.size :])


def log_append(raw: bytes, append_ms: int) -> bytes:
    """Make it a batch that a broker has stamped with its own time."""
    attributes = DefaultRecordBase.HEADER_STRUCT.unpack_from(raw)[5]
    return with_header(raw, attributes=attributes | LOG_APPEND_TIME, max_timestamp_ms=append_ms)


def batch_of(
    values: Sequence[bytes | None], base_offset: int = 0, append_ms: int = 0, **options: Any
) -> RecordBatch:
    """A batch of these values, at offsets without holes, stamped by the broker."""
    records = [Record(delta, append_ms, value) for delta, value in enumerate(values)]
    raw = raw_batch(records, base_offset=base_offset, **options)
    return RecordBatch.of(log_append(raw, append_ms))

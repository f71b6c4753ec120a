"""What a worker and its decoder processes say to each other: Kafka batches there, columns back.

Frames of plain bytes, written and read here only. No pickle: a frame can hold nothing but data.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BufferedIOBase
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.measures import MEASURES, USUAL
from schemas.price_class import UNITS
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import no_rows
from services.aggregator.decoding.columns import Decoded, Failure
from services.aggregator.decoding.labels import Series
from services.aggregator.decoding.record_batch import RecordBatch

#: Number of batches; follows the length of each, and the batches.
REQUEST_HEADER: Final = struct.Struct("<I")
#: Bytes of a reply.
REPLY_HEADER: Final = struct.Struct("<I")
_LENGTH: Final = np.dtype("<u4")
#: What a column may be sent as, narrowest first; signed as the last resort.
_WIDTHS: Final = tuple(np.dtype(name) for name in ("<u1", "<u2", "<u4"))
_WIDEST: Final = np.dtype("<i8")


class Column(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Integers as their distance from the least, in as few bytes each as hold it.

    No data stands for a column that has the same number everywhere.
    """

    least: int
    data: bytes

    @classmethod
    def of(cls, numbers: Ints) -> Column:
        """Pack a column."""
        if not len(numbers):
            return cls(0, b"")
        least, most = int(numbers.min()), int(numbers.max())
        if least == most:
            return cls(least, b"")
        for width in _WIDTHS:
            if most - least <= np.iinfo(width).max:
                return cls(least, (numbers - least).astype(width).tobytes())
        return cls(0, numbers.astype(_WIDEST).tobytes())

    def numbers(self, count: int) -> Ints:
        """Unpack a column of so many numbers."""
        if not self.data:
            return np.full(count, self.least)
        width = len(self.data) // count
        kind = _WIDEST if width == _WIDEST.itemsize else np.dtype(f"<u{width}")
        return np.frombuffer(self.data, kind).astype(np.int64) + self.least


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Columns as bytes; what is the usual case is left out.

    Numbers of tenants and series are the sender's own; `new_tenants` and `new_series` say what
    the ones mean that it has not used before, in order.
    """

    count: int
    events: int
    places: Column | None
    time_us: Column
    tenants: Column
    series: Column
    tiers: Column
    identities: bytes
    #: By index of `MEASURES` and of `UNITS`, those that are not all 0.
    measures: dict[int, Column]
    units: dict[int, Column]
    adjusting: bytes | None
    failures: list[tuple[int, str, str]]
    new_tenants: list[str]
    new_series: list[Series]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Reply).decode


def request(batches: Sequence[RecordBatch]) -> list[bytes]:
    """Write a request, in parts."""
    lengths = np.array([len(batch.raw) for batch in batches], _LENGTH)
    header = REQUEST_HEADER.pack(len(batches))
    return [header + lengths.tobytes(), *(batch.raw for batch in batches)]


def read_request(source: BufferedIOBase) -> list[RecordBatch] | None:
    """Read a request; None at the end."""
    header = _read(source, REQUEST_HEADER.size)
    if header is None:
        return None
    (count,) = REQUEST_HEADER.unpack(header)
    lengths = _read(source, count * _LENGTH.itemsize)
    if lengths is None:
        return None
    batches = []
    for length in np.frombuffer(lengths, _LENGTH).tolist():
        raw = _read(source, length)
        if raw is None:
            return None
        batches.append(RecordBatch.of(raw))
    return batches


def reply(decoded: Decoded, new_tenants: list[str], new_series: list[Series]) -> list[bytes]:
    """Write a reply, in parts."""
    whole = len(decoded.places) == decoded.count
    payload = _encode(
        Reply(
            decoded.count,
            len(decoded.places),
            None if whole else Column.of(decoded.places),
            Column.of(decoded.time_us),
            Column.of(decoded.tenants),
            Column.of(decoded.series),
            Column.of(decoded.tiers),
            decoded.identities.tobytes(),
            _used(decoded.measures),
            _used(decoded.units),
            decoded.adjusting.tobytes() if decoded.adjusting.any() else None,
            [(failure.index, failure.code, failure.message) for failure in decoded.failures],
            new_tenants,
            new_series,
        )
    )
    return [REPLY_HEADER.pack(len(payload)), payload]


def read_reply(source: BufferedIOBase) -> Reply | None:
    """Read a reply; None at the end."""
    header = _read(source, REPLY_HEADER.size)
    if header is None:
        return None
    payload = _read(source, *REPLY_HEADER.unpack(header))
    return None if payload is None else _decode(payload)


def columns(reply: Reply, tenants: Ints, series: Ints) -> Decoded:
    """Make columns of a reply; ``tenants`` and ``series`` give our numbers for the sender's."""
    events = reply.events
    many = max(reply.measures, default=0) >= USUAL
    adjusting: NDArray[np.bool_] = (
        np.zeros(events, np.bool_)
        if reply.adjusting is None
        else np.frombuffer(reply.adjusting, np.bool_)
    )
    return Decoded(
        reply.count,
        np.arange(events) if reply.places is None else reply.places.numbers(events),
        reply.time_us.numbers(events),
        tenants[reply.tenants.numbers(events)],
        series[reply.series.numbers(events)],
        reply.tiers.numbers(events),
        np.frombuffer(reply.identities, np.uint64).reshape(-1, 2),
        _rows(reply.measures, events, len(MEASURES) if many else USUAL),
        _rows(reply.units, events, len(UNITS) if reply.units else 0),
        adjusting,
        [Failure(*failure) for failure in reply.failures],
    )


def _used(rows: Ints) -> dict[int, Column]:
    """The columns of some rows that are not all 0."""
    used = np.flatnonzero(rows.any(axis=0)).tolist()
    return {index: Column.of(rows[:, index]) for index in used}


def _rows(columns: dict[int, Column], events: int, width: int) -> Ints:
    rows = no_rows(events, width)
    for index, column in columns.items():
        rows[:, index] = column.numbers(events)
    return rows


def _read(source: BufferedIOBase, size: int) -> bytes | None:
    """Read exactly so many bytes; None if there are no more so many."""
    # Into a buffer of the right size: `read` would put it together from pieces.
    buffer = bytearray(size)
    return bytes(buffer) if source.readinto(buffer) == size else None

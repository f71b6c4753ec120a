"""What a worker and its decoder processes say to each other: record values there, columns back.

Frames of plain bytes, written and read here only. No pickle: a frame can hold nothing but data.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BufferedIOBase
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.identity import IDENTITY_BYTES
from services.aggregator.core.decoding import Decoded, Failure
from services.aggregator.core.key_index import Ints
from services.aggregator.core.labels import Series
from services.aggregator.core.slices import MEASURES

#: Number of values and their bytes altogether; follows the length of each, and the values.
REQUEST_HEADER: Final = struct.Struct("<II")
#: Bytes of a reply.
REPLY_HEADER: Final = struct.Struct("<I")
_LENGTH: Final = np.dtype("<u4")


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Columns as bytes; what is the usual case is left out.

    Numbers of tenants and series are the sender's own; `new_tenants` and `new_series` say what
    the ones mean that it has not used before, in order.
    """

    count: int
    places: bytes | None
    time_us: bytes
    tenants: bytes
    series: bytes
    identities: bytes
    #: By index of `MEASURES`, those that are not all 0.
    measures: dict[int, bytes]
    adjusting: bytes | None
    failures: list[tuple[int, str, str]]
    new_tenants: list[str]
    new_series: list[Series]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Reply).decode


def request(values: Sequence[bytes | None]) -> list[bytes]:
    """Write a request, in parts. A record without a value is sent as an empty one."""
    blob = b"".join(value for value in values if value is not None)
    lengths = np.array([len(value or b"") for value in values], _LENGTH)
    return [REQUEST_HEADER.pack(len(values), len(blob)), lengths.tobytes(), blob]


def read_request(source: BufferedIOBase) -> list[bytes] | None:
    """Read a request; None at the end."""
    header = _read(source, REQUEST_HEADER.size)
    if header is None:
        return None
    count, size = REQUEST_HEADER.unpack(header)
    lengths, blob = _read(source, count * _LENGTH.itemsize), _read(source, size)
    if lengths is None or blob is None:
        return None
    ends = np.frombuffer(lengths, _LENGTH).cumsum().tolist()
    return [blob[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def reply(decoded: Decoded, new_tenants: list[str], new_series: list[Series]) -> list[bytes]:
    """Write a reply, in parts."""
    used = np.flatnonzero(decoded.measures.any(axis=0)).tolist()
    whole = len(decoded.places) == decoded.count
    payload = _encode(
        Reply(
            decoded.count,
            None if whole else decoded.places.tobytes(),
            decoded.time_us.tobytes(),
            decoded.tenants.tobytes(),
            decoded.series.tobytes(),
            b"".join(decoded.identities),
            {index: decoded.measures[:, index].tobytes() for index in used},
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
    time_us = _ints(reply.time_us)
    events = len(time_us)
    measures = np.zeros((events, len(MEASURES)), np.int64)
    for index, column in reply.measures.items():
        measures[:, index] = _ints(column)
    blob = reply.identities
    adjusting: NDArray[np.bool_] = (
        np.zeros(events, np.bool_)
        if reply.adjusting is None
        else np.frombuffer(reply.adjusting, np.bool_)
    )
    return Decoded(
        reply.count,
        np.arange(events) if reply.places is None else _ints(reply.places),
        time_us,
        tenants[_ints(reply.tenants)],
        series[_ints(reply.series)],
        [blob[start : start + IDENTITY_BYTES] for start in range(0, len(blob), IDENTITY_BYTES)],
        measures,
        adjusting,
        [Failure(*failure) for failure in reply.failures],
    )


def _read(source: BufferedIOBase, size: int) -> bytes | None:
    """Read exactly so many bytes; None if there are no more so many."""
    # Into a buffer of the right size: `read` would put it together from pieces.
    buffer = bytearray(size)
    return bytes(buffer) if source.readinto(buffer) == size else None


def _ints(column: bytes) -> NDArray[Any]:
    return np.frombuffer(column, np.int64)

"""Request bodies: read within limits, decompressed within limits, a piece at a time."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import zstandard

from services.ingest.errors import (
    BusyError,
    MalformedError,
    RateLimitError,
    ReadTimeoutError,
    TooLargeError,
    UnsupportedError,
)

ENCODINGS: Final = ("gzip", "zstd")
_PIECE_BYTES: Final = 64 * 1024
#: A decoder must hold a whole zstd window; RFC 9659 lets a sender use 8 MB at most.
_ZSTD_WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024
#: Most gzip members or zstd frames in one body.
_PARTS_MAX: Final = 100
#: What is more once it is decompressed is left to a thread from there on, so that it does not hold
#: up other requests: 72 bytes may become megabytes.
_THREAD_ABOVE_BYTES: Final = 256 * 1024
#: One, so that many that come at once do not take the processor from the event loop.
_decompressor: Final = ThreadPoolExecutor(1, thread_name_prefix="decompress")
_PATIENCE_RENEWED_SECONDS: Final = 0.5
#: For this long a body may come as slowly as it likes: connections begin slowly.
READ_GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much of a body is read, and how long that may take."""

    wire_bytes_max: int
    body_bytes_max: int
    read_timeout_seconds: float
    #: A body that comes more slowly than this, after a few seconds' grace, is cut off.
    read_bytes_per_second_min: float = 0.0


class HeldBytes:
    """How many bytes of request bodies the process holds, with a bound on their sum.

    The limits of one request alone would not bound memory: they multiply with the connections. And
    each key holds a share at most, so that one alone cannot have others turned away.
    """

    def __init__(
        self, bytes_max: int, changed: Callable[[int], None], share_bytes_max: int | None = None
    ) -> None:
        self._bytes_max = bytes_max
        self._share_bytes_max = bytes_max if share_bytes_max is None else share_bytes_max
        self._changed = changed
        self._shares: Counter[str] = Counter()
        self.bytes = 0

    def take(self, count: int, holder: str) -> None:
        """Account for ``count`` more bytes of a key's.

        Raises `RateLimitError` when its share is used up, `BusyError` when the whole is.
        """
        if self.bytes + count > self._bytes_max:
            raise BusyError("too many requests are being read: retry", retry_after_seconds=1)
        if self._shares[holder] + count > self._share_bytes_max:
            raise RateLimitError("share of the bytes that are read at a time", 1)
        self._shares[holder] += count
        self.bytes += count
        self._changed(self.bytes)

    def give_back(self, count: int, holder: str) -> None:
        """Account for ``count`` bytes let go."""
        self._shares[holder] -= count
        if not self._shares[holder]:
            del self._shares[holder]
        self.bytes -= count
        self._changed(self.bytes)


class Body:
    """One request body being read; give back what it holds with `release`, whatever happened."""

    def __init__(self, limits: BodyLimits, held: HeldBytes, holder: str = "") -> None:
        """Read a body for ``holder``, the id of its key."""
        self._limits = limits
        self._held = held
        self._holder = holder
        self._taken = 0
        #: How many bytes came over the wire so far.
        self.wire_bytes = 0

    async def read(
        self, chunks: AsyncIterator[bytes], content_length: str | None, encoding: str | None
    ) -> bytes:
        """Read the whole body, decompressed.

        Raises `UnsupportedError` for an unknown ``encoding``, `TooLargeError` as soon as either
        limit is passed, `ReadTimeoutError`, `MalformedError` when it does not decompress,
        `RateLimitError` when all requests of its key hold too much, and `BusyError` when those of
        all keys do.
        """
        coding = (encoding or "identity").strip().lower()
        if coding not in ("identity", *ENCODINGS):
            raise UnsupportedError(
                f"Content-Encoding {coding[:40]!r} is not supported: use gzip, zstd or none",
                {"Accept-Encoding": ", ".join(ENCODINGS)},
            )
        wire = await self._read_wire(chunks, content_length)
        if coding == "identity":
            _check_body_size(len(wire), self._limits.body_bytes_max)
            return wire
        # The most it may become is reserved first: a thread must not account by itself.
        reserved = self._limits.body_bytes_max
        self._take(reserved)
        try:
            decompressing = _Decompressing(wire, coding, self._limits.body_bytes_max)
            body = decompressing.go_on(_THREAD_ABOVE_BYTES)
            if body is None:
                rest = decompressing.to_its_end
                body = await asyncio.get_running_loop().run_in_executor(_decompressor, rest)
        finally:
            self._give_back(reserved)
        self._take(len(body))
        return body

    def release(self) -> None:
        """Give back the bytes accounted for."""
        self._give_back(self._taken)

    async def _read_wire(self, chunks: AsyncIterator[bytes], content_length: str | None) -> bytes:
        limit = self._limits.wire_bytes_max
        too_large = TooLargeError(f"the body is larger than {limit} bytes: send smaller batches")
        # The header spares reading a body that is too large; what is read is counted all the same.
        declared = (content_length or "").lstrip("0")
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > limit):
            raise too_large
        parts: list[bytes] = []
        loop = asyncio.get_running_loop()
        started = renewed = loop.time()
        try:
            async with asyncio.timeout_at(started + self._patience_seconds()) as patience:
                async for chunk in chunks:
                    self.wire_bytes += len(chunk)
                    if self.wire_bytes > limit:
                        raise too_large
                    self._take(len(chunk))
                    parts.append(chunk)
                    now = loop.time()
                    # Most bodies are whole before this matters; a timer costs more than a look.
                    if now > renewed + _PATIENCE_RENEWED_SECONDS:
                        renewed = now
                        patience.reschedule(started + self._patience_seconds())
        except TimeoutError:
            raise ReadTimeoutError(
                "the body came too slowly: send it within"
                f" {self._limits.read_timeout_seconds:g} s and at no less than"
                f" {self._limits.read_bytes_per_second_min:g} bytes/s"
            ) from None
        return b"".join(parts)

    def _patience_seconds(self) -> float:
        """How long after its start the body may take to bring its next piece."""
        limits = self._limits
        if not limits.read_bytes_per_second_min:
            return limits.read_timeout_seconds
        earned = self.wire_bytes / limits.read_bytes_per_second_min
        return min(limits.read_timeout_seconds, READ_GRACE_SECONDS + earned)

    def _take(self, count: int) -> None:
        self._held.take(count, self._holder)
        self._taken += count

    def _give_back(self, count: int) -> None:
        self._held.give_back(count, self._holder)
        self._taken -= count


class _Decompressing:
    """A body that is decompressed in two goes: what is small at once, and the rest elsewhere."""

    def __init__(self, wire: bytes, coding: str, bytes_max: int) -> None:
        self._coding = coding
        self._bytes_max = bytes_max
        self._pieces = _gunzip(wire) if coding == "gzip" else _unzstd(wire)
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def to_its_end(self) -> bytes:
        """Decompress all of it; raises `TooLargeError` and `MalformedError`."""
        body = self.go_on(self._bytes_max)
        assert body is not None, "what is larger was refused"
        return body

    def go_on(self, up_to_bytes: int) -> bytes | None:
        """Decompress until there is more than this, and return the body where that is all.

        Raises `TooLargeError` and `MalformedError`.
        """
        try:
            for piece in self._pieces:
                self._size_bytes += len(piece)
                _check_body_size(self._size_bytes, self._bytes_max)
                self._parts.append(piece)
                if self._size_bytes > up_to_bytes:
                    return None
        except (zlib.error, zstandard.ZstdError, EOFError):
            raise MalformedError(f"the body is no whole {self._coding} data") from None
        return b"".join(self._parts)


def _check_body_size(size_bytes: int, bytes_max: int) -> None:
    if size_bytes > bytes_max:
        raise TooLargeError(
            f"the decompressed body is larger than {bytes_max} bytes: send smaller batches"
        )


def _gunzip(wire: bytes) -> Iterator[bytes]:
    """Yield what gzip members decompress to, in pieces of bounded size."""
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    members = 1
    for start in range(0, len(wire), _PIECE_BYTES):
        # Short slices: zlib hands back a copy of what it has not consumed with every piece.
        rest = wire[start : start + _PIECE_BYTES]
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                members += 1
                _check_parts(members)
            yield member.decompress(rest, _PIECE_BYTES)
            rest = member.unused_data if member.eof else member.unconsumed_tail
    while not member.eof:
        piece = member.decompress(b"", _PIECE_BYTES)
        if not piece:
            raise EOFError
        yield piece


def _unzstd(wire: bytes) -> Iterator[bytes]:
    """Yield what zstd frames decompress to, in pieces of bounded size, then check their ends.

    The reader bounds the pieces but takes a frame that was cut off for a whole one; the object
    knows a frame's end but bounds nothing. So the reader goes first, and once it has shown that
    the whole is small enough, the object may look for the end.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    with decompressor.stream_reader(io.BytesIO(wire), read_across_frames=True) as reader:
        while piece := reader.read(_PIECE_BYTES):
            yield piece
    rest = wire
    frames = 0
    while rest:
        frames += 1
        _check_parts(frames)
        frame = decompressor.decompressobj()
        frame.decompress(rest)
        if not frame.eof:
            raise EOFError
        rest = frame.unused_data


def _check_parts(parts: int) -> None:
    # Thousands of empty members or frames cost time out of all proportion to their bytes.
    if parts > _PARTS_MAX:
        raise MalformedError(f"the body has more than {_PARTS_MAX} compressed parts")

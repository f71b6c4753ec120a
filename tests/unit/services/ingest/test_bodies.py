"""Bodies are read whole or not at all, and never beyond a limit."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import AsyncIterator

import pytest
import zstandard

from services.ingest.bodies import Body, BodyLimits, HeldBytes
from services.ingest.errors import (
    BusyError,
    MalformedError,
    RateLimitError,
    ReadTimeoutError,
    RequestError,
    TooLargeError,
    UnsupportedError,
)

LIMITS = BodyLimits(wire_bytes_max=100_000, body_bytes_max=300_000, read_timeout_seconds=5)
PLAIN = {
    "empty": b"",
    "short": b"{}",
    "piece": b"a" * 65_536,
    "pieces": b"ab" * 100_001,
    "random": os.urandom(90_000),
}


def held(bytes_max: int = 10**9) -> HeldBytes:
    return HeldBytes(bytes_max, lambda _: None)


async def in_chunks(wire: bytes, size_bytes: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(wire), size_bytes):
        yield wire[start : start + size_bytes]


def read(
    wire: bytes,
    encoding: str | None = None,
    limits: BodyLimits = LIMITS,
    content_length: str | None = None,
    holding: HeldBytes | None = None,
) -> bytes:
    """Read one body, and hold that nothing of it stays accounted for."""
    holding = holding or held()
    before = holding.bytes
    body = Body(limits, holding)
    try:
        return asyncio.run(body.read(in_chunks(wire), content_length, encoding))
    finally:
        body.release()
        assert holding.bytes == before


@pytest.mark.parametrize("plain", PLAIN.values(), ids=PLAIN)
def test_what_was_packed_comes_out(plain: bytes) -> None:
    assert read(plain[:90_000]) == plain[:90_000]
    assert read(gzip.compress(plain), "gzip") == plain
    assert read(zstandard.compress(plain), "zstd") == plain
    streamed = zstandard.ZstdCompressor().compressobj()
    assert read(streamed.compress(plain) + streamed.flush(), " ZSTD ") == plain


def test_several_members_and_frames_are_one_body() -> None:
    assert read(gzip.compress(b"one") + gzip.compress(b"two"), "gzip") == b"onetwo"
    assert read(zstandard.compress(b"one") + zstandard.compress(b"two"), "zstd") == b"onetwo"


@pytest.mark.parametrize("plain", [PLAIN["pieces"], PLAIN["random"]], ids=["pieces", "random"])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_cut_off_anywhere_is_malformed(plain: bytes, encoding: str) -> None:
    packed = gzip.compress(plain) if encoding == "gzip" else zstandard.compress(plain)
    for length in [1, 5, 9, len(packed) // 2, len(packed) - 9, len(packed) - 1]:
        with pytest.raises(MalformedError):
            read(packed[:length], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_not_packed_as_said_is_malformed(encoding: str) -> None:
    packed = gzip.compress(b"one") if encoding == "gzip" else zstandard.compress(b"one")
    for wire in [b"{}", b"\x00" * 100, packed + b"garbage", zlib.compress(b"one")]:
        with pytest.raises(MalformedError):
            read(wire, encoding)


def test_a_body_at_its_limit_is_read_and_one_beyond_is_not() -> None:
    assert len(read(b"x" * LIMITS.wire_bytes_max)) == LIMITS.wire_bytes_max
    with pytest.raises(TooLargeError):
        read(b"x" * (LIMITS.wire_bytes_max + 1))
    exact, over = b"x" * LIMITS.body_bytes_max, b"x" * (LIMITS.body_bytes_max + 1)
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        assert read(pack(exact), encoding) == exact
        with pytest.raises(TooLargeError):
            read(pack(over), encoding)


def test_a_plain_body_is_bound_by_both_limits() -> None:
    with pytest.raises(TooLargeError):
        read(b"x" * 11, limits=BodyLimits(100, 10, 5))


@pytest.mark.parametrize("declared", ["100001", "9" * 19, "9" * 5000])
def test_a_declared_length_above_the_limit_is_refused_unread(declared: str) -> None:
    with pytest.raises(TooLargeError):
        read(b"", content_length=declared)


@pytest.mark.parametrize("declared", ["0", "000000000000000000000002", "-1", "x", "²", ""])
def test_any_other_declared_length_is_left_to_the_count(declared: str) -> None:
    assert read(b"{}", content_length=declared) == b"{}"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_window_or_members_beyond_reason_are_refused(encoding: str) -> None:
    empty = gzip.compress(b"") if encoding == "gzip" else zstandard.compress(b"")
    with pytest.raises(MalformedError, match="parts"):
        read(empty * 101, encoding)


def test_a_zstd_window_beyond_the_standard_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    wire = packer.compress(b"x" * 1000) + packer.flush()
    with pytest.raises(MalformedError):
        read(wire, "zstd")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "gzip,zstd", "x" * 1000])
def test_unknown_encodings_are_named_with_what_is_known(encoding: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(b"{}", encoding)
    assert caught.value.headers["Accept-Encoding"] == "gzip, zstd"
    assert len(caught.value.message) < 150


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    holding = held()
    body = Body(BodyLimits(100, 100, 0.05), holding)
    with pytest.raises(ReadTimeoutError):
        asyncio.run(body.read(stalled(), None, None))
    body.release()
    assert holding.bytes == 0


@pytest.mark.parametrize(("pause_seconds", "arrives"), [(0.02, True), (0.2, False)])
def test_a_body_below_the_least_rate_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, pause_seconds: float, arrives: bool
) -> None:
    monkeypatch.setattr("services.ingest.bodies.READ_GRACE_SECONDS", 0.3)
    monkeypatch.setattr("services.ingest.bodies._PATIENCE_RENEWED_SECONDS", 0.0)

    async def dripping() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10
            await asyncio.sleep(pause_seconds)

    body = Body(BodyLimits(1000, 1000, 60, read_bytes_per_second_min=200), held())
    reading = body.read(dripping(), None, None)
    if arrives:
        assert asyncio.run(reading) == b"x" * 200
        assert body.wire_bytes == 200
    else:
        with pytest.raises(ReadTimeoutError, match="200 bytes/s"):
            asyncio.run(reading)


def test_all_bodies_together_are_bounded() -> None:
    holding = held(bytes_max=150_000)
    holding.take(100_000, "other")
    assert len(read(b"x" * 50_000, holding=holding)) == 50_000
    with pytest.raises(BusyError) as caught:
        read(b"x" * 50_001, holding=holding)
    assert caught.value.headers["Retry-After"] == "1"
    with pytest.raises(BusyError):
        read(gzip.compress(b"x"), "gzip", holding=holding)


def test_every_refusal_has_a_status_of_its_own() -> None:
    kinds = RequestError.__subclasses__()
    assert len({kind.status for kind in kinds}) == len(kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_a_key_holds_its_share_and_others_theirs() -> None:
    holding = HeldBytes(1000, lambda _: None, share_bytes_max=400)
    holding.take(400, "bad")
    with pytest.raises(RateLimitError) as caught:
        holding.take(1, "bad")
    assert caught.value.headers["Retry-After"] == "1"
    holding.take(400, "good")
    with pytest.raises(BusyError):
        holding.take(201, "third")
    holding.give_back(400, "bad")
    holding.take(1, "bad")
    assert holding.bytes == 401


def test_what_becomes_large_is_decompressed_in_a_thread() -> None:
    wire = gzip.compress(b"[]," * 1_000_000)
    assert read(wire, "gzip", limits=BodyLimits(10**7, 10**7, 60)) == b"[]," * 1_000_000
    with pytest.raises(TooLargeError):
        read(wire, "gzip", limits=BodyLimits(10**7, 10**6, 60))
    with pytest.raises(MalformedError):
        read(wire[:-5], "gzip", limits=BodyLimits(10**7, 10**7, 60))

"""Real decoder processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from services.aggregator.decoding.columns import Decoded
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.decoding.pool import REQUEST_RECORDS, Decoders, requests
from services.aggregator.decoding.record_batch import RawValues, RecordBatch
from services.aggregator.errors import DecoderDiedError
from tests.living import left_after
from tests.property.world import T0_MS, event
from tests.record_batches import CODECS, batch_of, with_header
from tests.unit.services.aggregator.decoding.test_columns import VALUES, decode
from tests.unit.services.aggregator.decoding.test_messages import equal

BATCH = batch_of(VALUES, codec=4)


@pytest.fixture
def labels() -> Labels:
    # The worker has numbered others first, as recovery does.
    labels = Labels()
    labels.series.number(Series("usage", "elsewhere", "p", "m"))
    labels.tenants.number("another")
    return labels


@pytest.fixture
def decoders(labels: Labels) -> Iterator[Decoders]:
    running = Decoders(2, labels)
    running.start()
    yield running
    running.close()


def pids(decoders: Decoders) -> list[int]:
    return [process.pid for process in decoders.running]


async def decoded(decoders: Decoders, batches: Sequence[RecordBatch]) -> Decoded:
    ahead = decoders.submit(batches)
    assert ahead is not None

    async def wait() -> Decoded:
        return await ahead

    return await asyncio.wait_for(wait(), 30)


def test_says_what_decoding_here_would_say(decoders: Decoders, labels: Labels) -> None:
    many: list[bytes | None] = [event(n % 5000, T0_MS, n) for n in range(REQUEST_RECORDS)]
    many += [b"{", *VALUES] * 40
    fetches = [
        [BATCH],
        [batch_of(many, codec=codec) for codec in CODECS],
        [batch_of([value]) for value in VALUES[::-1]],
        [batch_of([]), BATCH, batch_of(many[-50:]), batch_of([])],
    ]

    async def run() -> list[Decoded]:
        assert decoders.submit([]) is None, "nothing to decode is no request"
        return await asyncio.gather(*(decoded(decoders, fetch) for fetch in fetches * 3))

    for fetch, got in zip(fetches * 3, asyncio.run(run()), strict=True):
        values = RawValues(fetch)
        assert got.count == len(values)
        equal(got, decode(values, labels))


def test_a_killed_process_fails_what_waits_and_what_comes(decoders: Decoders) -> None:
    async def run() -> None:
        await decoded(decoders, [BATCH])
        for pid in pids(decoders):
            os.kill(pid, signal.SIGSTOP)
        waiting = [decoders.submit([BATCH]) for _ in range(4)]
        for pid in pids(decoders):
            os.kill(pid, signal.SIGKILL)
        for ahead in waiting:
            assert ahead is not None
            with pytest.raises(DecoderDiedError, match="-9"):
                await ahead
        with pytest.raises(DecoderDiedError):
            await decoded(decoders, [BATCH])

    asyncio.run(run())


def test_a_batch_that_cannot_be_read_fails_and_is_not_left_out(decoders: Decoders) -> None:
    wrong = RecordBatch.of(with_header(batch_of([b"v", b"v"]).raw, count=3))

    async def run() -> None:
        with pytest.raises(DecoderDiedError):
            await decoded(decoders, [wrong])

    asyncio.run(run())


def test_ignores_the_signals_that_end_its_worker(decoders: Decoders) -> None:
    async def run() -> None:
        await decoded(decoders, [BATCH])
        for pid in pids(decoders):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        await decoded(decoders, [BATCH])
        await decoded(decoders, [BATCH])

    asyncio.run(run())
    running = pids(decoders)
    decoders.close()
    assert left_after(running, 5) == []


def test_with_no_process_nothing_is_decoded_ahead(labels: Labels) -> None:
    assert Decoders(0, labels).submit([BATCH]) is None


def counted(*records: int) -> list[RecordBatch]:
    return [batch_of([b""] * count) for count in records]


@pytest.mark.parametrize(
    ("records", "together"),
    [
        ([], []),
        ([5], [1]),
        ([REQUEST_RECORDS], [1]),
        ([2 * REQUEST_RECORDS, 1], [1, 1]),
        ([REQUEST_RECORDS - 1, 1, 1], [2, 1]),
        ([1, REQUEST_RECORDS - 2, 7, 7, REQUEST_RECORDS], [3, 2]),
        ([0, 0], [2]),
    ],
)
def test_batches_go_together_until_they_are_many(records: list[int], together: list[int]) -> None:
    batches = counted(*records)
    found = list(requests(batches))
    assert [len(some) for some in found] == together
    assert [batch for some in found for batch in some] == batches

"""Real decoder processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from services.aggregator.core.decoding import Decoded, decode
from services.aggregator.core.labels import Labels, Series
from services.aggregator.decoders import REQUEST_VALUES_MAX, Decoders
from services.aggregator.errors import DecoderDiedError
from tests.living import left_after
from tests.property.world import T0_MS, event
from tests.unit.services.aggregator.core.test_decoding import VALUES


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


async def decoded(decoders: Decoders, values: list[bytes | None]) -> Decoded:
    ahead = decoders.submit(values)
    assert ahead is not None

    async def wait() -> Decoded:
        return await ahead

    return await asyncio.wait_for(wait(), 30)


def test_says_what_decoding_here_would_say(decoders: Decoders, labels: Labels) -> None:
    many: list[bytes | None] = [event(n % 5000, T0_MS, n) for n in range(REQUEST_VALUES_MAX)]
    many += [b"{", *VALUES] * 40
    batches: list[list[bytes | None]] = [list(VALUES), many, [*VALUES[::-1]]]

    async def run() -> list[Decoded]:
        return await asyncio.gather(*(decoded(decoders, batch) for batch in batches * 3))

    for batch, got in zip(batches * 3, asyncio.run(run()), strict=True):
        expected = decode(batch, labels)
        assert got.identities == expected.identities
        assert got.failures == expected.failures
        for name in ("places", "time_us", "tenants", "series", "measures", "adjusting"):
            assert np.array_equal(getattr(got, name), getattr(expected, name)), name


def test_a_killed_process_fails_what_waits_and_what_comes(decoders: Decoders) -> None:
    async def run() -> None:
        await decoded(decoders, list(VALUES))
        for pid in pids(decoders):
            os.kill(pid, signal.SIGSTOP)
        waiting = [decoders.submit(VALUES) for _ in range(4)]
        for pid in pids(decoders):
            os.kill(pid, signal.SIGKILL)
        for ahead in waiting:
            assert ahead is not None
            with pytest.raises(DecoderDiedError, match="-9"):
                await ahead
        with pytest.raises(DecoderDiedError):
            await decoded(decoders, list(VALUES))

    asyncio.run(run())


def test_ignores_the_signals_that_end_its_worker(decoders: Decoders) -> None:
    async def run() -> None:
        await decoded(decoders, list(VALUES))
        for pid in pids(decoders):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        await decoded(decoders, list(VALUES))
        await decoded(decoders, list(VALUES))

    asyncio.run(run())
    running = pids(decoders)
    decoders.close()
    assert left_after(running, 5) == []


def test_with_no_process_nothing_is_decoded_ahead(labels: Labels) -> None:
    assert Decoders(0, labels).submit(VALUES) is None

"""A source may fail, raise or hang; the sampler answers in time, with one thread."""

from __future__ import annotations

import asyncio
import threading
import time

from services.exporter.sampler import Sampler
from services.platform.errors import UnavailableError


def test_the_value_and_how_long_it_took() -> None:
    def read() -> int:
        time.sleep(0.02)
        return 7

    sample = asyncio.run(Sampler("s", read, 5).sample())
    assert (sample.value, sample.error) == (7, None)
    assert 0.02 <= sample.duration_seconds < 5


def test_a_known_error_is_its_text() -> None:
    def read() -> int:
        raise UnavailableError("ClickHouse does not answer: refused")

    sample = asyncio.run(Sampler("s", read, 5).sample())
    assert (sample.value, sample.error) == (None, "ClickHouse does not answer: refused")


def test_a_fault_of_ours_is_an_error_too() -> None:
    def read() -> int:
        raise KeyError("column")

    assert asyncio.run(Sampler("s", read, 5).sample()).error == "KeyError('column')"


def test_those_that_come_at_once_share_one_read() -> None:
    reads = []

    def read() -> int:
        reads.append(1)
        time.sleep(0.05)
        return len(reads)

    async def scenario() -> list[int | None]:
        sampler = Sampler("s", read, 5)
        values = [
            sample.value for sample in await asyncio.gather(*(sampler.sample() for _ in range(20)))
        ]
        return [*values, (await sampler.sample()).value]

    assert asyncio.run(scenario()) == [1] * 20 + [2]


def test_a_hung_read_costs_the_timeout_and_one_thread_then_recovers() -> None:
    release = threading.Event()

    def read() -> str:
        release.wait(30)
        return "back"

    async def scenario() -> None:
        sampler = Sampler("hung", read, 0.05)
        for _ in range(5):
            begin = time.perf_counter()
            sample = await sampler.sample()
            assert sample.error == "no answer within 0.05 s"
            assert time.perf_counter() - begin < 1
        assert [thread.name for thread in threading.enumerate()].count("read-hung") == 1
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "read-hung")
        release.set()
        sampler = Sampler("s", read, 5)
        assert (await sampler.sample()).value == "back"

    asyncio.run(scenario())


def test_one_that_gives_up_does_not_take_the_read_from_the_others() -> None:
    def read() -> int:
        time.sleep(0.1)
        return 7

    async def scenario() -> int | None:
        sampler = Sampler("s", read, 5)
        leaving = asyncio.create_task(sampler.sample())
        staying = asyncio.create_task(sampler.sample())
        await asyncio.sleep(0.01)
        leaving.cancel()
        return (await staying).value

    assert asyncio.run(scenario()) == 7

"""A source may fail, raise or hang; the sampler answers in time, with one thread."""

from __future__ import annotations

import asyncio
import threading
import time

from services.exporter.sampler import KEPT_SECONDS_MAX, KeptSampler, Sampler, Turns, timed
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


class Source:
    """A source whose readings count up; it can be made to fail, to hang, and to be slow."""

    def __init__(self) -> None:
        self.reads = 0
        self.fails = False
        self.release = threading.Event()
        self.release.set()

    def __call__(self) -> int:
        self.release.wait(30)
        self.reads += 1
        if self.fails:
            raise UnavailableError("gone")
        return self.reads


class Hand:
    """A clock set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def kept(source: Source, clock: Hand, refresh_seconds: float = 15) -> KeptSampler[int]:
    sampler = Sampler("kept", timed(source), 5, Turns())
    return KeptSampler(sampler, refresh_seconds, 0.1, clock)


async def settled(sampler: KeptSampler[int]) -> None:
    """Wait for a renewal that is under way."""
    assert sampler._renewal is not None
    await sampler._renewal


def test_a_kept_reading_is_shown_until_it_is_time_and_nobody_waits_for_the_next() -> None:
    async def scenario() -> None:
        source, clock = Source(), Hand()
        sampler = kept(source, clock)
        assert (await sampler.sample()).value == 1
        clock.now += 14
        assert (await sampler.sample()).value == 1
        assert source.reads == 1
        clock.now += 2
        source.release.clear()
        begin = time.perf_counter()
        assert (await sampler.sample()).value == 1
        assert time.perf_counter() - begin < 0.05
        source.release.set()
        await settled(sampler)
        assert (await sampler.sample()).value == 2

    asyncio.run(scenario())


def test_a_reading_that_takes_long_is_made_less_often() -> None:
    async def scenario() -> None:
        source, clock = Source(), Hand()
        sampler: KeptSampler[int] = KeptSampler(
            Sampler("kept", lambda: (source(), 30.0), 5, Turns()), 15, 5, clock
        )
        await sampler.sample()
        clock.now += 119
        await sampler.sample()
        assert source.reads == 1
        clock.now += 2
        await sampler.sample()
        await settled(sampler)
        assert source.reads == 2

    asyncio.run(scenario())


def test_a_failed_reading_is_not_shown_nor_the_one_before_and_is_tried_again_at_once() -> None:
    async def scenario() -> None:
        source, clock = Source(), Hand()
        sampler = kept(source, clock)
        await sampler.sample()
        clock.now += 16
        source.fails = True
        await sampler.sample()
        await settled(sampler)
        failed = await sampler.sample()
        assert (failed.value, failed.error) == (None, "gone")
        source.fails = False
        await settled(sampler)
        await sampler.sample()
        await settled(sampler)
        assert (await sampler.sample()).error is None

    asyncio.run(scenario())


def test_the_first_reading_is_waited_for_once() -> None:
    async def scenario() -> None:
        source, clock = Source(), Hand()
        sampler = kept(source, clock)
        source.release.clear()
        begin = time.perf_counter()
        assert (await sampler.sample()).error == "no reading within 0.1 s"
        assert time.perf_counter() - begin >= 0.1
        begin = time.perf_counter()
        assert (await sampler.sample()).value is None
        assert time.perf_counter() - begin < 0.05
        source.release.set()
        await settled(sampler)
        assert (await sampler.sample()).value == 1

    asyncio.run(scenario())


def test_a_reading_from_long_ago_is_not_shown() -> None:
    async def scenario() -> None:
        source, clock = Source(), Hand()
        sampler = kept(source, clock)
        await sampler.sample()
        clock.now += KEPT_SECONDS_MAX + 1
        assert (await sampler.sample()).value == 2
        clock.now += KEPT_SECONDS_MAX + 1
        source.release.clear()
        assert (await sampler.sample()).value is None
        source.release.set()
        await settled(sampler)

    asyncio.run(scenario())


def test_without_rest_every_sample_is_read_and_waited_for() -> None:
    async def scenario() -> list[int | None]:
        sampler = kept(Source(), Hand(), refresh_seconds=0)
        return [(await sampler.sample()).value for _ in range(3)]

    assert asyncio.run(scenario()) == [1, 2, 3]


def test_turns_are_taken_one_at_a_time_in_order() -> None:
    turns, running, done = Turns(), threading.Semaphore(1), []
    finished = threading.Event()

    def work(number: int) -> None:
        assert running.acquire(blocking=False), "two at once"
        time.sleep(0.005)
        done.append(number)
        running.release()
        if number == 9:
            finished.set()

    for number in range(10):
        turns(str(number), lambda number=number: work(number))  # type: ignore[misc]
    assert finished.wait(5)
    assert done == list(range(10))

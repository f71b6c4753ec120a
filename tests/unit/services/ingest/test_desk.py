"""Small bodies are read at once, large ones in a thread, and those of one key one at a time."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from services.ingest.desk import Desk
from services.ingest.errors import RateLimitError

SMALL, LARGE = b"x", b"x" * 100_000


async def read(desk: Desk, key_id: str, body: bytes, took: list[str], seconds: float = 0.0) -> str:
    desk.enter(key_id)

    def reading() -> str:
        time.sleep(seconds)
        took.append(key_id)
        return threading.current_thread().name

    try:
        return await desk.read(key_id, body, reading)
    finally:
        desk.leave(key_id)


def test_large_bodies_and_many_elements_leave_the_event_loop_alone() -> None:
    async def all_of_them() -> list[str]:
        desk = Desk(10)
        return [await read(desk, "a", body, []) for body in (SMALL, LARGE, b"1," * 2000)]

    names = asyncio.run(all_of_them())
    assert names[0] == threading.current_thread().name
    assert all(name.startswith("read") for name in names[1:])


def test_one_key_waits_for_itself_and_others_do_not() -> None:
    async def crowd() -> list[str]:
        desk, took = Desk(10), list[str]()
        slow = [asyncio.create_task(read(desk, "bad", LARGE, took, 0.05)) for _ in range(3)]
        await asyncio.sleep(0)
        after = asyncio.create_task(read(desk, "bad", SMALL, took))
        await asyncio.sleep(0)
        await read(desk, "good", SMALL, took)
        assert took == ["good"]
        await read(desk, "good", LARGE, took)
        # It stood in line behind the one large body that the other key had there, not all.
        assert took == ["good", "bad", "good"]
        await asyncio.gather(*slow, after)
        return took

    assert asyncio.run(crowd()) == ["good", "bad", "good", "bad", "bad", "bad"]


def test_a_key_has_so_many_requests_at_a_time() -> None:
    desk = Desk(2)
    desk.enter("a")
    desk.enter("a")
    with pytest.raises(RateLimitError) as caught:
        desk.enter("a")
    assert caught.value.headers["Retry-After"] == "1"
    desk.enter("b")
    desk.leave("a")
    desk.enter("a")


def test_what_reading_raises_is_raised() -> None:
    async def failing() -> None:
        desk = Desk(1)
        desk.enter("a")

        def reading() -> None:
            raise KeyError("what nobody foresaw")

        with pytest.raises(KeyError):
            await desk.read("a", LARGE, reading)
        desk.leave("a")

    asyncio.run(failing())

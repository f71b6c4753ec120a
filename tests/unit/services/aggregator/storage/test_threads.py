"""Calls in threads of their own: one after another, and what became of them comes out."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from services.aggregator.storage.id_threads import IdThread
from services.aggregator.storage.sink_thread import SinkThread
from services.platform.errors import ConfigurationError, DatabaseUnavailableError


class Sink:
    """A sink that notes when it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def sink_thread(sink: Sink) -> SinkThread:
    return SinkThread(sink, "unit-test")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["sink", "ids"])
def test_calls_follow_one_another_in_one_thread(kind: str) -> None:
    """Neither a connection nor a store of ids is for two at a time."""
    done: list[tuple[str, int]] = []

    def note(name: str) -> str:
        # The later a call was made, the sooner it would end if they ran side by side.
        time.sleep(0.01 if name == "first" else 0)
        done.append((name, threading.get_ident()))
        return name

    async def run() -> list[str]:
        if kind == "ids":
            ids = IdThread("unit-test")
            return list(await asyncio.gather(*(ids.call(lambda n=n: note(n)) for n in names)))  # type: ignore[misc]
        sink = sink_thread(Sink())
        return list(await asyncio.gather(*(sink.call(lambda _, n=n: note(n)) for n in names)))  # type: ignore[misc]

    names = ["first", "second", "third"]
    assert asyncio.run(run()) == names
    assert [name for name, _ in done] == names
    assert len({thread for _, thread in done}) == 1
    assert done[0][1] != threading.get_ident(), "the event loop goes on meanwhile"


def test_a_sink_whose_database_does_not_answer_is_away_until_it_does() -> None:
    def fail(error: Exception) -> Any:
        raise error

    async def run() -> None:
        sink = Sink()
        calls = sink_thread(sink)
        assert not calls.away
        with pytest.raises(ConfigurationError):
            await calls.call(lambda _: fail(ConfigurationError("no such table")))
        assert (calls.away, sink.closed) == (False, 0), "that is an answer"
        with pytest.raises(DatabaseUnavailableError):
            await calls.call(lambda _: fail(DatabaseUnavailableError("refused")))
        assert (calls.away, sink.closed) == (True, 1), "its connection is not trusted again"
        assert await calls.call(lambda given: id(given) == id(sink))
        assert (calls.away, sink.closed) == (False, 1)

    asyncio.run(run())


def test_a_thread_that_is_closed_waits_for_nothing_and_begins_nothing() -> None:
    async def run() -> None:
        calls, may_end, begun = sink_thread(Sink()), threading.Event(), threading.Event()
        try:

            def hold(_: object) -> None:
                begun.set()
                may_end.wait(10)

            holding = asyncio.ensure_future(calls.call(hold))
            waiting = asyncio.ensure_future(calls.call(lambda _: None))
            await asyncio.to_thread(begun.wait, 10)
            calls.close()
            assert not holding.done(), "whoever closes it does not wait"
            with pytest.raises(asyncio.CancelledError):
                await waiting
        finally:
            may_end.set()
        await holding

    asyncio.run(run())

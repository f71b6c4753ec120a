"""A sink with a thread of its own, so that waiting for ClickHouse never holds the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.platform.errors import DatabaseUnavailableError

T = TypeVar("T")


class SinkCalls(Protocol):
    """Something that runs calls on a sink, one after another."""

    @property
    def away(self) -> bool:
        """Whether ClickHouse did not answer the last call."""

    async def call(self, work: Callable[[ClickHouseSink], T]) -> T:
        """Run ``work`` with the sink; what it raises comes out here."""


class SinkThread:
    """Runs a sink's calls one after another in one thread."""

    def __init__(self, sink: ClickHouseSink, name: str) -> None:
        self._sink = sink
        self.away = False
        self._executor = ThreadPoolExecutor(1, name)

    async def call(self, work: Callable[[ClickHouseSink], T]) -> T:
        """Run ``work`` with the sink in the thread."""

        def guarded() -> T:
            try:
                done = work(self._sink)
            except DatabaseUnavailableError:
                # A connection that failed once is not trusted again.
                self._sink.close()
                self.away = True
                raise
            self.away = False
            return done

        return await asyncio.get_running_loop().run_in_executor(self._executor, guarded)

    def close(self) -> None:
        """Let the thread end after the call it is in; wait for nothing."""
        self._executor.shutdown(wait=False, cancel_futures=True)

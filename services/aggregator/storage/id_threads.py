"""The threads in which ids are written to disk and tidied up there, beside the event loop.

The thread that merges has the priority of all others: while it holds Python's own lock, the event
loop waits for it, however long the system lets a thread of low priority wait for a processor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class IdCalls(Protocol):
    """Something that runs calls on stores of ids, one after another."""

    async def call(self, work: Callable[[], T]) -> T:
        """Run ``work``; what it raises comes out here."""


class IdThread:
    """Runs calls one after another in one thread."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, name)

    async def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

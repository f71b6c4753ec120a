"""Where bodies are read: small ones at once, large ones one after another beside the event loop.

One thread, because reading is Python's work and two would get no more done; it gives the event
loop its turn every millisecond (`server.py`), and no single call of C code within it takes long,
because bodies are bounded (`structure.py`, `scanning.py`). In a process of its own the key's use
and each record would have to be copied, for each batch of a busy gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from services.ingest.errors import RateLimitError

T = TypeVar("T")
#: What is larger, or may hold more elements, is read in the thread: some 50 ms at the very most.
_AT_ONCE_BYTES: Final = 64 * 1024
_AT_ONCE_ELEMENTS: Final = 1000


@dataclass(slots=True)
class _KeyTurns:
    """The requests of one key: those that are there, and whose turn it is to be read."""

    requests: int = 0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Desk:
    """Reads the bodies of one process."""

    def __init__(self, key_requests_max: int) -> None:
        self._key_requests_max = key_requests_max
        self._keys: dict[str, _KeyTurns] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read")

    def enter(self, key_id: str) -> None:
        """Let a request of a key in; raises `RateLimitError` where it has too many already.

        Each that is let in must `leave`, whatever happens.
        """
        turns = self._keys.get(key_id)
        if turns is None:
            turns = self._keys[key_id] = _KeyTurns()
        elif turns.requests >= self._key_requests_max:
            raise RateLimitError("requests at a time", 1)
        turns.requests += 1

    def leave(self, key_id: str) -> None:
        """Take note that a request of a key is read."""
        turns = self._keys[key_id]
        turns.requests -= 1
        if not turns.requests:
            del self._keys[key_id]

    async def read(self, key_id: str, body: bytes, reading: Callable[[], T]) -> T:
        """Read a body, and return what ``reading`` returns or raise what it raises.

        Bodies of one key are read one at a time: what they note of the key is taken back by
        request, and a key with many large bodies waits for itself and not others for it.
        """
        lock = self._keys[key_id].reading
        at_once = _is_small(body)
        if at_once and not lock.locked():
            return reading()
        async with lock:
            if at_once:
                return reading()
            return await asyncio.get_running_loop().run_in_executor(self._pool, reading)


def _is_small(body: bytes) -> bool:
    return len(body) <= _AT_ONCE_BYTES and (
        body.count(b",") + body.count(b"\n") <= _AT_ONCE_ELEMENTS
    )

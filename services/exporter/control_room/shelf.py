"""Answers to questions of viewers: kept for a while, shared, and read one after the other."""

from __future__ import annotations

import asyncio
import gzip
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from services.exporter.sampler import Sampler, Turns

Q = TypeVar("Q", bound=Hashable)

#: So many answers are kept; those asked for longest ago go first.
ANSWERS_MAX: Final = 64
#: So many questions may wait for the one that is read; more are told to come again.
WAITING_MAX: Final = 8
#: And so many are read in a minute at most: viewers must not eat up what scrapes may ask.
READINGS_PER_MINUTE: Final = 60
#: What took long to read is kept long: reading takes at most this part of time.
READING_SHARE_MAX: Final = 0.2
FAILURE_KEEP_SECONDS: Final = 1.5


class Busy(Exception):
    """More is asked than may be read; `again_seconds` says when to come again."""

    def __init__(self, again_seconds: float) -> None:
        super().__init__("too many different questions at once")
        self.again_seconds = max(1, math.ceil(again_seconds))


@dataclass(frozen=True, slots=True)
class Shelved:
    """An answer as JSON, plain and packed, or why there is none."""

    body: bytes
    packed: bytes
    error: str | None
    good_until: float


class Shelf(Generic[Q]):
    """Answers by question. Not thread-safe: for one event loop.

    ``read`` is called by one thread at a time. Its value is made to JSON there, not in the loop.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[Q], Any],
        timeout_seconds: float,
        turns: Turns,
        keep_seconds: Callable[[Q], float],
    ) -> None:
        self._name = name
        self._read = read
        self._timeout_seconds = timeout_seconds
        self._turns = turns
        self._keep_seconds = keep_seconds
        self._kept: OrderedDict[Q, Shelved] = OrderedDict()
        self._under_way: dict[Q, asyncio.Task[Shelved]] = {}
        self._begun: deque[float] = deque()

    async def answer(self, question: Q) -> Shelved:
        """Give the answer of a moment ago, or read it. Raises `Busy`."""
        kept = self._kept.get(question)
        if kept is not None and time.monotonic() < kept.good_until:
            self._kept.move_to_end(question)
            return kept
        task = self._under_way.get(question)
        if task is None:
            self._admit()
            task = asyncio.create_task(self._make(question))
            self._under_way[question] = task
            task.add_done_callback(lambda _: self._under_way.pop(question, None))
        # Shielded: a viewer that goes away must not take the answer from the others.
        return await asyncio.shield(task)

    def _admit(self) -> None:
        now = time.monotonic()
        while self._begun and now - self._begun[0] > 60:
            self._begun.popleft()
        if len(self._under_way) > WAITING_MAX:
            raise Busy(2)
        if len(self._begun) >= READINGS_PER_MINUTE:
            raise Busy(60 - (now - self._begun[0]))
        self._begun.append(now)

    async def _make(self, question: Q) -> Shelved:
        def read() -> tuple[bytes, bytes]:
            body = msgspec.json.encode(self._read(question))
            return body, gzip.compress(body, compresslevel=1)

        sampler = Sampler(self._name, read, self._timeout_seconds, self._turns)
        sample = await sampler.sample()
        body, packed = sample.value or (b"", b"")
        keep = max(self._keep_seconds(question), sample.duration_seconds / READING_SHARE_MAX)
        until = time.monotonic() + (FAILURE_KEEP_SECONDS if sample.error else keep)
        made = Shelved(body, packed, sample.error, until)
        self._kept[question] = made
        self._kept.move_to_end(question)
        while len(self._kept) > ANSWERS_MAX:
            self._kept.popitem(last=False)
        return made

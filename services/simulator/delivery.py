"""Delivers a stream of emissions: into the ledger, out by a sender, and its answers back.

The order for each batch: 1. its new readings go into the ledger, 2. it is sent, 3. the answers go
into the ledger, 4. what was not finally answered is sent again, with the same ids, until it is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from typing import Final, Protocol

from services.simulator.fleet import Emission
from services.simulator.ledger import Answer, Ledger, Outcome, Run

BATCH_EVENTS: Final = 100
#: An emission waits this long at most for others to fill its batch.
LINGER_MS: Final = 100
REQUESTS_IN_FLIGHT_MAX: Final = 8
CHUNK_EVENTS: Final = 10_000
BACKOFF_SECONDS: Final = (0.1, 5.0)
#: Once stopped, a batch is given up after so many more attempts; the run then stays unfinished.
ATTEMPTS_AFTER_STOP_MAX: Final = 3


@dataclass(slots=True)
class Tally:
    """What became of the sends so far. `retried` counts those to be sent again."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    retried: int = 0

    def add(self, answers: Iterable[Answer]) -> None:
        """Count answers in."""
        for answer in answers:
            self.sent += 1
            if answer.outcome is Outcome.ACKNOWLEDGED:
                self.acknowledged += 1
            elif answer.outcome is Outcome.REFUSED:
                self.refused += 1
            else:
                self.retried += 1


class StraightSender(Protocol):
    """Puts records onto the topic itself; see `TopicSender`."""

    def send(self, emissions: Sequence[Emission]) -> list[Answer]:
        """Send them once and wait; an answer for each."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Answers to one request. `retry` are the emissions to be sent again, in `wait_seconds`."""

    answers: list[Answer]
    retry: list[Emission] = field(default_factory=list)
    wait_seconds: float | None = None


class PostingSender(Protocol):
    """Posts batches over HTTP; see `HttpSender`."""

    async def post(self, emissions: Sequence[Emission]) -> Posted:
        """Send them once, in one request; all are of one tenant."""


@dataclass(slots=True)
class Journal:
    """Keeps the ledger (if there is one) and the tally; one run's."""

    ledger: Ledger | None
    run: Run
    progress: Callable[[Tally], None] = lambda tally: None
    tally: Tally = field(default_factory=Tally)
    _recorded: set[int] = field(default_factory=set)
    _recorded_below: int = 0

    def record(self, emissions: Iterable[Emission]) -> None:
        """Write the readings that were not written before; to be called before they are sent."""
        if self.ledger is None:
            return
        new = [emission for emission in emissions if self._first(emission.number)]
        self.ledger.record(self.run, ((emission.number, emission.reading) for emission in new))

    def answered(self, answers: Sequence[Answer]) -> None:
        """Write answers."""
        if self.ledger is not None:
            self.ledger.answered(self.run, answers)
        self.tally.add(answers)
        self.progress(self.tally)

    def finish(self) -> None:
        """Note that nothing was left unanswered."""
        if self.ledger is not None:
            self.ledger.finish(self.run)

    def _first(self, number: int) -> bool:
        """Whether the number was not seen before.

        Numbers come almost in order, so all below a mark and a few above it are remembered.
        """
        if number < self._recorded_below or number in self._recorded:
            return False
        self._recorded.add(number)
        while self._recorded_below in self._recorded:
            self._recorded.remove(self._recorded_below)
            self._recorded_below += 1
        return True


def now_ms() -> int:
    """Milliseconds since 1970 on this machine's clock."""
    return time.time_ns() // 1_000_000


def deliver_straight(
    stream: Iterator[Emission],
    sender: StraightSender,
    journal: Journal,
    *,
    paced: bool,
    stop: Event,
) -> None:
    """Deliver onto the topic; paced by `at_ms`, or as fast as it goes. ``stop`` ends it early."""
    for chunk in _chunks(stream, paced=paced):
        if stop.is_set():
            break
        journal.record(chunk)
        waiting: list[Emission] = chunk
        while waiting:
            answers = sender.send(waiting)
            journal.answered(answers)
            pairs = zip(waiting, answers, strict=True)
            waiting = [emission for emission, answer in pairs if not _final(answer)]
    journal.finish()


def _final(answer: Answer) -> bool:
    return answer.outcome in (Outcome.ACKNOWLEDGED, Outcome.REFUSED)


def _chunks(stream: Iterator[Emission], *, paced: bool) -> Iterator[list[Emission]]:
    if not paced:
        while chunk := list(islice(stream, CHUNK_EVENTS)):
            yield chunk
        return
    chunk = []
    for emission in stream:
        # Whatever waits goes out before the sender sleeps until the next is due.
        wait_ms = emission.at_ms - now_ms()
        if chunk and (wait_ms > 0 or len(chunk) >= CHUNK_EVENTS):
            yield chunk
            chunk = []
        if (wait_ms := emission.at_ms - now_ms()) > 0:
            time.sleep(max(wait_ms, LINGER_MS / 2) / 1000)
        chunk.append(emission)
    if chunk:
        yield chunk


class HttpDelivery:
    """Delivers through ingest: batches by tenant, several requests in flight."""

    def __init__(
        self, posting: PostingSender, straight: StraightSender | None, journal: Journal
    ) -> None:
        self._posting = posting
        self._straight = straight
        self._journal = journal
        self._slots = asyncio.Semaphore(REQUESTS_IN_FLIGHT_MAX)
        self._batches: dict[str, list[Emission]] = {}
        self._oldest_ms = 0
        self._gave_up = False

    async def run(self, stream: Iterator[Emission], *, paced: bool, stop: Event) -> None:
        """Deliver the whole stream, paced by `at_ms` or as fast as it goes; see module.

        The first error that no retry fixes ends it. After ``stop`` nothing new is sent, and what
        is in flight is resent a few times more.
        """
        async with asyncio.TaskGroup() as tasks:
            for emission in stream:
                if stop.is_set():
                    break
                while paced and (wait_ms := emission.at_ms - now_ms()) > 0:
                    await self._flush_old(tasks, stop)
                    await asyncio.sleep(min(wait_ms, LINGER_MS) / 1000)
                await self._add(emission, tasks, stop)
            await self._flush(tasks, stop)
        if not self._gave_up:
            self._journal.finish()

    async def _add(self, emission: Emission, tasks: asyncio.TaskGroup, stop: Event) -> None:
        if emission.straight and self._straight is not None:
            await self._send_straight(emission, self._straight)
            return
        if not self._batches:
            self._oldest_ms = now_ms()
        batch = self._batches.setdefault(emission.reading.tenant, [])
        batch.append(emission)
        if len(batch) >= BATCH_EVENTS:
            del self._batches[emission.reading.tenant]
            await self._start(batch, tasks, stop)

    async def _send_straight(self, emission: Emission, sender: StraightSender) -> None:
        self._journal.record([emission])
        while True:
            answers = await asyncio.to_thread(sender.send, [emission])
            self._journal.answered(answers)
            if all(_final(answer) for answer in answers):
                return

    async def _flush_old(self, tasks: asyncio.TaskGroup, stop: Event) -> None:
        if self._batches and now_ms() - self._oldest_ms >= LINGER_MS:
            await self._flush(tasks, stop)

    async def _flush(self, tasks: asyncio.TaskGroup, stop: Event) -> None:
        batches, self._batches = self._batches, {}
        for batch in batches.values():
            await self._start(batch, tasks, stop)

    async def _start(self, batch: list[Emission], tasks: asyncio.TaskGroup, stop: Event) -> None:
        await self._slots.acquire()
        # Recorded here and not in the task: a resend's batch must not come before its event's.
        self._journal.record(batch)
        task = tasks.create_task(self._deliver(batch, stop))
        task.add_done_callback(lambda _: self._slots.release())

    async def _deliver(self, batch: list[Emission], stop: Event) -> None:
        attempt = after_stop = 0
        while batch:
            after_stop += stop.is_set()
            if after_stop > ATTEMPTS_AFTER_STOP_MAX:
                self._gave_up = True
                return
            posted = await self._posting.post(batch)
            self._journal.answered(posted.answers)
            batch = posted.retry
            if batch:
                await asyncio.sleep(_wait_seconds(attempt, posted.wait_seconds))
            attempt += 1


def _wait_seconds(attempt: int, asked_seconds: float | None) -> float:
    """Back off exponentially with full jitter; not before the server asked for."""
    least, most = BACKOFF_SECONDS
    wait_seconds = random.uniform(least, max(least, min(most, least * 2**attempt)))
    return max(wait_seconds, asked_seconds or 0.0)

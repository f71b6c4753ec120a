"""What all senders share: new events at a rate, and an inbox for what is sent again."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final

from tests.chaos.events import Event, Nature, event_of
from tests.chaos.ledger import ACKNOWLEDGED, UNKNOWN, EventName, Ledger

TICK_SECONDS: Final = 0.2
#: Of the acknowledged events so many are sent again of the sender's own accord.
RESEND_RATIO: Final = 0.12
#: At once, after a flush, after some, after minutes; seconds, and the odds.
RESEND_AFTER: Final = ((0.0, 0.1), (1.0, 4.0), (10.0, 30.0), (60.0, 150.0))
RESEND_ODDS: Final = (3, 3, 2, 2)
#: How many of the last acknowledged events are sent again after a fault.
BURST_EVENTS: Final = 40
#: What is not acknowledged by then stays unknown.
LAST_ANSWERS_SECONDS: Final = 25.0


def now_ms() -> int:
    """Milliseconds since 1970 on this machine's clock."""
    return time.time_ns() // 1_000_000


class Sender(ABC):
    """One sender with a thread of its own. Events carry its number."""

    def __init__(self, number: int, seed: int, rate: float, ledger: Ledger) -> None:
        self.number = number
        self.seed = seed
        self.ledger = ledger
        self.draw = random.Random(f"{seed}/sender/{number}")
        self.acknowledged: Callable[[EventName], None] = lambda name: None
        self.told: Callable[[str], None] = lambda text: None
        self.failure: Exception | None = None
        self._rate = rate
        self._inbox: deque[EventName] = deque()
        self._stopping = threading.Event()
        self._paused = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sender-{number}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def pause(self, paused: bool) -> None:
        """Send nothing for a while, or go on."""
        if paused:
            self._paused.set()
        else:
            self._paused.clear()

    def stop(self) -> None:
        """Send nothing new; what has no answer is sent again for a while. Raises its failure."""
        self._stopping.set()
        self._thread.join(2 * LAST_ANSWERS_SECONDS)
        if self.failure is not None:
            raise self.failure

    def submit(self, name: EventName) -> None:
        """Have an event sent again, with what comes next."""
        self._inbox.append(name)

    def event(self, name: EventName) -> Event:
        """What an event says."""
        return event_of(self.seed, *name)

    def note(self, name: EventName, fate: int) -> None:
        """Note an answer."""
        self.ledger.note(name, fate)
        if fate == ACKNOWLEDGED:
            self.acknowledged(name)

    def _run(self) -> None:
        try:
            self._send_until_stopped()
            self._send_the_rest()
        except Exception as error:  # told at the end: a sender that died must not go unnoticed
            self.failure = error
        finally:
            for name in self._inbox:
                self.ledger.note(name, UNKNOWN)
            self.close()

    def _send_until_stopped(self) -> None:
        started, sent = time.monotonic(), 0
        while not self._stopping.wait(TICK_SECONDS):
            due = int((time.monotonic() - started) * self._rate)
            if self._paused.is_set():
                sent = due
                continue
            # What could not be sent while it hung is not made up for: the load stays what it is.
            fresh = min(due - sent, int(2 * TICK_SECONDS * self._rate) + 1)
            sent = due
            names = [self._begin() for _ in range(fresh)]
            self.send(names + self._take_inbox())

    def _send_the_rest(self) -> None:
        deadline = time.monotonic() + LAST_ANSWERS_SECONDS
        while time.monotonic() < deadline:
            names = self._take_inbox()
            self.send(names)
            if not names and not self.in_flight():
                return
            time.sleep(TICK_SECONDS)

    def _begin(self) -> EventName:
        event = event_of(self.seed, self.number, self.ledger.next_number(self.number))
        refusable = event.nature is not Nature.METERED
        return self.ledger.begin(self.number, now_ms() - event.age_ms, refusable=refusable)

    def _take_inbox(self) -> list[EventName]:
        taken = [self._inbox.popleft() for _ in range(len(self._inbox))]
        # Poison goes once: it has no identity that a resend could be told by.
        return [name for name in taken if self.event(name).nature is not Nature.POISON]

    @abstractmethod
    def send(self, names: list[EventName]) -> None:
        """Send these, and see to answers that came. What is to be sent again is submitted."""

    @abstractmethod
    def in_flight(self) -> bool:
        """Whether answers are still to come."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; what has no answer is noted as unknown."""


class Resends:
    """Sends acknowledged events again, by any sender: at once, later, and after faults."""

    def __init__(self, seed: int, ledger: Ledger, senders: list[Sender]) -> None:
        self._draw = random.Random(f"{seed}/resends")
        self._ledger = ledger
        self._senders = senders
        self._due: list[tuple[float, int, EventName]] = []
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resends", daemon=True)

    def start(self) -> None:
        """Begin; every sender's acknowledgements are heard from now on."""
        for sender in self._senders:
            sender.acknowledged = self.acknowledged
        self._thread.start()

    def stop(self) -> None:
        """Send nothing again any more."""
        self._stopped.set()
        self._thread.join(10)

    def acknowledged(self, name: EventName) -> None:
        """Decide whether the event is sent again, and when."""
        with self._lock:
            if self._draw.random() >= RESEND_RATIO:
                return
            (after,) = self._draw.choices(RESEND_AFTER, RESEND_ODDS)
            due = time.monotonic() + self._draw.uniform(*after)
            heapq.heappush(self._due, (due, next(self._count), name))

    def burst(self) -> None:
        """Send some of the events acknowledged last again: as gateways do after an outage."""
        recent = self._ledger.recent()
        with self._lock:
            chosen = self._draw.sample(recent, min(BURST_EVENTS, len(recent)))
        for name in chosen:
            self._submit(name)

    def _run(self) -> None:
        while not self._stopped.wait(0.1):
            with self._lock:
                ready = []
                while self._due and self._due[0][0] <= time.monotonic():
                    ready.append(heapq.heappop(self._due)[2])
            for name in ready:
                self._submit(name)

    def _submit(self, name: EventName) -> None:
        with self._lock:
            sender = self._draw.choice(self._senders)
        sender.submit(name)

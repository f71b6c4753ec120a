"""Two threads: one puts what was recorded where it is safe, the other sends it until it is settled.

They are two because an ingest that hangs holds the sender for a whole timeout, and what is
recorded meanwhile belongs on disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wattoken.client.answers import Again, Answer, NoAnswer, Settled, Split, judge
from wattoken.client.counts import Tally
from wattoken.client.inbox import Inbox
from wattoken.client.outbox import Outbox
from wattoken.client.pace import Pace

#: How often a failure that only a person can end is said again.
SAID_AGAIN_SECONDS: Final = 600.0

log = logging.getLogger("wattoken.client")


class Post(Protocol):
    """Sends a batch once."""

    def post(self, lines: Sequence[bytes]) -> Answer | NoAnswer:
        """Send and wait for the answer; raises nothing."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is full, and how old its first event may get before it goes as it is."""

    events: int
    bytes: int
    age_seconds: float


class Delivery:
    """Runs both threads from `start` to `stop`; they are daemons, so they hold no process up."""

    def __init__(
        self, inbox: Inbox, outbox: Outbox, transport: Post, limits: BatchLimits, pace: Pace
    ) -> None:
        self.tally = Tally()
        self._inbox = inbox
        self._outbox = outbox
        self._transport = transport
        self._limits = limits
        self._pace = pace
        self._stopping = threading.Event()
        self._hurried = threading.Event()
        self._said_at = float("-inf")
        #: Set once what other processes left is known, and counted.
        self.adopted = threading.Event()
        #: Whether the last attempt failed.
        self.down = False
        #: Lines that the collector could not hand on before it was stopped.
        self.unplaced: list[bytes] = []
        self._threads = [
            threading.Thread(target=run, name=f"wattoken-{name}", daemon=True)
            for name, run in (("collect", self._collect), ("send", self._send))
        ]

    def start(self) -> None:
        """Start the threads, or those that could not be started the last time."""
        for thread in self._threads:
            if thread.ident is None:
                thread.start()

    def hurry(self) -> None:
        """Send now: cut short the wait for a batch, and one after a failure unless it was asked."""
        self._inbox.hurry()
        self._hurried.set()

    def stop(self, timeout_seconds: float) -> None:
        """End the threads; one that waits for an answer longer than this is left behind."""
        self._stopping.set()
        self._outbox.stop()
        self.hurry()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _collect(self) -> None:
        while not self._stopping.is_set():
            lines = self._inbox.take(self._limits.events, self._limits.age_seconds)
            if lines and not self._outbox.add(lines):
                self.unplaced = lines

    def _send(self) -> None:
        self._adopt()
        events_max = self._limits.events
        while not self._stopping.is_set():
            try:
                if in_doubt := self._outbox.drop_in_doubt(_now_ms()):
                    self.tally.add("dropped_in_doubt", in_doubt)
                    log.error("dropped events=%d that may have arrived a day ago", in_doubt)
                if lines := self._outbox.next_batch(events_max, self._limits.bytes):
                    events_max = self._attempt(lines, events_max)
            except Exception:  # the thread must live: without it nothing is sent any more
                log.exception("sending failed in a way that was not foreseen; going on")
                self._stopping.wait(1.0)

    def _adopt(self) -> None:
        try:
            if resumed := self._outbox.adopt_leftovers():
                self.tally.add("resumed", resumed)
                log.info("resuming events=%d that an ended process left in the spool", resumed)
        except OSError:
            log.exception("the spool's leftovers cannot be read; they stay where they are")
        finally:
            self.adopted.set()

    def _attempt(self, lines: Sequence[bytes], events_max: int) -> int:
        """Send once and act on the answer; return how many events the next attempt may have."""
        self._outbox.trying(lines, _now_ms())
        verdict = judge(self._transport.post(lines), len(lines), time.time())
        match verdict:
            case Settled():
                self._settle(lines, verdict)
                return min(self._limits.events, events_max * 2)
            case Split():
                self._outbox.not_tried()
                return max(1, len(lines) // 2)
            case Again():
                self._fail(verdict)
        return events_max

    def _settle(self, lines: Sequence[bytes], verdict: Settled) -> None:
        self._outbox.settle(lines)
        if rejected := len(verdict.rejected):
            self.tally.add("rejected", rejected)
            codes = Counter(code for code, _ in verdict.rejected.values())
            _, message = next(iter(verdict.rejected.values()))
            log.error("ingest rejected events=%d codes=%s first=%r", rejected, dict(codes), message)
        self.tally.add("delivered", len(lines) - rejected)
        self._pace.succeeded()
        if self.down:
            self.down, self._said_at = False, float("-inf")
            log.info("ingest takes events again")

    def _fail(self, verdict: Again) -> None:
        if not verdict.may_have_arrived:
            self._outbox.not_tried()
        self.tally.add("failed_attempts")
        self.down = True
        wait_seconds = self._pace.after_failure(verdict.wait_seconds)
        if time.monotonic() - self._said_at > SAID_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            level = logging.ERROR if verdict.needs_a_person else logging.WARNING
            log.log(
                level, "ingest does not take events: reason=%s; they are kept and sent again",
                verdict.reason,
            )  # fmt: skip
        if verdict.wait_seconds is not None:
            self._stopping.wait(wait_seconds)
            return
        self._hurried.wait(wait_seconds)
        if not self._stopping.is_set():
            self._hurried.clear()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

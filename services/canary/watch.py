"""The canary's life: a round, until it is visible, and the next, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Final, Protocol, TypeVar

from services.canary.books import ROUND_EVENTS, Metered
from services.canary.errors import AttemptError
from services.canary.events import body_of
from services.canary.metrics import CanaryMetrics
from services.canary.rounds import Rounds
from services.platform.log import get_logger

_log = get_logger(__name__)
T = TypeVar("T")

#: Between two readings while a round is on its way; after a while less often, for a reading is one
#: of all registers.
POLL_SECONDS: Final = 1.0
POLL_SLOWLY_AFTER_SECONDS: Final = 60.0
POLL_SLOWLY_SECONDS: Final = 10.0
#: Between attempts that fail: doubled each time up to the most.
PAUSE_SECONDS: Final = 1.0
PAUSE_SECONDS_MAX: Final = 30.0
#: Missing and doubled events, and tokens that differ.
_NOTHING_WRONG: Final = (0, 0, (0, 0))


class Sends(Protocol):
    """Where rounds are sent."""

    def send(self, body: bytes) -> None:
        """Send a round; raises `AttemptError` unless all of it is acknowledged."""


class Reads(Protocol):
    """Where the registers are read."""

    def read(self) -> Metered:
        """Read once; raises `AttemptError`."""


class Watch:
    """Sends and reads in the thread that calls `run`; gauges may be read from others.

    ``wait`` waits so many seconds, less if it is told to stop, and says whether it was.
    """

    def __init__(
        self,
        name: str,
        ingest: Sends,
        exporter: Reads,
        metrics: CanaryMetrics,
        *,
        round_seconds: float,
        missing_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._name = name
        self._ingest = ingest
        self._exporter = exporter
        self._metrics = metrics
        self._round_seconds = round_seconds
        self._missing_seconds = missing_seconds
        self._monotonic = monotonic
        self._now = now
        self._stop = Event()
        self.wait: Callable[[float], bool] = self._stop.wait
        self._said = _NOTHING_WRONG
        #: None until the registers were read for the first time.
        self.rounds: Rounds | None = None
        metrics.unseen_seconds.set_function(self._unseen_seconds)
        metrics.unacknowledged_seconds.set_function(self._unacknowledged_seconds)

    def stop(self) -> None:
        """Have `run` return, at the end of the attempt that is under way."""
        self._stop.set()

    def unready(self) -> str | None:
        """Say why it watches nothing yet, or None."""
        return None if self.rounds is not None else "the registers were not read yet"

    def run(self) -> None:
        """Send rounds until told to stop."""
        metered = self._until_done(self._exporter.read)
        if metered is None:
            return
        self.rounds = rounds = Rounds(metered, self._missing_seconds)
        _log.info("canary starts", events=metered.events)
        # What is wrong in the registers is no less so for a restart.
        self._say(rounds, metered)
        while not self._stop.is_set():
            began_at = self._monotonic()
            self._round(rounds)
            if self.wait(max(0.0, began_at + self._round_seconds - self._monotonic())):
                return

    def _round(self, rounds: Rounds) -> None:
        """Send a round, and read until it is visible or it is told to stop."""
        one = rounds.begin(self._monotonic())
        body = body_of(one, self._name, self._now())
        self._metrics.sent.inc(ROUND_EVENTS)
        # Unknown outcomes too: the same bytes again, until all of them are acknowledged.
        if not self._until_done(lambda: self._send(body)):
            return
        rounds.acknowledge(self._monotonic())
        self._metrics.acknowledged.inc(ROUND_EVENTS)
        while not self.wait(self._poll_seconds()):
            metered = self._until_done(self._exporter.read)
            if metered is None:
                return
            age = self._hold(rounds, metered)
            if age is not None:
                return

    def _send(self, body: bytes) -> bool:
        self._ingest.send(body)
        return True

    def _hold(self, rounds: Rounds, metered: Metered) -> float | None:
        """Hold a reading against what was sent; say when it shows all of it."""
        age = rounds.read(metered, self._monotonic())
        self._say(rounds, metered)
        if age is not None:
            self._metrics.visible.inc(ROUND_EVENTS)
            for _ in range(ROUND_EVENTS):
                self._metrics.freshness.observe(age)
        return age

    def _say(self, rounds: Rounds, metered: Metered) -> None:
        """Show what is found, and log it where it is another thing than before."""
        metrics = self._metrics
        metrics.missing.set(rounds.missing)
        metrics.doubled.set(rounds.doubled)
        difference = metered.difference_tokens
        for kind, tokens in zip(("input", "output"), difference, strict=True):
            metrics.difference.labels(kind).set(tokens)
        found = (rounds.missing, rounds.doubled, difference)
        if found == self._said:
            return
        self._said = found
        if found == _NOTHING_WRONG:
            _log.warning("registers hold what was sent again", metered=metered.events)
            return
        _log.error(
            "registers do not hold what was sent",
            missing=rounds.missing,
            doubled=rounds.doubled,
            difference_tokens=difference,
            metered=metered.events,
        )

    def _until_done(self, attempt: Callable[[], T]) -> T | None:
        """Try until it succeeds; None when it is told to stop."""
        pause = PAUSE_SECONDS
        last = ""
        while not self._stop.is_set():
            try:
                return attempt()
            except AttemptError as error:
                self._metrics.failed.labels(error.what).inc()
                if error.what != last:
                    _log.warning("attempt failed", what=error.what, reason=str(error))
                last = error.what
            if self.wait(pause):
                break
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        return None

    def _poll_seconds(self) -> float:
        slowly = self._unseen_seconds() > POLL_SLOWLY_AFTER_SECONDS
        return POLL_SLOWLY_SECONDS if slowly else POLL_SECONDS

    def _unseen_seconds(self) -> float:
        return 0.0 if self.rounds is None else self.rounds.unseen_seconds(self._monotonic())

    def _unacknowledged_seconds(self) -> float:
        rounds = self.rounds
        return 0.0 if rounds is None else rounds.unacknowledged_seconds(self._monotonic())

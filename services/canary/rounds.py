"""PURE. What was sent, what must be in the registers, and what it means that they say otherwise.

Events are numbered from 1 for as long as a canary's name is used, and their number is their id.
They are sent in rounds of `ROUND_EVENTS`, and a round begins only when the registers hold all
events before it. So the registers never lack more than one round of what was ever sent, whoever
sent it: a canary that starts again reads that they hold ``n``, sends those from ``n + 1`` on, and
what of them was on its way already has the same ids and is counted once. From then on exactly the
events up to ``n + ROUND_EVENTS`` have been sent. No file is needed to know that, and nothing is
guessed.

An event that is counted twice may stand for one that is on its way: then it is found one round
later. Each event has the same tokens. Whichever of them the registers hold, their tokens must be so
many times as much: it shows at each reading and not only when nothing is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Most of what may be on its way. Never lower it: a canary of before may have left as many behind.
ROUND_EVENTS: Final = 8
#: Of each event; primes, so that no mistake looks like another.
INPUT_TOKENS: Final = 89
OUTPUT_TOKENS: Final = 7


@dataclass(frozen=True, slots=True)
class Metered:
    """What the registers hold of the canary."""

    events: int
    input_tokens: int
    output_tokens: int

    @property
    def difference_tokens(self) -> tuple[int, int]:
        """Input and output tokens that they hold beyond those of their events; below 0: lack."""
        return (
            self.input_tokens - self.events * INPUT_TOKENS,
            self.output_tokens - self.events * OUTPUT_TOKENS,
        )


@dataclass(frozen=True, slots=True)
class Round:
    """The numbers of one round's events, and when it was acknowledged as a whole, in seconds."""

    first: int
    last: int
    began_at: float
    acknowledged_at: float | None = None

    @property
    def numbers(self) -> range:
        """The numbers of its events."""
        return range(self.first, self.last + 1)


class Rounds:
    """The rounds of one run; ``metered`` is what the registers held when it began.

    Times are in seconds of a monotonic clock. Not thread-safe.
    """

    def __init__(self, metered: Metered, missing_seconds: float) -> None:
        self._missing_seconds = missing_seconds
        self._last = metered.events
        #: The round that is sent, or on its way; the next begins when it is visible.
        self.under_way: Round | None = None
        #: Events that the registers hold beyond all that was ever sent.
        self.doubled = 0
        #: Acknowledged events that they lack after ``missing_seconds``, at the last reading.
        self.missing = 0

    def begin(self, now: float) -> Round:
        """Begin the next round; the one before it must be visible."""
        assert self.under_way is None, "the round before is not visible yet"
        self.under_way = Round(self._last + 1, self._last + ROUND_EVENTS, now)
        self._last += ROUND_EVENTS
        return self.under_way

    def acknowledge(self, now: float) -> None:
        """Take note that all of the round was acknowledged."""
        one = self._current()
        self.under_way = Round(one.first, one.last, one.began_at, now)

    def read(self, metered: Metered, now: float) -> float | None:
        """Hold a reading against what was sent.

        Returns how long after its acknowledgement the round was found to be visible, or None where
        it is not.
        """
        sent = self._last + self.doubled
        if metered.events > sent:
            self.doubled += metered.events - sent
            sent = metered.events
        age = self.unseen_seconds(now)
        acknowledged = self.under_way is not None and self.under_way.acknowledged_at is not None
        if acknowledged and metered.events == sent:
            self.under_way = None
            self.missing = 0
            return age
        self.missing = sent - metered.events if age > self._missing_seconds else 0
        return None

    def unseen_seconds(self, now: float) -> float:
        """How long ago what is not visible yet was acknowledged; 0 where nothing is on its way."""
        one = self.under_way
        return 0.0 if one is None or one.acknowledged_at is None else now - one.acknowledged_at

    def unacknowledged_seconds(self, now: float) -> float:
        """How long ago what is not acknowledged yet was sent first; 0 where all is."""
        one = self.under_way
        return 0.0 if one is None or one.acknowledged_at is not None else now - one.began_at

    def _current(self) -> Round:
        assert self.under_way is not None, "no round is under way"
        return self.under_way

"""PURE. What was sent, what must be in the registers, and what it means that they say otherwise.

Events are sent in rounds of `ROUND_EVENTS`, always the same numbers in a round, and a round begins
only when the registers hold all events before it. So nothing beyond one round was ever sent that
they lack: a canary that starts reads how many they hold, and sends the round that is not whole, all
of it. What of it was metered or is on its way has the same ids and is counted once; what ingest
refused of it in the life before, or never got, is taken now. No file is needed to know that, and
nothing is guessed.

What the registers hold is held to itself too (`Metered.is_right`), so a restart forgets nothing
that is wrong: it is there to be read. Where they hold more than this life knows of, and rightly so,
its first reading was an old one, or another canary has sent it: it goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.canary.books import ROUND_EVENTS, Metered


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
        # Which numbers of the round that is not whole are in the registers does not matter.
        self._last = metered.whole
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
        if metered.is_right:
            # What is beyond this life's rounds others have sent, and none of it is there twice.
            self._last = max(self._last, metered.whole)
            self.doubled = 0
        else:
            self.doubled = max(self.doubled, metered.events - self._last)
        sent = self._last + self.doubled
        age = self.unseen_seconds(now)
        acknowledged = self.under_way is not None and self.under_way.acknowledged_at is not None
        if acknowledged and metered.events >= sent:
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

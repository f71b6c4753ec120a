"""PURE: which event times the log's rules will refuse, so that ingest refuses them at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from services.ingest.errors import EventRejectedError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """The oldest and the newest event time that is taken now.

    The rules themselves compare with the time of append, which lies a little after now: an event
    within that moment of `oldest` is still taken here and becomes a dead letter there.
    """

    oldest: datetime
    newest: datetime

    def check(self, time: datetime) -> None:
        """Refuse an event by its time; raises `EventRejectedError`."""
        if time < self.oldest:
            raise EventRejectedError(
                "too_old",
                f"time is {_shown(time)}, older than {_shown(self.oldest)}, the oldest that is"
                " metered now: correct the time, or have an adjustment made",
            )
        if time > self.newest:
            raise EventRejectedError(
                "too_new",
                f"time is {_shown(time)}, later than {_shown(self.newest)}, the latest that is"
                " metered now: set the sender's clock, and check the zone",
            )


#: No limit but the calendar's: for whoever judges times elsewhere.
ANY_TIME = TimeLimits(
    datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
)


class LogClock:
    """What time it is on the log: by this machine's clock and by the broker's, which may differ.

    A time is refused only if it would be by both: where one of them is wrong, the log's rules
    decide. The broker's is known from when it appended what was last acknowledged, and goes on by a
    monotonic clock, so that a step of this machine's clock refuses nothing.
    """

    def __init__(self) -> None:
        self._appended_ms = 0
        self._noted_at = 0.0

    def note(self, append_ms: int, monotonic: float) -> None:
        """Learn when the broker appended a record that was reported just now.

        ``append_ms`` since 1970, 0 if it did not say; ``monotonic`` in seconds.
        """
        if append_ms > 0:
            self._appended_ms, self._noted_at = append_ms, monotonic

    def limits(
        self, now: datetime, monotonic: float, age_max: timedelta, ahead_max: timedelta
    ) -> TimeLimits:
        """Give the limits for what is received now, by both of this machine's clocks."""
        there = now
        if self._appended_ms:
            since_ms = self._appended_ms + (monotonic - self._noted_at) * 1000
            there = _EPOCH + timedelta(milliseconds=since_ms)
        return TimeLimits(min(now, there) - age_max, max(now, there) + ahead_max)


def _shown(time: datetime) -> str:
    try:
        return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except OverflowError:
        return str(time)

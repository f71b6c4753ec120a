"""PURE. When a worker flushes next, handed how long it has waited and how far it is behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The whole group's inserts into one table; more would give ClickHouse too many parts to merge.
GROUP_INSERTS_PER_SECOND: Final = 4
#: After a long flush reading goes on this many times as long before the next, but not forever.
FLUSH_PAUSES: Final = 4
FLUSH_INTERVAL_SECONDS_MAX: Final = 5.0
#: From so many records behind on, a worker is catching up: less than a tenth of a second's work.
CATCHING_UP_RECORDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Pause:
    """How long one pause between flushes may be, in seconds."""

    #: Below this all workers together would insert too often.
    shortest: float
    #: Of a worker that is not behind.
    usual: float
    #: Of one that is: a slice that changes again and again is better written once in a while.
    longest: float


def pause(interval_seconds: float, workers: float, last_flush_seconds: float) -> Pause:
    """The pause of one of so many ``workers`` after a flush that took so long."""
    shortest = workers / GROUP_INSERTS_PER_SECOND
    usual = max(interval_seconds, shortest)
    longest = usual + min(FLUSH_PAUSES * last_flush_seconds, FLUSH_INTERVAL_SECONDS_MAX)
    return Pause(shortest, usual, longest)


class FlushPacing:
    """Decides whether a pause has been long enough.

    Once caught up, people have waited long enough: then the shortest pause will do. And a worker
    that is full of rows reads nothing more until they are taken, so any pause would be idle; its
    inserts are large, and so not many.
    """

    def __init__(self) -> None:
        self._catching_up = False

    def is_over(
        self, pause: Pause, waited_seconds: float, records_behind: int, *, full: bool
    ) -> bool:
        """Say whether to flush now, ``records_behind`` the end of the log, ``full`` of rows."""
        self._catching_up |= records_behind >= CATCHING_UP_RECORDS
        if not records_behind and self._catching_up and waited_seconds >= pause.shortest:
            self._catching_up = False
            return True
        if full:
            return True
        return waited_seconds >= (pause.longest if records_behind else pause.usual)

"""The rules that decide what counts. They belong to the log, not to a worker.

`wattoken migrate` stores them beside the checkpoints (table ``metering_rules``), workers read
them there, and a change takes effect at a stated offset: two workers never decide differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class MeteringRules:
    """What a partition's events are judged by, from one offset on. Times are in milliseconds.

    Every comparison uses log-append time, never a worker's clock.
    """

    #: An event is rejected when append time - event time is above this.
    too_old_ms: int = 35 * DAY_MS
    #: An event is rejected when event time - append time is above this.
    too_new_ms: int = 5 * MINUTE_MS
    #: An accepted event counts as late when append time - event time is above this.
    late_after_ms: int = 5 * MINUTE_MS
    #: A resend appended less than this after its last sighting is a duplicate.
    dedup_horizon_ms: int = DAY_MS
    #: Minutes that ended longer than this before the append time are not metered by the minute.
    minute_retention_ms: int = 90 * DAY_MS
    #: The same for hours.
    hour_retention_ms: int = 400 * DAY_MS
    #: So many series with tokens are metered by name in one partition; others as ``other``.
    series_max: int = 50_000
    #: The same for series that nothing was used of: failed requests, or such without tokens.
    unused_series_max: int = 2_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"metering rule {name} must be above 0, not {value}")

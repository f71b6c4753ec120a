"""Log time: a broker's clock made to never fall, and how far it may be wrong.

Sightings are remembered by log time, the running maximum of append times, so that the oldest are
at one end. A clock that steps takes log time along: ahead at once, and back only when real time has
caught up. So in log time an id makes duplicates for `CLOCK_STEP_MAX_MS` longer than the horizon:
then no such step makes a resend within the horizon count, as
docs/adr/0022-resends-under-a-stepping-clock.md has it. All of it is a function of the log alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.metering_rules import HOUR_MS
from services.aggregator.arrays.key_index import Ints

#: Steps of a broker's clock up to this long cost no answer: a day, and an hour to spare.
CLOCK_STEP_MAX_MS: Final = 25 * HOUR_MS


class LogTime:
    """The log time of one partition, record by record."""

    __slots__ = ("last_ms",)

    def __init__(self, last_ms: int = 0) -> None:
        self.last_ms = last_ms

    def of(self, append_ms: Ints) -> Ints:
        """The log time of the next records, at least one, by their append times."""
        log_ms: Ints = np.maximum(np.maximum.accumulate(append_ms), self.last_ms)
        self.last_ms = int(log_ms[-1])
        return log_ms

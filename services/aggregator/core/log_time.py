"""Log time: a broker's clock made to never fall, and how far behind it a record may be judged.

Sightings are remembered by log time, the running maximum of append times, so that the oldest are
at one end. A clock that was ahead for a while leaves log time ahead; so a record is judged at its
own append time, but at most `CLOCK_STEP_MAX_MS` behind log time, and ids are kept for that much
longer than the horizon. All of it is a function of the log alone
(docs/adr/0015-steps-of-the-clock.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.metering_rules import HOUR_MS
from services.aggregator.core.key_index import Ints

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


def judged_ms(append_ms: Ints, log_ms: Ints) -> Ints:
    """When records ask whether their ids were seen within the horizon before."""
    return np.maximum(append_ms, log_ms - CLOCK_STEP_MAX_MS)

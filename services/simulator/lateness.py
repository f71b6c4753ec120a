"""PURE. How old late readings are, and which days off some of them come from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Final

from schemas.metering_rules import DAY_MS, MINUTE_MS
from services.simulator import profiles
from services.simulator.reading import EPOCH

#: Late readings are this old, log-uniformly: well above the rule's 5 minutes, whatever the lag.
LATE_MS: Final = (10 * MINUTE_MS, 2 * DAY_MS)
#: What is of a weekend or a holiday is younger than the rules allow by so much at least.
MARGIN_MS: Final = 5 * DAY_MS
#: The first day since 1970 that was a Monday.
_FIRST_MONDAY: Final = 4


def late_ms(at_ms: int, holidays: Sequence[date], too_old_ms: int, draw: Random) -> int:
    """Draw how old a late reading is: some are of a gateway that was cut off over days off.

    ``too_old_ms`` is the age above which the log's rules reject a reading.
    """
    if draw.random() < profiles.BACKLOG_RATIO:
        day = draw.choice(days_off(at_ms, holidays, too_old_ms))
        return at_ms - day * DAY_MS - draw.randrange(DAY_MS)
    return int(LATE_MS[0] * (LATE_MS[1] / LATE_MS[0]) ** draw.random())


def days_off(at_ms: int, holidays: Sequence[date], too_old_ms: int) -> list[int]:
    """The last weekend that is over, and holidays not long past: days since 1970, UTC, ascending.

    A calendar's days begin at its zone's midnight; a day of UTC has most hours of each.
    """
    today = (at_ms - LATE_MS[0]) // DAY_MS
    monday = today - (today - _FIRST_MONDAY) % 7
    first = (at_ms - too_old_ms + MARGIN_MS) // DAY_MS
    numbers = {(day - EPOCH.date()).days for day in holidays}
    return sorted({monday - 2, monday - 1} | {day for day in numbers if first < day < today})

"""The time rules: too old, too new, late. Append time against event time, never a clock.

How old an event is goes by its record's own append time: a clock that was ahead before makes no
event look older. How new it is goes by log time: a clock that is behind makes none look too new.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final

import numpy as np

from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

TOO_OLD: Final = "too_old"
TOO_NEW: Final = "too_new"


def epoch_ms(time: datetime) -> int:
    """Milliseconds since 1970, rounded down; exact, unlike a float timestamp."""
    return (time - EPOCH) // MILLISECOND


def rejection(time_ms: int, append_ms: int, log_ms: int, rules: MeteringRules) -> str | None:
    """Say why the time of an event is refused, or None; all in milliseconds since 1970."""
    if append_ms - time_ms > rules.too_old_ms:
        return TOO_OLD
    if time_ms - log_ms > rules.too_new_ms:
        return TOO_NEW
    return None


def duplicate_within_ms(rules: MeteringRules) -> int:
    """How long an id that was seen makes duplicates, in log time.

    The horizon, and as long as a broker's clock may step: by so much log time may run ahead between
    an event and its resend.
    """
    return rules.dedup_horizon_ms + CLOCK_STEP_MAX_MS


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of one partition, each in force from an offset on; the first from the start.

    `entries` are (from_offset, rules), offsets ascending and distinct.
    """

    entries: tuple[tuple[int, MeteringRules], ...]

    def __post_init__(self) -> None:
        offsets = [offset for offset, _ in self.entries]
        if not offsets or offsets != sorted(set(offsets)):
            raise ValueError("a rule book needs rules at ascending offsets")

    def keep_ms(self, offset: int) -> int:
        """How long before an offset's log time ids matter to the records from there on.

        The longest that an id makes duplicates by the rules in force at that offset or later.
        """
        ends = [start for start, _ in self.entries[1:]]
        return max(
            duplicate_within_ms(rules)
            for end, (_, rules) in zip_longest(ends, self.entries)
            if end is None or end > offset
        )

    def segments(self, offsets: Ints) -> list[tuple[int, int, MeteringRules]]:
        """Cut ascending offsets where the rules change: (start, end, rules) index ranges."""
        changes = np.searchsorted(offsets, [offset for offset, _ in self.entries[1:]]).tolist()
        edges = [0, *changes, len(offsets)]
        return [
            (start, end, rules)
            for start, end, (_, rules) in zip(edges, edges[1:], self.entries, strict=False)
            if end > start
        ]

"""The rules that decide what counts. They belong to the log, not to a worker.

`wattoken migrate` stores them beside the checkpoints (table ``metering_rules``), workers read
them there, and a change takes effect at a stated offset: two workers never decide differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from schemas.price_class import CONTEXT_THRESHOLD_MAX, CONTEXT_THRESHOLDS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
#: Thresholds in one set of rules: as many as have a meaning for somebody, and so few that a worker
#: never runs out of numbers for price classes.
THRESHOLDS_MAX: Final = 64


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
    #: Sizes of input by which prices differ, ascending: an event is in the band of the highest that
    #: its input tokens exceed. None in rules of before there were bands.
    context_thresholds: tuple[int, ...] = CONTEXT_THRESHOLDS

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name != "context_thresholds" and value <= 0:
                raise ValueError(f"metering rule {name} must be above 0, not {value}")
        known = self.context_thresholds
        if list(known) != sorted(set(known)) or not all(
            0 < one <= CONTEXT_THRESHOLD_MAX for one in known
        ):
            raise ValueError(
                "metering rule context_thresholds must be ascending and distinct, from 1 to"
                f" {CONTEXT_THRESHOLD_MAX}, not {known}"
            )
        if len(known) > THRESHOLDS_MAX:
            raise ValueError(
                f"metering rule context_thresholds may have {THRESHOLDS_MAX} at most, not"
                f" {len(known)}"
            )


#: The columns that hold rules, in the order of `rules_of` and `row_of`.
RULE_NAMES: Final = tuple(rule.name for rule in fields(MeteringRules))


def rules_of(row: Sequence[Any]) -> MeteringRules:
    """Make rules of what ClickHouse holds of them, in the order of `RULE_NAMES`."""
    values: list[Any] = [
        tuple(map(int, value)) if name == "context_thresholds" else int(value)
        for name, value in zip(RULE_NAMES, row, strict=True)
    ]
    return MeteringRules(*values)


def row_of(rules: MeteringRules) -> list[Any]:
    """What ClickHouse is to hold of rules, in the order of `RULE_NAMES`."""
    values = [getattr(rules, name) for name in RULE_NAMES]
    return [list(value) if isinstance(value, tuple) else value for value in values]

"""The families of slices and their windows: half-open, UTC, integer arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules


@dataclass(frozen=True, slots=True)
class Family:
    """A set of slices with one window length.

    `window_ms` is None for the register, which has one window for its whole life, stated as 0.
    """

    name: str
    window_ms: int | None
    has_tenant: bool

    def window_start_ms(self, time_ms: int) -> int:
        """Start of the window that holds ``time_ms`` (milliseconds since 1970, UTC)."""
        if self.window_ms is None:
            return 0
        return time_ms - time_ms % self.window_ms

    def meters(self, window_start_ms: int, append_ms: int, rules: MeteringRules) -> bool:
        """Whether a window is still metered for an event appended at ``append_ms``.

        Windows that ended longer ago than the family's retention are not, so that the table's
        TTL never deletes a row that a late event then starts anew.
        """
        if self.window_ms is None:
            return True
        retention_ms = (
            rules.minute_retention_ms if self.window_ms == MINUTE_MS else rules.hour_retention_ms
        )
        return window_start_ms + self.window_ms > append_ms - retention_ms


REGISTER: Final = Family("register", None, has_tenant=False)
MINUTE: Final = Family("minute", MINUTE_MS, has_tenant=False)
HOUR: Final = Family("hour", HOUR_MS, has_tenant=True)
FAMILIES: Final = (REGISTER, MINUTE, HOUR)
FAMILY_BY_NAME: Final = {family.name: family for family in FAMILIES}

"""The families of slices and their windows: half-open, UTC, integer arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.measures import MEASURES
from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules
from schemas.price_class import PriceClass
from services.aggregator.decoding.labels import Unit


@dataclass(frozen=True, slots=True)
class Family:
    """A set of slices with one window length.

    `window_ms` is None for the register, which has one window for its whole life, stated as 0.
    """

    name: str
    window_ms: int | None
    has_tenant: bool
    #: What else keeps slices of one window, tenant and series apart, by its fields; only where
    #: tenants are kept apart.
    variety: type[PriceClass] | type[Unit] | None = None
    measures: tuple[str, ...] = MEASURES

    @property
    def variety_columns(self) -> tuple[str, ...]:
        """The columns that tell varieties apart."""
        return () if self.variety is None else self.variety._fields

    def window_number(self, time_ms: int) -> int:
        """Number of the window that holds ``time_ms``: windows since 1970-01-01T00:00Z."""
        return 0 if self.window_ms is None else time_ms // self.window_ms

    def window_numbers(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of the windows that hold these times, in seconds since 1970."""
        if self.window_ms is None:
            return np.zeros_like(seconds)
        return seconds // (self.window_ms // 1000)

    def window_start_ms(self, number: int) -> int:
        """Start of a window, in milliseconds since 1970."""
        return 0 if self.window_ms is None else number * self.window_ms

    def metered_from(self, append_ms: int, rules: MeteringRules) -> int:
        """Number of the first window that is still metered for an event of this append time.

        Windows that ended longer ago than the family's retention are not, so that the table's
        TTL never deletes a row that a late event then starts again.
        """
        if self.window_ms is None:
            return 0
        retention_ms = (
            rules.minute_retention_ms if self.window_ms == MINUTE_MS else rules.hour_retention_ms
        )
        # The first window whose end is after append - retention.
        return (append_ms - retention_ms) // self.window_ms


REGISTER: Final = Family("register", None, has_tenant=False)
MINUTE: Final = Family("minute", MINUTE_MS, has_tenant=False)
HOUR: Final = Family("hour", HOUR_MS, has_tenant=True, variety=PriceClass)
UNIT: Final = Family("unit", HOUR_MS, True, Unit, ("quantity",))
FAMILIES: Final = (REGISTER, MINUTE, HOUR, UNIT)
FAMILY_BY_NAME: Final = {family.name: family for family in FAMILIES}

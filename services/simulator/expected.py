"""PURE. What the meter must show, as an audit compares it: rows of views, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Key = tuple[str | int, ...]
Totals = tuple[int, ...]
Rows = dict[Key, Totals]

#: The columns of each view that hold totals, in this order.
COLUMNS: Final = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "estimated_tokens",
    "debit_tokens",
    "credit_tokens",
)


@dataclass(frozen=True, slots=True)
class ViewShape:
    """A view to be compared: its key columns, and how the ledger computes the first of them."""

    view: str
    key: tuple[str, ...]
    window_ms: int | None = None


REGISTERS: Final = ViewShape("registers", ("region", "provider", "model"))
USAGE_MINUTE: Final = ViewShape(
    "usage_minute", ("window_start", "region", "provider", "model"), 60_000
)
USAGE_HOUR: Final = ViewShape(
    "usage_hour", ("window_start", "tenant", "region", "provider", "model"), 3_600_000
)
VIEWS: Final = (REGISTERS, USAGE_MINUTE, USAGE_HOUR)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a count must lie between, both ends included; `most` of None: no limit is known."""

    least: int
    most: int | None

    def hold(self, count: int) -> bool:
        """Whether ``count`` lies within."""
        return self.least <= count and (self.most is None or count <= self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"{self.least}..{'' if self.most is None else self.most}"


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """What the log and the meter must hold.

    Counts are exact, unless sends were left without a clear answer: such a copy may be on the
    log or not, so duplicates have bounds. Unique events have none: each was resent until it was
    acknowledged, or it counts in `unresolved`, and then nothing can be compared exactly.
    """

    sent: int
    unique: int
    unresolved: int
    refused: int
    #: Refused by ingest though valid.
    wrongly_refused: int
    #: Acknowledged by ingest though poison.
    wrongly_taken: int
    received: Bounds
    accepted: Bounds
    duplicate: Bounds
    late: Bounds
    rejected: dict[str, Bounds]

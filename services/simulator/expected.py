"""PURE. What the meter must show, as an audit compares it: rows of views, and counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

Key = tuple[str | int, ...]
Totals = tuple[int, ...]
Rows = dict[Key, Totals]

#: The columns of a view that hold totals, in this order, unless its shape says others.
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

#: Those of the view that tells tokens closely, for the prices of each.
CLOSE_COLUMNS: Final = (
    "requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "cache_read_audio_input_tokens",
    "cache_read_image_input_tokens",
    "audio_output_tokens",
    "image_output_tokens",
)
#: What events may say beside tokens; the ledger has a column for each.
UNITS: Final = (
    *("web_searches", "file_searches", "tool_calls", "images"),
    *("audio_milliseconds", "video_milliseconds", "characters", "pages"),
)
#: Sizes of input at which bands begin, ascending; None where a log had several of such rules, so
#: that the ledger cannot say by which of them an event was metered.
Thresholds = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class ViewShape:
    """A view to be compared: its key columns, and how the ledger computes the first of them.

    The key may be a part of the view's: its rows are then added up.
    """

    view: str
    key: tuple[str, ...]
    window_ms: int | None = None
    columns: tuple[str, ...] = COLUMNS

    def without(self, name: str) -> ViewShape:
        """The same without a part of the key."""
        return replace(self, key=tuple(part for part in self.key if part != name))


REGISTERS: Final = ViewShape("registers", ("region", "provider", "model"))
USAGE_MINUTE: Final = ViewShape(
    "usage_minute", ("window_start", "region", "provider", "model"), 60_000
)
USAGE_HOUR: Final = ViewShape(
    "usage_hour", ("window_start", "tenant", "region", "provider", "model"), 3_600_000
)
_ENTRY_HOUR: Final = (*USAGE_HOUR.key, "entry")
USAGE_HOUR_ENTRIES: Final = ViewShape(
    "usage_hour_entries", (*_ENTRY_HOUR, "service_tier", "context_band"), 3_600_000, CLOSE_COLUMNS
)
USAGE_UNIT_HOURS: Final = ViewShape(
    "usage_unit_hours", (*_ENTRY_HOUR, "unit"), 3_600_000, ("quantity",)
)
VIEWS: Final = (REGISTERS, USAGE_MINUTE, USAGE_HOUR, USAGE_HOUR_ENTRIES, USAGE_UNIT_HOURS)


def shapes(thresholds: Thresholds) -> tuple[ViewShape, ...]:
    """The views as they can be compared: by band only where all events have the same bands."""
    if thresholds is None:
        return tuple(shape.without("context_band") for shape in VIEWS)
    return VIEWS


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

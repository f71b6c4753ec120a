"""PURE: the views that the oracle compares, and what an event adds to their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.chaos.events import THRESHOLDS, UNITS

COLUMNS: Final = (
    *("requests", "failed_requests", "input_tokens", "cache_read_input_tokens"),
    *("cache_write_input_tokens", "output_tokens", "reasoning_output_tokens"),
    *("estimated_tokens", "debit_tokens", "credit_tokens"),
)
#: What prices go by, told of every entry in rows of its own.
CLOSE_COLUMNS: Final = (
    *("requests", "input_tokens", "cache_read_input_tokens", "cache_write_input_tokens"),
    *("output_tokens", "reasoning_output_tokens", "cache_write_5m_input_tokens"),
    *("cache_write_1h_input_tokens", "audio_input_tokens", "image_input_tokens"),
    *("cache_read_audio_input_tokens", "cache_read_image_input_tokens"),
    *("audio_output_tokens", "image_output_tokens"),
)
#: The views, and the columns that make a row's key; windows as seconds since 1970.
VIEWS: Final = {
    "registers": ("region", "provider", "model"),
    "usage_minute": ("window_start", "region", "provider", "model"),
    "usage_hour": ("window_start", "tenant", "region", "provider", "model"),
    "usage_hour_entries": (
        *("window_start", "tenant", "region", "provider", "model"),
        *("entry", "service_tier", "context_band"),
    ),
    "usage_unit_hours": (
        *("window_start", "tenant", "region", "provider", "model", "entry", "unit"),
    ),
}
#: The columns of each that hold totals.
COLUMNS_OF: Final = {
    **dict.fromkeys(("registers", "usage_minute", "usage_hour"), COLUMNS),
    "usage_hour_entries": CLOSE_COLUMNS,
    "usage_unit_hours": ("quantity",),
}
#: Whose first column counts requests.
COUNTING: Final = tuple(view for view, columns in COLUMNS_OF.items() if columns[0] == "requests")


def measures(event: Mapping[str, Any]) -> tuple[int, ...]:
    """What an event adds to its rows, in the order of `COLUMNS`."""
    tokens = event["input_tokens"] + event["output_tokens"]
    entry = event.get("entry", "usage")
    if entry != "usage":
        return (0,) * 8 + (tokens * (entry == "debit"), tokens * (entry == "credit"))
    return (
        *(1, int(event.get("status") == "error"), event["input_tokens"]),
        *(event.get("cache_read_input_tokens", 0), event.get("cache_write_input_tokens", 0)),
        *(event["output_tokens"], event.get("reasoning_output_tokens", 0)),
        *(tokens * (event.get("quality") == "estimated"), 0, 0),
    )


def contributions(
    view: str, event: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
    """What an event adds to rows of a view: parts of their key that are no fields, and numbers.

    A tier that is not told is '', and a band is the highest threshold that the input exceeds.
    """
    entry = event.get("entry", "usage")
    if view == "usage_unit_hours":
        for unit in UNITS:
            if event.get(unit):
                yield {"entry": entry, "unit": unit}, (event[unit],)
    elif view == "usage_hour_entries":
        bands = [size for size in THRESHOLDS if event["input_tokens"] > size]
        said = {
            "entry": entry,
            "service_tier": event.get("service_tier", ""),
            "context_band": max(bands, default=0),
        }
        yield said, (1, *(event.get(name, 0) for name in CLOSE_COLUMNS[1:]))
    else:
        yield {}, measures(event)

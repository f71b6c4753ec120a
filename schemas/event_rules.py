"""PURE. What every reader of usage events holds them to: limits, and what contradicts what.

Both decoders use it, the pydantic model and the one for the log, which does without pydantic: a
process that only reads the log starts in half the time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

#: Longest name, in Unicode code points.
NAME_LENGTH_MAX: Final = 128
#: Longest name of a model: the ARN of a cloud is one (docs/adr/0020-long-ids.md).
MODEL_LENGTH_MAX: Final = 256
#: Longest reason of an adjustment, in Unicode code points.
REASON_LENGTH_MAX: Final = 512
#: Most tokens in one event: thousands of times the longest context, so that whoever reports a whole
#: day in one event still can, and so little that no batch that a fetch may bring adds up to 2^63
#: (docs/adr/0017-tokens-per-event.md).
TOKENS_MAX: Final = 10**11
#: Longest duration: 30 days.
DURATION_MS_MAX: Final = 30 * 24 * 3600 * 1000
#: Event times before this are no times of LLM requests; it also keeps every window in the range
#: of ClickHouse's 32-bit DateTime.
TIME_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
TIME_MAX: Final = datetime(2100, 1, 1, tzinfo=UTC)

#: What of a fraction of a second is finer than a microsecond.
_BEYOND_MICROSECONDS: Final = re.compile(r"(\.[0-9]{6})[0-9]+")

SUBSETS: Final = (
    ("cache_read_input_tokens + cache_write_input_tokens", "input_tokens"),
    ("reasoning_output_tokens", "output_tokens"),
)


def floored(time: str) -> str:
    """Cut a time's text to microseconds; parsers would round it, perhaps into the next month."""
    return _BEYOND_MICROSECONDS.sub(r"\1", time, count=1)


def inconsistency(event: Any) -> tuple[str, str] | None:
    """Say what contradicts what between fields that are each valid: ``(code, message)`` or None.

    Takes a `UsageEvent` or the hot path's struct. Subsets must not exceed their total; an
    adjustment names what it adjusts and why, and plain usage does not.
    """
    cached = (event.cache_read_input_tokens or 0) + (event.cache_write_input_tokens or 0)
    if cached > event.input_tokens:
        return (
            "subset_exceeds_total",
            "cache_read_input_tokens + cache_write_input_tokens must not exceed input_tokens",
        )
    if (event.reasoning_output_tokens or 0) > event.output_tokens:
        return (
            "subset_exceeds_total",
            "reasoning_output_tokens must not exceed output_tokens",
        )
    if event.entry == "usage":
        if event.adjusts is not None or event.reason is not None:
            return ("adjustment_fields", "adjusts and reason belong to entry debit or credit only")
    elif event.adjusts is None or event.reason is None:
        return ("adjustment_fields", "entry debit and credit need both adjusts and reason")
    return None

"""PURE. What every reader of usage events holds them to: limits, and what contradicts what.

Both decoders use it, the pydantic model and the one for the log, which does without pydantic: a
process that only reads the log starts in half the time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from schemas.measures import MEASURES, USUAL

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
#: Most of a unit beyond tokens in one event, for the same reasons.
UNITS_MAX: Final = TOKENS_MAX
#: Longest duration: 30 days.
DURATION_MS_MAX: Final = 30 * 24 * 3600 * 1000
#: Event times before this are no times of LLM requests; it also keeps every window in the range
#: of ClickHouse's 32-bit DateTime.
TIME_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
TIME_MAX: Final = datetime(2100, 1, 1, tzinfo=UTC)

#: What of a fraction of a second is finer than a microsecond.
_BEYOND_MICROSECONDS: Final = re.compile(r"(\.[0-9]{6})[0-9]+")


class Parts(NamedTuple):
    """Fields that are parts of another one, and do not overlap: their sum must not exceed it."""

    parts: tuple[str, ...]
    total: str


#: What most events say of their totals. A field that is absent says nothing; as a total it leaves
#: room for none of its parts.
USUAL_SUBSETS: Final = (
    Parts(("cache_read_input_tokens", "cache_write_input_tokens"), "input_tokens"),
    Parts(
        ("reasoning_output_tokens", "audio_output_tokens", "image_output_tokens"), "output_tokens"
    ),
)
#: What few say, of those that their prices depend on.
CLOSER_SUBSETS: Final = (
    Parts(
        ("cache_write_5m_input_tokens", "cache_write_1h_input_tokens"), "cache_write_input_tokens"
    ),
    Parts(("audio_input_tokens", "image_input_tokens"), "input_tokens"),
    Parts(
        ("cache_read_audio_input_tokens", "cache_read_image_input_tokens"),
        "cache_read_input_tokens",
    ),
    Parts(("cache_read_audio_input_tokens",), "audio_input_tokens"),
    Parts(("cache_read_image_input_tokens",), "image_input_tokens"),
)
SUBSETS: Final = (*USUAL_SUBSETS, *CLOSER_SUBSETS)
#: Each input token has one price. So what was cached and what is audio or image must fit into the
#: input together, those counted once that were read from a cache and are audio or image.
PRICED_APART: Final = (
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "audio_input_tokens",
    "image_input_tokens",
)
COUNTED_TWICE: Final = ("cache_read_audio_input_tokens", "cache_read_image_input_tokens")

_closer: Final = attrgetter(*MEASURES[USUAL:])


def tells_closer(event: Any) -> bool:
    """Whether an event says of its tokens what few events do: else little can contradict.

    Takes also a struct that has no such fields.
    """
    try:
        return any(_closer(event))
    except AttributeError:
        return False


def floored(time: str) -> str:
    """Cut a time's text to microseconds; parsers would round it, perhaps into the next month."""
    return _BEYOND_MICROSECONDS.sub(r"\1", time, count=1)


def inconsistency(event: Any) -> tuple[str, str] | None:
    """Say what contradicts what between fields that are each valid: ``(code, message)`` or None.

    Takes a `UsageEvent` or one of the hot path's structs. Subsets must not exceed their total; an
    adjustment names what it adjusts and why, and plain usage does not.
    """
    problem = _excess(event)
    if problem is not None:
        return ("subset_exceeds_total", problem)
    if event.entry == "usage":
        if event.adjusts is not None or event.reason is not None:
            return ("adjustment_fields", "adjusts and reason belong to entry debit or credit only")
    elif event.adjusts is None or event.reason is None:
        return ("adjustment_fields", "entry debit and credit need both adjusts and reason")
    return None


def _excess(event: Any) -> str | None:
    """Say which parts exceed their total, or None."""
    closer = tells_closer(event)
    for parts, total in SUBSETS if closer else USUAL_SUBSETS:
        if _sum(event, parts) > _sum(event, (total,)):
            reported = [name for name in parts if getattr(event, name, None) is not None]
            return f"{' + '.join(reported)} must not exceed {total}"
    if closer and _sum(event, PRICED_APART) - _sum(event, COUNTED_TWICE) > event.input_tokens:
        return (
            f"{' + '.join(PRICED_APART)} must not exceed input_tokens together (less"
            f" {' and '.join(COUNTED_TWICE)}): say of each token what it is priced as, once"
        )
    return None


def _sum(event: Any, names: tuple[str, ...]) -> int:
    return sum([getattr(event, name, None) or 0 for name in names])

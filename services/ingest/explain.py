"""PURE: says in one line why fields make no usage event, and how to fix them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.event_rules import (
    DURATION_MS_MAX,
    MODEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    TOKENS_MAX,
    UNITS_MAX,
)
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.usage_event import UsageEvent
from services.ingest.errors import EventRejectedError
from services.ingest.scanning import GUESS, afford
from services.ingest.unreadable import UNREADABLE

CANNOT_BE_READ: Final = "cannot be read"
_PROBLEMS_SHOWN_MAX: Final = 3
_UNKNOWN_MAX: Final = 32
_SHOWN_LENGTH_MAX: Final = 40
_NAME: Final = f"a text of 1 to {NAME_LENGTH_MAX} characters"
_ID: Final = "a text of at least 1 character"
_TOKENS: Final = f"an integer from 0 to {TOKENS_MAX}"

#: Parts of totals that have prices of their own.
PRICED_PARTS: Final = (
    *("cache_write_5m_input_tokens", "cache_write_1h_input_tokens"),
    *("audio_input_tokens", "image_input_tokens"),
    *("cache_read_audio_input_tokens", "cache_read_image_input_tokens"),
    *("audio_output_tokens", "image_output_tokens"),
)

#: What each field takes, in words that finish the sentence "give …".
EXPECTED: Final[Mapping[str, str]] = {
    "id": _ID,
    "source": _NAME,
    "tenant": _NAME,
    "time": "an RFC 3339 time with zone, such as 2026-03-15T12:00:00.250Z",
    "region": _NAME,
    "provider": _NAME,
    "model": f"a text of 1 to {MODEL_LENGTH_MAX} characters",
    "input_tokens": _TOKENS,
    "output_tokens": _TOKENS,
    "cache_read_input_tokens": f"{_TOKENS}, or leave it out",
    "cache_write_input_tokens": f"{_TOKENS}, or leave it out",
    "reasoning_output_tokens": f"{_TOKENS}, or leave it out",
    "status": "ok or error",
    "quality": "measured or estimated",
    "duration_ms": f"an integer from 0 to {DURATION_MS_MAX}, or leave it out",
    "entry": "usage, debit or credit",
    "adjusts": f"{_ID}, or leave it out",
    "reason": f"a text of 1 to {REASON_LENGTH_MAX} characters, or leave it out",
    "service_tier": f"{', '.join(SERVICE_TIERS)}, or leave it out",
    **dict.fromkeys(PRICED_PARTS, f"{_TOKENS}, or leave it out"),
    **dict.fromkeys(UNITS, f"an integer from 0 to {UNITS_MAX}, or leave it out"),
}

_CODES: Final[Mapping[str, str]] = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "int_type": "wrong_type",
    "string_type": "wrong_type",
    "time_type": "wrong_type",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "string_too_short": "out_of_range",
    "string_too_long": "out_of_range",
    "time_parsing": "invalid_time",
    "time_range": "invalid_time",
    "literal_error": "invalid_value",
    "subset_exceeds_total": "subset_exceeds_total",
    "adjustment_fields": "adjustment_fields",
}


def explain(fields: Mapping[str, Any], fallback: str) -> EventRejectedError:
    """Say why these fields make no usage event.

    ``fallback`` is what the fast decoder said; it serves where the fields, as a mapping, show no
    fault, as when a key came twice.
    """
    # Of fields that are none a few say enough: each costs a look at all that there are.
    unknown = islice((name for name in fields if name not in EXPECTED), _UNKNOWN_MAX)
    shown_fields = [name for name in EXPECTED if name in fields]
    try:
        UsageEvent.model_validate({name: fields[name] for name in (*shown_fields, *unknown)})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        shown = [_sentence(problem) for problem in problems[:_PROBLEMS_SHOWN_MAX]]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        code = _CODES.get(problems[0]["type"], "invalid_value")
        return EventRejectedError(code, "; ".join(shown))
    return EventRejectedError("invalid_value", fallback)


def _sentence(problem: ErrorDetails) -> str:
    if not problem["loc"]:
        return problem["msg"]
    field = str(problem["loc"][0])
    expected = EXPECTED.get(field)
    match problem["type"]:
        case "missing":
            return f"{field} is missing: give {expected}"
        case "extra_forbidden":
            if UNREADABLE in field:
                return f"a field has a name that {CANNOT_BE_READ}: remove it"
            hint = _guess(field[:_SHOWN_LENGTH_MAX]) if afford(GUESS) else "remove it"
            return f"{field[:_SHOWN_LENGTH_MAX]!r} is no field of an event: {hint}"
        case _:
            return f"{field} is {shown_value(problem['input'])}: give {expected}"


def _guess(field: str) -> str:
    close = difflib.get_close_matches(field, EXPECTED, n=1)
    return f"did you mean {close[0]}?" if close else "remove it"


def shown_value(value: Any) -> str:
    """Show a value in a message: short, and in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() if UNREADABLE in value:
            return f"a text that {CANNOT_BE_READ}"
        case str() if len(value) > _SHOWN_LENGTH_MAX:
            return f"a text of {len(value)} characters"
        case str():
            return f"the text {value!r}"
        case int() if abs(value) >= 10**20:
            return "an integer of more than 20 digits"
        case int() | float():
            return f"the number {value}"
        case list():
            return "an array"
        case _:
            return "an object"

"""PURE: a provider's own usage object inside an event: `usage`, and `usage_format` to say whose.

The format is told and never guessed: OpenAI's and Anthropic's objects share the names of their
totals and differ in what these include.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.ingest.adapters import anthropic, gemini, openai
from services.ingest.adapters.totals import Totals
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value

UsageObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UsageFormat:
    """How one provider's usage is read."""

    #: Which usage counts, of those that one stream gave.
    latest: Callable[[Sequence[UsageObject]], UsageObject]
    read: Callable[[UsageObject], Totals]


FORMATS: Final[Mapping[str, UsageFormat]] = {
    "openai_chat": UsageFormat(openai.latest, openai.chat),
    "openai_responses": UsageFormat(openai.latest, openai.responses),
    "xai_chat": UsageFormat(openai.latest, openai.xai_chat),
    "anthropic": UsageFormat(anthropic.latest, anthropic.message),
    "gemini": UsageFormat(gemini.latest, gemini.generated),
}
#: The fields that it comes in.
FIELDS: Final = ("usage", "usage_format")


def read(usage: object, usage_format: object) -> Totals:
    """Read a usage object, or an array of the usages that one stream gave.

    Raises `EventRejectedError` naming the field, what is wrong with it and how to mend it.
    """
    if not isinstance(usage_format, str) or usage_format not in FORMATS:
        raise EventRejectedError(
            "missing_field" if usage_format is None else "invalid_value",
            f"usage_format is {shown_value(usage_format)}: give {', '.join(FORMATS)}",
        )
    chosen = FORMATS[usage_format]
    if isinstance(usage, list):
        # Chunks without usage carry null.
        told = [_object(one) for one in usage if one is not None]
        if not told:
            raise EventRejectedError(
                "missing_field", "usage has no usage object: give what the provider's stream gave"
            )
        return chosen.read(chosen.latest(told))
    return chosen.read(_object(usage))


def _object(usage: object) -> UsageObject:
    if not isinstance(usage, dict):
        raise EventRejectedError(
            "wrong_type",
            f"usage is {shown_value(usage)}: give the provider's usage object, or an array of"
            " those of one stream",
        )
    return usage

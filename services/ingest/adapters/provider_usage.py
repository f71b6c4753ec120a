"""PURE: a provider's own usage object inside an event: `usage`, and `usage_format` to say whose.

The format is told and never guessed: OpenAI's and Anthropic's objects share the names of their
totals and differ in what these include. Where the one that is told cannot be, the refusal says
which fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.ingest.adapters.price_facts import with_price_facts
from services.ingest.adapters.totals import Totals
from services.ingest.adapters.usage_fields import unread
from services.ingest.adapters.usage_formats import (
    anthropic,
    bedrock,
    cohere,
    embeddings,
    gemini,
    litellm,
    mistral,
    ollama,
    openai,
    perplexity,
)
from services.ingest.adapters.usage_formats.settling import UsageFormat, UsageObject
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value
from services.ingest.scanning import USAGE_FIT, USAGE_OBJECT, afford

FORMATS: Final[Mapping[str, UsageFormat]] = {
    one.register.name: one
    # Those that most objects are of come first: where several fit, these are proposed.
    for one in (
        *(openai.CHAT, openai.RESPONSES, anthropic.MESSAGES, gemini.GENERATED, openai.XAI_CHAT),
        *(perplexity.CHAT, mistral.CHAT, bedrock.CONVERSE, cohere.CHAT, ollama.ANSWER),
        *(embeddings.INPUT_ONLY, openai.REALTIME, openai.DASHSCOPE, gemini.LIVE, litellm.USAGE),
    )
}
#: The fields that it comes in.
FIELDS: Final = ("usage", "usage_format")
_USAGE: Final = "usage."
#: Why an object may be refused that another format would read.
_OF_ANOTHER: Final = frozenset(
    {"missing_field", "unknown_field", "total_mismatch", "subset_exceeds_total"}
)
#: LiteLLM's takes most of what OpenAI's does, and is no provider's: it is never proposed.
_PROPOSED: Final = tuple(name for name in FORMATS if name != litellm.USAGE.register.name)
_PROPOSED_MAX: Final = 3
_ADVICE: Final = "set usage_format to"


def read(usage: object, usage_format: object) -> Totals:
    """Read a usage object, or an array of the usages that one stream gave.

    Raises `EventRejectedError` naming the field, what is wrong with it and how to fix it, and
    the format that fits where another than the one that is told does.
    """
    if not isinstance(usage_format, str) or usage_format not in FORMATS:
        raise _no_format(usage, usage_format)
    # Chunks without usage carry null.
    chunks = [one for one in usage if one is not None] if isinstance(usage, list) else [usage]
    if not chunks:
        raise EventRejectedError(
            "missing_field", "usage has no usage object: give what the provider's stream gave"
        )
    if not afford(USAGE_OBJECT * (len(chunks) - 1)):
        raise EventRejectedError(
            "event_too_large",
            f"usage has {len(chunks)} objects, and the request too many in all: give the last one"
            " of each stream, or send smaller batches",
        )
    objects = [_object(one) for one in chunks]
    try:
        return read_objects(objects, usage_format, _USAGE)
    except EventRejectedError as error:
        if error.code not in _OF_ANOTHER or _ADVICE in error.message:
            raise
        others = fitting(objects, usage_format)
        if not others:
            raise
        hint = f"; or {_ADVICE} {' or '.join(others)}, which fits"
        raise EventRejectedError(error.code, error.message + hint) from None


def read_objects(objects: Sequence[UsageObject], usage_format: str, where: str) -> Totals:
    """Read the usage objects of one request, in a format that is known.

    ``where`` leads to their fields, for messages. Numbers that the register does not know are
    noted (`usage_fields.unread`). Raises `EventRejectedError`.
    """
    chosen = FORMATS[usage_format]
    for one in objects:
        unread.note(usage_format, chosen.register.unread(one))
    return _totals(chosen, objects, where)


def _no_format(usage: object, usage_format: object) -> EventRejectedError:
    chunks = usage if isinstance(usage, list) else [usage]
    objects: list[UsageObject] = [one for one in chunks if isinstance(one, dict)]
    others = fitting(objects, "") if objects else []
    hint = f"; of these {' or '.join(others)} would read the usage" if others else ""
    return EventRejectedError(
        "missing_field" if usage_format is None else "invalid_value",
        f"usage_format is {shown_value(usage_format)}: give {', '.join(FORMATS)}{hint}",
    )


def fitting(objects: Sequence[UsageObject], but: str) -> list[str]:
    """List the formats, other than ``but``, that read the objects and know all their numbers.

    None where the request has asked for too much of that already: it is a hint.
    """
    if not afford(USAGE_FIT * len(objects) * len(_PROPOSED)):
        return []
    found = []
    with unread.collecting(Counter()):  # What is only tried is not to be noted.
        for name in _PROPOSED:
            chosen = FORMATS[name]
            if name == but or any(chosen.register.unread(one) for one in objects):
                continue
            try:
                _totals(chosen, objects, _USAGE)
            except EventRejectedError:
                continue
            found.append(name)
    return found[:_PROPOSED_MAX]


def _totals(chosen: UsageFormat, objects: Sequence[UsageObject], where: str) -> Totals:
    chunks = [chosen.gather(one, chosen.register, where) for one in objects]
    told = chosen.merge(chunks) if len(chunks) > 1 else chunks[0]
    return with_price_facts(chosen.settle(told), told)


def _object(usage: Any) -> UsageObject:
    if not isinstance(usage, dict):
        raise EventRejectedError(
            "wrong_type",
            f"usage is {shown_value(usage)}: give the provider's usage object, or an array of"
            " those of one stream",
        )
    return usage

"""PURE: Langfuse's `usage_details`: counts by name in a text of JSON, each token in one of them.

`input` leaves out what has a name of its own, such as `input_cached_tokens`, so all names that
begin alike add up; a total shows where somebody has it otherwise. A usage object of OpenAI may
stand there as well, and is read as one.

Langfuse's own names end in how long a cache is kept (`input_cache_creation_1h`) or name the kind
(`input_audio_tokens`, `input_cached_audio_tokens`); LangChain's begin with the tier
(`input_flex_cache_read`), and tell lifetimes as Anthropic does (`input_ephemeral_1h_input_tokens`),
beside the sum of both or, since langchain-ai/langchain PR 35845, instead of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.ingest.adapters import provider_usage
from services.ingest.adapters.attributes import REGISTER, USAGE_DETAILS
from services.ingest.adapters.counts import count, optional_count
from services.ingest.adapters.price_facts import with_price_facts
from services.ingest.adapters.totals import (
    INCLUSIVE,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields import unread
from services.ingest.adapters.usage_fields.fields import Quantity, inside
from services.ingest.adapters.usage_fields.reading import Told
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value

#: Every name beside the others.
LANGFUSE: Final = Inclusion(caches=False, reasoning=False)
_WHERE: Final = f"{USAGE_DETAILS}."
#: Names that say again what others have counted.
_LIFETIME: Final = "ephemeral"
_AGAIN: Final = ("priority", _LIFETIME)
_TIERS: Final = ("priority", "flex")
_LIFETIMES: Final = {"_5m": Quantity.CACHE_WRITE_5M, "_1h": Quantity.CACHE_WRITE_1H}
#: Of each kind of content: all input, the cached part of it, output.
_KINDS: Final = {
    "audio": (Quantity.AUDIO_INPUT, Quantity.CACHED_AUDIO, Quantity.AUDIO_OUTPUT),
    "image": (Quantity.IMAGE_INPUT, Quantity.CACHED_IMAGE, Quantity.IMAGE_OUTPUT),
}
#: Where every name is beside the others, what is cached of a kind is no part of the kind's own.
_BESIDE: Final = tuple((whole, cached) for whole, cached, _ in _KINDS.values())
#: For messages and notes.
_PRICES: Final = Register(
    "opentelemetry",
    *(inside(quantity, f"{_WHERE}{mark}") for mark, quantity in _LIFETIMES.items()),
    *(
        inside(quantity, f"{_WHERE}{side}_{kind}")
        for kind, quantities in _KINDS.items()
        for side, quantity in zip(("input", "input_cached", "output"), quantities, strict=True)
    ),
)
_TOTALS: Final = ("input", "input_tokens", "output", "output_tokens", "total", "total_tokens")


def usage_details(text: object, *, input_only: bool) -> Totals:
    """Read the attribute; raises `EventRejectedError` naming what is wrong with it."""
    try:
        usage: Any = msgspec.json.decode(text) if isinstance(text, str) else None
    except (msgspec.MsgspecError, RecursionError):
        usage = None
    if not isinstance(usage, dict):
        raise EventRejectedError(
            "wrong_type", f"{USAGE_DETAILS} is {shown_value(text)}: give a JSON object of counts"
        )
    if "prompt_tokens" in usage:
        return provider_usage.read(usage, "openai_chat")
    if "input_tokens_details" in usage or "output_tokens_details" in usage:
        return provider_usage.read(usage, "openai_responses")
    return _by_name(usage, input_only=input_only)


def _by_name(usage: Mapping[str, Any], *, input_only: bool) -> Totals:
    unread.note(REGISTER.name, [f"{_WHERE}{name}" for name in usage if _is_unread(name, usage)])
    inputs = {name: _count(usage, name) for name in usage if _is_part(name, "input")}
    outputs = {name: _count(usage, name) for name in usage if _is_part(name, "output")}
    lifetimes = {name: _count(usage, name) for name in usage if _LIFETIME in name}
    if not any(count for name, count in inputs.items() if _is_write(name)):
        inputs |= lifetimes  # LangChain's newer versions tell nothing else of what was written.
    own_input = _own(usage, ("input", "input_tokens"), needed=not outputs or bool(inputs))
    own_output = _own(usage, ("output", "output_tokens"), needed=not (input_only or outputs))
    reads = [name for name in inputs if "cache" in name and not _is_write(name)]
    writes = [name for name in inputs if _is_write(name)]
    reasonings = [name for name in outputs if "reasoning" in name or "thought" in name]
    other_input = sum(n for name, n in inputs.items() if name not in (*reads, *writes))
    other_output = sum(n for name, n in outputs.items() if name not in reasonings)
    total = optional_count(usage, "total", _WHERE, digits=True)
    total = total if total is not None else optional_count(usage, "total_tokens", _WHERE)
    parts = (
        sum(inputs[name] for name in reads) if reads else None,
        sum(inputs[name] for name in writes) if writes else None,
        sum(outputs[name] for name in reasonings) if reasonings else None,
    )
    told = Told(_PRICES, _WHERE, _kinds(inputs | lifetimes, outputs), _tier(usage))
    if total is not None and total == own_input + own_output:
        return with_price_facts(canonical(Reading(own_input, own_output, *parts), INCLUSIVE), told)
    for kind, cached in _BESIDE:
        if cached in told.counts:
            told.counts[kind] = told.amount(kind) + told.amount(cached)
    beside = Reading(own_input + other_input, own_output + other_output, *parts)
    totals = check_total(canonical(beside, LANGFUSE), total, f"{_WHERE}total")
    return with_price_facts(totals, told)


def _kinds(inputs: Mapping[str, int], outputs: Mapping[str, int]) -> dict[Quantity, int]:
    """Add up what is told of lifetimes of caches and of kinds of content."""
    added: Counter[Quantity] = Counter()
    for name, tokens in inputs.items():
        for mark, quantity in _LIFETIMES.items():
            if mark in name and _is_write(name):
                added[quantity] += tokens
        for kind, (whole, cached, _) in _KINDS.items():
            if kind in name and not _is_write(name):
                added[cached if "cache" in name else whole] += tokens
    for name, tokens in outputs.items():
        for kind, (_, _, quantity) in _KINDS.items():
            if kind in name:
                added[quantity] += tokens
    return dict(added)


def _tier(usage: Mapping[str, Any]) -> str | None:
    """Read the tier out of LangChain's names, which begin with it where it is not the usual one."""
    found = {
        tier
        for tier in _TIERS
        for name in usage
        if f"{name}_".startswith((f"input_{tier}_", f"output_{tier}_"))
    }
    return found.pop() if len(found) == 1 else None


def _is_unread(name: str, usage: Mapping[str, Any]) -> bool:
    """Say whether a number is under a name that is none of input, output or total."""
    known = name in _TOTALS or any(word in name for word in _AGAIN)
    return not (known or _is_part(name, "input") or _is_part(name, "output")) and isinstance(
        usage[name], int
    )


def _own(usage: Mapping[str, Any], names: tuple[str, str], *, needed: bool) -> int:
    for name in names:
        if usage.get(name) is not None:
            return _count(usage, name)
    return count(usage, names[0], _WHERE) if needed else 0


def _is_part(name: str, side: str) -> bool:
    if name in (side, f"{side}_tokens") or any(word in name for word in _AGAIN):
        return False
    return name.startswith(f"{side}_") or name.endswith(f"_{side}_tokens")


def _is_write(name: str) -> bool:
    return _LIFETIME in name or ("cache" in name and ("creation" in name or "write" in name))


def _count(usage: Mapping[str, Any], name: str) -> int:
    return count(usage, name, _WHERE, digits=True)

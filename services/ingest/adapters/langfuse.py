"""PURE: Langfuse's `usage_details`: counts by name in a text of JSON, each token in one of them.

`input` leaves out what has a name of its own, such as `input_cached_tokens`, so all names that
begin alike add up; a total shows where somebody has it otherwise. A usage object of OpenAI may
stand there as well, and is read as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.ingest.adapters import provider_usage
from services.ingest.adapters.attributes import REGISTER, USAGE_DETAILS
from services.ingest.adapters.counts import count, optional_count
from services.ingest.adapters.totals import (
    INCLUSIVE,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields import unread
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value

#: Every name beside the others.
LANGFUSE: Final = Inclusion(caches=False, reasoning=False)
_WHERE: Final = f"{USAGE_DETAILS}."
#: Names that say again what others have counted.
_AGAIN: Final = ("priority", "ephemeral")
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
    if total is not None and total == own_input + own_output:
        return canonical(Reading(own_input, own_output, *parts), INCLUSIVE)
    beside = Reading(own_input + other_input, own_output + other_output, *parts)
    return check_total(canonical(beside, LANGFUSE), total, f"{_WHERE}total")


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
    return "cache" in name and ("creation" in name or "write" in name)


def _count(usage: Mapping[str, Any], name: str) -> int:
    return count(usage, name, _WHERE, digits=True)

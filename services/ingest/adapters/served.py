"""PURE: what a whole answer says beside its usage: how it was served, and what was searched for it.

OpenAI's answers name their tier at the top. Those of its Responses API count the searches of the
web in `tool_usage`, or list each call of a tool in `output`: a search is billed, an opened page or
a look into one is not (developers.openai.com, "Web search"). Nothing else of an answer is built.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, TypeVar

import msgspec

from services.ingest.adapters.field_sizes import is_too_large

T = TypeVar("T")

_TIER: Final = "service_tier"
_WEB: Final = "web_searches"
#: Which unit a call of a tool is.
_UNITS: Final = {"web_search_call": _WEB, "file_search_call": "file_searches"}
_SEARCH: Final = "search"
_FAILED: Final = "failed"


class _Action(msgspec.Struct):
    type: Any = None


class _Item(msgspec.Struct):
    type: Any = None
    status: Any = None
    action: _Action | None = None


class _Searches(msgspec.Struct):
    num_requests: Any = None


class _ToolUsage(msgspec.Struct):
    web_search: _Searches | None = None


class Answer(msgspec.Struct):
    """The parts of an answer that are read besides its usage."""

    service_tier: Any = None
    tool_usage: msgspec.Raw = msgspec.Raw(b"null")
    output: msgspec.Raw = msgspec.Raw(b"null")


_answer: Final = msgspec.json.Decoder(Answer)
_tool_usage: Final = msgspec.json.Decoder(_ToolUsage)
_output: Final = msgspec.json.Decoder(list[_Item])


def beside_usage(raw: msgspec.Raw) -> dict[str, Any]:
    """Read what an answer tells of the price, by the event's fields; the tier in its own word.

    What is no such answer tells nothing.
    """
    answer = _decoded(_answer, raw)
    return {} if answer is None else told_by(answer)


def told_by(answer: Answer) -> dict[str, Any]:
    """Say the same of an answer that is decoded."""
    listed = None if is_too_large(answer.output) else _decoded(_output, answer.output)
    found: dict[str, Any] = dict(_calls(listed or []))
    used = _decoded(_tool_usage, answer.tool_usage)
    if used is not None and used.web_search is not None:
        searches = used.web_search.num_requests
        if isinstance(searches, int) and not isinstance(searches, bool) and searches >= 0:
            found[_WEB] = searches
    if answer.service_tier is not None:
        found[_TIER] = answer.service_tier
    return found


def _calls(items: list[_Item]) -> Counter[str]:
    calls: Counter[str] = Counter()
    for item in items:
        unit = _UNITS.get(item.type) if isinstance(item.type, str) else None
        searched = item.action is None or item.action.type in (None, _SEARCH)
        if unit is not None and searched and item.status != _FAILED:
            calls[unit] += 1
    return calls


def _decoded(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw) -> T | None:
    if bytes(memoryview(raw)[:1]) not in (b"{", b"["):
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None

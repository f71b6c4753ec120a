"""PURE: usage objects of Anthropic's Messages API, of whole messages and of streams.

`input_tokens` leaves out both caches: the total is the sum of the three. A stream tells usage in
`message_start` and again, cumulative, in each `message_delta`: `streams.latest_with_caches_beside`.

`iterations` (platform.claude.com, "Compaction" and "Advisor tool") lists what one request ran. A
`compaction` is beside the totals, and is added (pydantic-ai issue 5065), with its caches. A
`message` and a `fallback_message` are in the totals; an `advisor_message` is another model's, and a
`message` that was declined before its fallback is not billed here. Some gateways have added the
compaction already: then the totals are the sum of the list.

`cache_creation` says how long what was written stays in the cache, `service_tier` and `speed` how
it was served, `server_tool_use` what was searched (its SDK's `Usage`). Fetched pages and searches
among tools cost nothing but their tokens.

Kimi, Qwen and Z.ai speak this too, some with OpenAI's names beside it: there `prompt_tokens` is all
input (maximhq/bifrost issue 5510), and is held against the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.ingest.adapters.counts import optional_count, part
from services.ingest.adapters.totals import Inclusion, Totals, canonical
from services.ingest.adapters.usage_fields import unread
from services.ingest.adapters.usage_fields.fields import (
    FieldClass,
    Quantity,
    beside,
    breakdown,
    inside,
    known,
    other_unit,
    tier,
    total,
    unit,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_fields.streams import latest_with_caches_beside
from services.ingest.adapters.usage_fields.tiers import SPEEDS
from services.ingest.adapters.usage_formats.openai_fields import INPUT_DETAILS, SERVICE_TIER
from services.ingest.adapters.usage_formats.settling import (
    UsageFormat,
    UsageObject,
    check_sum,
    foreign,
    reading,
)
from services.ingest.errors import EventRejectedError

INCLUSION: Final = Inclusion(caches=False, reasoning=True)
_NAME: Final = "anthropic"

_IN_THE_TOTALS: Final = frozenset({"message", "fallback_message", "turn"})
_ANOTHER_MODELS: Final = "advisor_message"
_COMPACTION: Final = "compaction"
#: What an iteration counts, and where that of a compaction goes.
_ITERATION: Final = {
    "input_tokens": Quantity.COMPACTION_INPUT,
    "cache_read_input_tokens": Quantity.COMPACTION_CACHE_READ,
    "cache_creation_input_tokens": Quantity.COMPACTION_CACHE_WRITE,
    "output_tokens": Quantity.COMPACTION_OUTPUT,
}
#: Of what it writes to a cache, how long that stays.
_LIFETIMES: Final = {
    "ephemeral_5m_input_tokens": Quantity.COMPACTION_CACHE_WRITE_5M,
    "ephemeral_1h_input_tokens": Quantity.COMPACTION_CACHE_WRITE_1H,
}
_TOTALS: Final = {
    "input_tokens": Quantity.INPUT,
    "cache_read_input_tokens": Quantity.CACHE_READ,
    "cache_creation_input_tokens": Quantity.CACHE_WRITE,
    "output_tokens": Quantity.OUTPUT,
}

REGISTER: Final = Register(
    _NAME,
    total(Quantity.INPUT, "input_tokens"),
    total(Quantity.OUTPUT, "output_tokens", "completion_tokens"),
    total(Quantity.SUM, "total_tokens"),
    total(Quantity.ALL_INPUT, "prompt_tokens"),
    beside(Quantity.CACHE_READ, "cache_read_input_tokens", "cached_tokens"),
    beside(Quantity.CACHE_WRITE, "cache_creation_input_tokens"),
    breakdown(FieldClass.BESIDE, Quantity.CACHE_WRITE, "cache_creation"),
    inside(
        Quantity.CACHE_WRITE_5M,
        *("cache_creation.ephemeral_5m_input_tokens", "claude_cache_creation_5_m_tokens"),
    ),
    inside(
        Quantity.CACHE_WRITE_1H,
        *("cache_creation.ephemeral_1h_input_tokens", "claude_cache_creation_1_h_tokens"),
    ),
    inside(
        Quantity.REASONING,
        *("output_tokens_details.thinking_tokens", "output_tokens_details.reasoning_tokens"),
    ),
    # Read one by one below, for what they are depends on the type beside them.
    known(
        *(f"iterations[].{name}" for name in _ITERATION),
        *("iterations[].cache_creation.*", "iterations[].output_tokens_details.*"),
        *(f"{holder}.*" for holder in INPUT_DETAILS),
    ),
    SERVICE_TIER,
    tier("speed", words=SPEEDS),
    unit(Quantity.WEB_SEARCHES, "server_tool_use.web_search_requests"),
    other_unit("server_tool_use.*", "cost", "credits"),
)


def gather_message(usage: UsageObject, register: Register, where: str) -> Told:
    """Read the usage of a message or of one event of a stream, with its compactions."""
    told = gather(usage, register, where)
    for holder in INPUT_DETAILS:
        details = usage.get(holder)
        if isinstance(details, dict) and any(
            value for name, value in details.items() if "cache" in name
        ):
            raise foreign(told, holder, "OpenAI", "openai_chat or openai_responses")
    if told.get(Quantity.INPUT) is None and told.get(Quantity.ALL_INPUT):
        raise foreign(told, "prompt_tokens", "OpenAI", "openai_chat")
    iterations = usage.get("iterations")
    if isinstance(iterations, list):
        _add_compactions(told, [one for one in iterations if isinstance(one, dict)])
    return told


def _add_compactions(told: Told, iterations: list[dict[str, Any]]) -> None:
    compacted = dict.fromkeys(_ITERATION, 0)
    listed = dict.fromkeys(_ITERATION, 0)
    for one in iterations:
        kind = one.get("type")
        if kind == _COMPACTION:
            _add(compacted, one, told.where)
            _add(listed, one, told.where)
        elif isinstance(kind, str) and kind in _IN_THE_TOTALS:
            _add(listed, one, told.where)
        elif kind != _ANOTHER_MODELS:
            unread.note(_NAME, [f"iterations[].type.{kind if isinstance(kind, str) else '?'}"])
    if not any(compacted.values()):
        return
    stated = [(name, told.get(one)) for name, one in _TOTALS.items()]
    if all(value in (None, listed[name]) for name, value in stated) and any(
        value for _, value in stated
    ):
        return  # The totals have them already.
    told.counts.update({_ITERATION[name]: value for name, value in compacted.items()})
    for one in iterations:
        if one.get("type") == _COMPACTION:
            lifetimes = part(one, "cache_creation", f"{told.where}iterations[].")
            for name, quantity in _LIFETIMES.items():
                value = optional_count(lifetimes, name, f"{told.where}iterations[].cache_creation.")
                if value is not None:
                    told.counts[quantity] = told.amount(quantity) + value


def _add(sums: dict[str, int], iteration: Mapping[str, Any], where: str) -> None:
    place = f"{where}iterations[]."
    for name in sums:
        value = optional_count(iteration, name, place)
        if value is None and name == "cache_creation_input_tokens":
            lifetimes = part(iteration, "cache_creation", place)
            value = sum(
                optional_count(lifetimes, one, f"{place}cache_creation.") or 0 for one in lifetimes
            )
        sums[name] += value or 0


def settle_message(told: Told) -> Totals:
    """Settle the usage of a message, or of a stream after its merging."""
    totals = canonical(reading(told), INCLUSION)
    all_input = told.get(Quantity.ALL_INPUT)
    if all_input and all_input != totals.input_tokens:
        raise EventRejectedError(
            "total_mismatch",
            f"{told.name(Quantity.ALL_INPUT)} is {all_input}, but input and caches are"
            f" {totals.input_tokens}: correct one of them, or name the usage_format whose it is",
        )
    check_sum(totals, told)
    read = told.amount(Quantity.COMPACTION_CACHE_READ)
    written = told.amount(Quantity.COMPACTION_CACHE_WRITE)
    return Totals(
        input_tokens=totals.input_tokens + told.amount(Quantity.COMPACTION_INPUT) + read + written,
        output_tokens=totals.output_tokens + told.amount(Quantity.COMPACTION_OUTPUT),
        cache_read_input_tokens=_with(totals.cache_read_input_tokens, read),
        cache_write_input_tokens=_with(totals.cache_write_input_tokens, written),
        reasoning_output_tokens=totals.reasoning_output_tokens,
    )


def _with(reported: int | None, more: int) -> int | None:
    return reported if reported is None and not more else (reported or 0) + more


MESSAGES: Final = UsageFormat(
    "Anthropic", REGISTER, settle_message, latest_with_caches_beside, gather_message
)

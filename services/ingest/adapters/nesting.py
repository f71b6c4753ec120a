"""PURE: which spans of one request are around others that tell the same calls.

LangChain's instrumentation and that of the provider's SDK below it, or the AI SDK's embed and its
call, each tell the usage of one call. The innermost counts; a span around it does not, unless it is
a call of its own: its response's id is none of theirs, nor are its counts theirs or their sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.ingest.adapters.genai import GenAiRecord, totals
from services.ingest.errors import EventRejectedError

SpanKey = tuple[str, str]


@dataclass(slots=True)
class _Call:
    record: GenAiRecord
    #: Calls directly within, with no other call between, and whether any further in has usage.
    inner: list[_Call] = field(default_factory=list)
    inner_usage: bool = False


def around_calls(
    records: Sequence[GenAiRecord], parents: Mapping[SpanKey, str]
) -> frozenset[SpanKey]:
    """Name the spans that only repeat calls within them, each by trace and span id.

    ``parents`` are the parents of all spans of the request, calls or not, by trace and span id.
    """
    calls = {
        (record.trace_id, record.span_id): _Call(record)
        for record in records
        if record.is_span and record.is_call and record.span_id.strip("0")
    }
    if len(calls) < 2:
        return frozenset()
    nearest: dict[SpanKey, _Call | None] = {}
    for key, call in calls.items():
        outer = _call_around(key, calls, parents, nearest)
        if outer is not None:
            outer.inner.append(call)
        if call.record.has_usage:
            while outer is not None and not outer.inner_usage:
                outer.inner_usage = True
                outer = _call_around(
                    (outer.record.trace_id, outer.record.span_id), calls, parents, nearest
                )
    return frozenset(key for key, call in calls.items() if _only_repeats(call))


def _call_around(
    key: SpanKey,
    calls: Mapping[SpanKey, _Call],
    parents: Mapping[SpanKey, str],
    nearest: dict[SpanKey, _Call | None],
) -> _Call | None:
    """Find the nearest call around a span; what was walked over is remembered."""
    trace_id, _ = key
    walked: list[SpanKey] = []
    found: _Call | None = None
    here = key
    while here not in nearest:
        nearest[here] = None  # Where spans are each other's parents, the walk ends.
        walked.append(here)
        parent = (trace_id, parents.get(here, ""))
        if parent in calls and parent != here:
            found = calls[parent]
            break
        if parent == here or parent not in parents:
            break
        here = parent
    else:
        found = nearest[here]
    for span in walked:
        nearest[span] = found
    return found


def _only_repeats(call: _Call) -> bool:
    if not call.record.has_usage:
        return bool(call.inner)
    if not call.inner_usage:
        return False
    return not _is_a_call_of_its_own(call)


def _is_a_call_of_its_own(call: _Call) -> bool:
    own_id = call.record.response_id
    inner = [one.record for one in call.inner if one.record.has_usage]
    inner_ids = {record.response_id for record in inner}
    if own_id is None or not inner or None in inner_ids or own_id in inner_ids:
        return False
    try:
        own, within = _used(call.record), [_used(record) for record in inner]
    except EventRejectedError:
        return False
    summed = (sum(tokens for tokens, _ in within), sum(tokens for _, tokens in within))
    return own not in within and own != summed


def _used(record: GenAiRecord) -> tuple[int, int]:
    read = totals(record)
    return read.input_tokens, read.output_tokens

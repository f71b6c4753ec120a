"""PURE: a call of a model as OpenTelemetry tells it, in a span or log record, to a usage event.

Totals are inclusive by the GenAI conventions. Only calls of models count: spans of agents and
workflows repeat the sums of the calls within them. A span that failed without usage is a failed
request that used nothing. `attributes.py` has the names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.identity import ID_LENGTH_MAX, compact_id
from schemas.wire import WireEvent
from services.ingest.adapters import attributes as names
from services.ingest.adapters.assembly import (
    RESPONSE_ID_LENGTH_MIN,
    assemble,
    duration_ms,
    missing,
    moment,
    provider_and_model,
)
from services.ingest.adapters.counts import agreed, optional_count
from services.ingest.adapters.langfuse import usage_details
from services.ingest.adapters.span_prices import with_prices
from services.ingest.adapters.totals import (
    INCLUSIVE,
    NO_TOKENS,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields import unread
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value
from services.ingest.keys.entry import KeyEntry

OTEL_GENAI: Final = INCLUSIVE
#: OpenInference's where its caches are more than its prompt: then they are no part of it.
OPENINFERENCE_BESIDE: Final = Inclusion(caches=False, reasoning=True)
#: The source of what names no service.
SOURCE_UNKNOWN: Final = "opentelemetry"
#: Larger counts than this, as doubles, are no longer whole for sure.
_WHOLE_MAX: Final = 2.0**53
_DIGITS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class GenAiRecord:
    """What matters of a span or of a log record. Times in nanoseconds since 1970, 0 for none."""

    #: Those of `ATTRIBUTES` that are there; a value that is no scalar is [].
    attributes: Mapping[str, Any]
    #: Lower-case hex, empty for none.
    trace_id: str
    span_id: str
    start_unix_ns: int
    end_unix_ns: int
    failed: bool
    #: `service.name` of the resource, empty for none.
    service: str
    #: The span around it; empty for none, and in log records.
    parent_id: str = ""
    is_span: bool = False
    #: Names of numbers that tell usage (`USAGE_PREFIXES`) and that no rule reads.
    unread: Sequence[str] = ()

    @property
    def has_usage(self) -> bool:
        """Whether it tells what a call used, and is not around such calls."""
        return bool(names.USAGE & self.attributes.keys()) and not _is_around_calls(self.attributes)

    @property
    def is_call(self) -> bool:
        """Whether it is to be metered: a call with its usage, or one that failed without."""
        if self.has_usage:
            return True
        if not self.is_span or _is_around_calls(self.attributes):
            return False
        return _has_failed(self) and _is_call_of_a_model(self.attributes)

    @property
    def response_id(self) -> str | None:
        """The response's id where it is trusted to be unique."""
        given = _first(self.attributes, names.RESPONSE_ID)
        if isinstance(given, str) and len(given) >= RESPONSE_ID_LENGTH_MIN:
            return given
        return None


def adapt(record: GenAiRecord, key: KeyEntry, received: datetime) -> WireEvent | None:
    """Turn a span or log record into a whole event; None for one that is no use of a model.

    ``received`` is the event time of a log record that has none. Raises `EventRejectedError`
    naming the attribute, what is wrong with it and how to fix it.
    """
    if not record.is_call:
        return None
    unread.note(names.REGISTER.name, record.unread)
    attributes = record.attributes
    model = _first(attributes, names.MODEL)
    if model is None:
        raise missing(names.MODEL[0], "model")
    provider = _first(attributes, names.PROVIDER)
    end_ns = record.end_unix_ns
    source = record.service or SOURCE_UNKNOWN
    return assemble(
        {
            "id": _identity(record),
            "source": source if len(source) <= ID_LENGTH_MAX else compact_id(source),
            "tenant": key.tenant,
            "region": key.region,
            "time": moment(end_ns, "the end time") if end_ns else received,
            "duration_ms": duration_ms(record.start_unix_ns, end_ns),
            "status": "error" if _has_failed(record) else "ok",
            "quality": attributes.get(names.QUALITY, "measured"),
            # Some libraries write OpenAI for openai; the conventions' names are lower case.
            **provider_and_model(
                model, provider.lower() if isinstance(provider, str) else provider, key
            ),
            **with_prices(totals(record), attributes).fields(),
        }
    )


def totals(record: GenAiRecord) -> Totals:
    """Read what the call used; raises `EventRejectedError`."""
    attributes = record.attributes
    if not record.has_usage:
        return NO_TOKENS
    input_only = _is_input_only(attributes)
    if names.USAGE_DETAILS in attributes and not any(
        attributes.get(name) is not None for name in (*names.INPUT, *names.OUTPUT)
    ):
        return usage_details(attributes[names.USAGE_DETAILS], input_only=input_only)
    tokens_in, output = _count(attributes, names.INPUT), _count(attributes, names.OUTPUT)
    total = _count(attributes, names.TOTAL)
    if output is None and (input_only or (total is not None and total == tokens_in)):
        output = 0
    reading = Reading(
        input_tokens=_needed(tokens_in, names.INPUT),
        output_tokens=_needed(output, names.OUTPUT),
        cache_read=_count(attributes, names.CACHE_READ),
        cache_write=_count(attributes, names.CACHE_WRITE),
        reasoning=_count(attributes, names.REASONING),
    )
    cached = (reading.cache_read or 0) + (reading.cache_write or 0)
    if names.OPENINFERENCE_INPUT in attributes and cached > reading.input_tokens:
        beside = canonical(reading, OPENINFERENCE_BESIDE)
        if total == reading.input_tokens + reading.output_tokens:
            return beside  # Its own total leaves them out as well.
        return check_total(beside, total, names.TOTAL[0])
    return check_total(canonical(reading, OTEL_GENAI), total, names.TOTAL[0])


def _identity(record: GenAiRecord) -> object:
    """Take the response's id, so that a span and a log record of one call count once.

    What failed without usage has no response: LiteLLM writes its call's id there, which all
    attempts share, so each is known by its span.
    """
    given = _first(record.attributes, names.RESPONSE_ID)
    if given is not None and not isinstance(given, str):
        raise EventRejectedError(
            "wrong_type", f"{names.RESPONSE_ID[0]} is {shown_value(given)}: give a text"
        )
    has_span = record.trace_id.strip("0") and record.span_id.strip("0")
    if record.response_id is not None and (record.has_usage or not has_span):
        return record.response_id
    if has_span:
        return f"{record.trace_id}-{record.span_id}"
    raise EventRejectedError(
        "missing_field",
        f"there is nothing to tell a resend by: give {names.RESPONSE_ID[0]}, or trace and span id",
    )


def _count(attributes: Mapping[str, Any], alike: names.Names) -> int | None:
    """Read a count under any of its names; whole doubles and digits as text are counts too."""
    whole = {name: _whole(attributes[name]) for name in alike if name in attributes}
    return agreed(
        "old and new attributes",
        *((name, optional_count(whole, name, digits=True)) for name in whole),
    )


def is_number(value: object) -> bool:
    """Say whether an attribute's value may be a count: a number, or digits as text."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE_MAX:
        return int(value)
    return value


def _needed(value: int | None, alike: names.Names) -> int:
    if value is None:
        raise missing(alike[0], "input_tokens")
    return value


def _first(attributes: Mapping[str, Any], alike: names.Names) -> Any:
    return next((attributes[name] for name in alike if attributes.get(name)), None)


def _word(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value.lower() if isinstance(value, str) else ""


def _has_failed(record: GenAiRecord) -> bool:
    attributes = record.attributes
    return bool(
        record.failed or attributes.get(names.ERROR) or _word(attributes, names.LEVEL) == "error"
    )


def _is_around_calls(attributes: Mapping[str, Any]) -> bool:
    kind = _word(attributes, names.SPAN_KIND)
    return (
        _word(attributes, names.OPERATION) in names.AROUND_CALLS
        or _word(attributes, names.AI_OPERATION) in names.AI_AROUND_CALLS
        or (bool(kind) and kind not in names.KINDS_OF_CALLS)
    )


def _is_call_of_a_model(attributes: Mapping[str, Any]) -> bool:
    return (
        _word(attributes, names.OPERATION) in names.CALLS
        or _word(attributes, names.REQUEST_TYPE) in names.CALLS
        or _word(attributes, names.SPAN_KIND) in names.KINDS_OF_CALLS
        or _word(attributes, names.OBSERVATION_TYPE) in names.OBSERVATIONS_OF_CALLS
        or ".do" in _word(attributes, names.AI_OPERATION)
    )


def _is_input_only(attributes: Mapping[str, Any]) -> bool:
    """Say whether it is a call that has no output, such as of embeddings."""
    places = (names.OPERATION, names.REQUEST_TYPE, names.SPAN_KIND, names.OBSERVATION_TYPE)
    if any(_word(attributes, place) in names.INPUT_ONLY for place in places):
        return True
    ai_operation = _word(attributes, names.AI_OPERATION)
    return "ai.usage.tokens" in attributes or ai_operation.startswith(("ai.embed", "ai.rerank"))

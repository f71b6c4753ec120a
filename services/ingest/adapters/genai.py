"""PURE: OpenTelemetry's GenAI conventions: attributes of a span or log record to a usage event.

Totals are inclusive by the conventions. Names that were given up are read too, where libraries
still write them; if an old and a new one are both there they must agree. Only calls of models
count: spans of agents and workflows repeat the sums of the calls within them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.wire import WireEvent
from services.ingest.adapters.assembly import (
    RESPONSE_ID_LENGTH_MIN,
    assemble,
    duration_ms,
    missing,
    moment,
    provider_and_model,
)
from services.ingest.adapters.counts import agreed, optional_count
from services.ingest.adapters.totals import INCLUSIVE, Reading, Totals, canonical, check_total
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value
from services.ingest.keys import KeyEntry

OTEL_GENAI: Final = INCLUSIVE

_INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_CACHE_READ: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
)
_CACHE_WRITE: Final = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
)
_REASONING: Final = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens")
_TOTAL: Final = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens")
_USAGE: Final = frozenset((*_INPUT, *_OUTPUT, *_CACHE_READ, *_CACHE_WRITE, *_REASONING))

_OPERATION: Final = "gen_ai.operation.name"
#: The last is Cloudflare's.
_PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "gen_ai.model.provider")
_MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model")
_RESPONSE_ID: Final = "gen_ai.response.id"
_ERROR: Final = "error.type"
#: Ours: a gateway that had to estimate says so.
_QUALITY: Final = "wattoken.quality"
#: What is read of a span's or log record's attributes; the rest may hold whole conversations.
ATTRIBUTES: Final = _USAGE | {
    *_TOTAL,
    _OPERATION,
    *_PROVIDER,
    *_MODEL,
    _RESPONSE_ID,
    _ERROR,
    _QUALITY,
}
#: Every span or log record with usage has this in its bytes.
MARK: Final = b"gen_ai."
#: Operations that hold calls of models and are none.
_AROUND_CALLS: Final = frozenset(
    {"invoke_agent", "create_agent", "execute_tool", "invoke_workflow"}
)
_INPUT_ONLY: Final = frozenset({"embeddings"})
#: The source of what names no service.
SOURCE_UNKNOWN: Final = "opentelemetry"


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


def adapt(record: GenAiRecord, key: KeyEntry, received: datetime) -> WireEvent | None:
    """Turn a span or log record into a whole event; None for one that is no use of a model.

    ``received`` is the event time of a log record that has none. Raises `EventRejectedError`
    naming the attribute, what is wrong with it and how to mend it.
    """
    attributes = record.attributes
    if not _USAGE & attributes.keys() or _operation(attributes) in _AROUND_CALLS:
        return None
    model = _first(attributes, _MODEL)
    if model is None:
        raise missing(_MODEL[0], "model")
    provider = _first(attributes, _PROVIDER)
    end_ns = record.end_unix_ns
    return assemble(
        {
            "id": _identity(record),
            "source": record.service or SOURCE_UNKNOWN,
            "tenant": key.tenant,
            "region": key.region,
            "time": moment(end_ns, "the end time") if end_ns else received,
            "duration_ms": duration_ms(record.start_unix_ns, end_ns),
            "status": "error" if record.failed or attributes.get(_ERROR) else "ok",
            "quality": attributes.get(_QUALITY, "measured"),
            # Some libraries write OpenAI for openai; the conventions' names are lower case.
            **provider_and_model(
                model, provider.lower() if isinstance(provider, str) else provider, key
            ),
            **_totals(attributes).fields(),
        }
    )


def _identity(record: GenAiRecord) -> object:
    """Take the response's id, so that a span and a log record of one call count once."""
    response_id = record.attributes.get(_RESPONSE_ID)
    if response_id is not None and not isinstance(response_id, str):
        raise EventRejectedError(
            "wrong_type", f"{_RESPONSE_ID} is {shown_value(response_id)}: give a text"
        )
    if response_id is not None and len(response_id) >= RESPONSE_ID_LENGTH_MIN:
        return response_id
    if record.trace_id.strip("0") and record.span_id.strip("0"):
        return f"{record.trace_id}-{record.span_id}"
    raise EventRejectedError(
        "missing_field",
        f"there is nothing to tell a resend by: give {_RESPONSE_ID}, or trace and span id",
    )


def _totals(attributes: Mapping[str, Any]) -> Totals:
    output = _count(attributes, _OUTPUT)
    if output is None and _operation(attributes) in _INPUT_ONLY:
        output = 0
    reading = Reading(
        input_tokens=_needed(_count(attributes, _INPUT), _INPUT),
        output_tokens=_needed(output, _OUTPUT),
        cache_read=_count(attributes, _CACHE_READ),
        cache_write=_count(attributes, _CACHE_WRITE),
        reasoning=_count(attributes, _REASONING),
    )
    total = _count(attributes, _TOTAL)
    return check_total(canonical(reading, OTEL_GENAI), total, _TOTAL[0])


def _count(attributes: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return agreed(
        "old and new attributes", *((name, optional_count(attributes, name)) for name in names)
    )


def _needed(value: int | None, names: tuple[str, ...]) -> int:
    if value is None:
        raise missing(names[0], "input_tokens")
    return value


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name)), None)


def _operation(attributes: Mapping[str, Any]) -> str:
    value = attributes.get(_OPERATION)
    return value if isinstance(value, str) else ""

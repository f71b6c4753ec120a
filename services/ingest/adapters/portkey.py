"""PURE: what Portkey's gateway posts from its log hook (`default.log`) after a request.

That is the hook's whole context: request and response with their texts, and the request's headers,
among which are the config with the providers' keys. Only the response's usage, id, time, model and
tier, the kinds of its tools' calls, the status, the provider and the request's model are read; all
else is passed over, and nothing of it is kept, shown or logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from itertools import product
from typing import Any, Final

import msgspec

from schemas.wire import WireEvent
from services.ingest.adapters import provider_usage
from services.ingest.adapters.assembly import (
    RESPONSE_ID_LENGTH_MIN,
    assemble,
    decoded,
    missing,
    moment,
    provider_and_model,
)
from services.ingest.adapters.clock import unix_ns
from services.ingest.adapters.counts import count, optional_count, part
from services.ingest.adapters.price_facts import fields_beside, with_price_facts
from services.ingest.adapters.served import Answer, told_by
from services.ingest.adapters.totals import (
    NO_TOKENS,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields.reading import gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_formats.openai_fields import PRICE_FACTS
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value
from services.ingest.keys.entry import KeyEntry

SOURCE: Final = "portkey"
#: As OpenAI counts, and as Portkey's translation of other providers does: the total tells which.
_INCLUSIONS: Final = tuple(
    Inclusion(caches=caches, reasoning=reasoning)
    for caches, reasoning in product((True, False), (True, False))
)
_USAGE: Final = "response.json.usage."
_FAILED_FROM: Final = 400
_CHAT: Final = "openai_chat"
_PRICE_FACTS: Final = Register("portkey", *PRICE_FACTS)
#: By the kind of request, where its usage is not like that of a chat completion.
_FORMATS: Final = {"messages": "anthropic", "createModelResponse": "openai_responses"}


class _RequestJson(msgspec.Struct):
    model: Any = None


class _Request(msgspec.Struct):
    json: _RequestJson | None = None


class _ResponseJson(Answer):
    id: Any = None
    model: Any = None
    created: msgspec.Raw = msgspec.Raw(b"null")
    created_at: msgspec.Raw = msgspec.Raw(b"null")
    usage: Any = None


class _Response(msgspec.Struct):
    statusCode: Any = None
    json: _ResponseJson | None = None


class _Context(msgspec.Struct):
    """The parts of the hook's context that are read."""

    provider: Any = None
    requestType: Any = None
    request: _Request | None = None
    response: _Response | None = None


_decoder: Final = msgspec.json.Decoder(_Context)


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry, received: datetime) -> WireEvent | None:
    """Turn one log into a whole event; None for one that tells no usage.

    Those are logs of a hook before the request, and of streams, whose answer Portkey does not give
    to its hooks. ``received`` is the event time where the answer has none. Raises
    `EventRejectedError` naming the field, what is wrong with it and how to fix it.
    """
    context = decoded(_decoder, raw, "log of Portkey's log hook")
    answer = context.response or _Response()
    status = answer.statusCode
    if status is not None and (isinstance(status, bool) or not isinstance(status, int)):
        raise EventRejectedError(
            "wrong_type", f"response.statusCode is {shown_value(status)}: give an HTTP status"
        )
    body = answer.json or _ResponseJson()
    failed = status is not None and status >= _FAILED_FROM
    if status is None or (body.usage is None and not failed):
        return None
    return assemble(
        {
            "id": _identity(body.id, raw, received),
            "source": SOURCE,
            "tenant": key.tenant,
            "region": key.region,
            "time": _time(body, received),
            "status": "error" if failed else "ok",
            **_provider_and_model(context, body, key),
            **_quantities(context.requestType, body),
        }
    )


def _identity(given: object, raw: bytes | msgspec.Raw, received: datetime) -> object:
    """Take the response's id. Portkey posts each log once, so one without an id is one of its own.

    The digest is of the whole log and the time of its receipt; nothing can be read out of it.
    """
    if isinstance(given, str) and len(given) >= RESPONSE_ID_LENGTH_MIN:
        return given
    seen = received.isoformat().encode() + bytes(raw)
    return f"portkey-{sha256(seen).hexdigest()}"


def _time(body: _ResponseJson, received: datetime) -> datetime:
    for name in ("created", "created_at"):
        found_ns = unix_ns(getattr(body, name), f"response.json.{name}")
        if found_ns is not None:
            return moment(found_ns, f"response.json.{name}")
    return received


def _provider_and_model(context: _Context, body: _ResponseJson, key: KeyEntry) -> dict[str, Any]:
    asked = context.request.json if context.request is not None else None
    model = body.model or (asked.model if asked is not None else None)
    if not model:
        raise missing("response.json.model", "model")
    return provider_and_model(model, context.provider or None, key)


def _quantities(request_type: object, body: _ResponseJson) -> dict[str, Any]:
    usage_format = _FORMATS.get(request_type) if isinstance(request_type, str) else None
    if usage_format is None:
        usage_format = _CHAT
        if isinstance(body.usage, dict) and "input_tokens" in body.usage:
            usage_format = _CHAT if "prompt_tokens" in body.usage else "openai_responses"
    return fields_beside(_totals(usage_format, body.usage), told_by(body), usage_format)


def _totals(usage_format: str, usage: object) -> Totals:
    if usage is None:
        return NO_TOKENS
    if usage_format != _CHAT:
        return provider_usage.read(usage, usage_format)
    if not isinstance(usage, dict):
        raise EventRejectedError(
            "wrong_type", f"{_USAGE[:-1]} is {shown_value(usage)}: give the provider's usage object"
        )
    return with_price_facts(_translated(usage), gather(usage, _PRICE_FACTS, _USAGE))


def _translated(usage: Mapping[str, Any]) -> Totals:
    """Read OpenAI's shape as Portkey fills it: Anthropic's caches stand beside `prompt_tokens`."""
    prompt = part(usage, "prompt_tokens_details", _USAGE)
    completion = part(usage, "completion_tokens_details", _USAGE)
    tokens_in = count(usage, "prompt_tokens", _USAGE)
    total = optional_count(usage, "total_tokens", _USAGE)
    read = _first(usage, "cache_read_input_tokens", prompt, "cached_tokens")
    write = _first(usage, "cache_creation_input_tokens", prompt, "cache_write_tokens")
    output = optional_count(usage, "completion_tokens", _USAGE)
    if output is None and total == tokens_in + (read or 0) + (write or 0):
        output = 0  # As of embeddings: the total proves it.
    reading = Reading(
        input_tokens=tokens_in,
        output_tokens=count(usage, "completion_tokens", _USAGE) if output is None else output,
        cache_read=read,
        cache_write=write,
        reasoning=optional_count(completion, "reasoning_tokens", _USAGE),
    )
    for inclusion in _INCLUSIONS:
        totals = canonical(reading, inclusion)
        if total == totals.input_tokens + totals.output_tokens:
            return totals
    return check_total(canonical(reading, _INCLUSIONS[0]), total, f"{_USAGE}total_tokens")


def _first(
    usage: Mapping[str, Any], name: str, details: Mapping[str, Any], detail: str
) -> int | None:
    own = optional_count(usage, name, _USAGE)
    inner = optional_count(details, detail, f"{_USAGE}prompt_tokens_details.")
    return inner if own is None else own

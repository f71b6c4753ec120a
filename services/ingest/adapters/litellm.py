"""PURE: LiteLLM's StandardLoggingPayload, as its generic API callback posts it.

LiteLLM turns every provider's usage into OpenAI's convention: `usage_formats/litellm.py` reads it,
from `metadata.usage_object` and from the totals in the payload itself. The tier is that of the
answer, else of its usage, else the one that was asked for: streams are logged without (its
`service_tier_utils`). What is beside these fields (messages, the answer's text, costs) is skipped
without being built.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.wire import WireEvent
from services.ingest.adapters import provider_usage
from services.ingest.adapters.assembly import (
    RESPONSE_ID_LENGTH_MIN,
    assemble,
    decoded,
    duration_ms,
    failed_attempt_id,
    missing,
    moment,
    provider_and_model,
)
from services.ingest.adapters.clock import unix_ns
from services.ingest.adapters.price_facts import fields_beside
from services.ingest.adapters.served import beside_usage
from services.ingest.adapters.totals import NO_TOKENS, Totals
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value
from services.ingest.keys.entry import KeyEntry

#: As its `openmeter` callback names itself, so that a call which both report counts once.
SOURCE: Final = "litellm-proxy"
_FORMAT: Final = "litellm"
_USAGE: Final = "metadata.usage_object."
_TIER: Final = "service_tier"
#: What LiteLLM writes for a response that has no id: Python's text of None.
_NO_ID: Final = "None"


class _Metadata(msgspec.Struct):
    usage_object: Any = None


class _Payload(msgspec.Struct):
    """The fields of a payload that matter here; their types are checked where they are read."""

    id: Any = None
    litellm_call_id: Any = None
    status: Any = None
    custom_llm_provider: Any = None
    model: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    #: As text: a float holds no more than a quarter of a microsecond of these years.
    startTime: msgspec.Raw = msgspec.Raw(b"null")
    endTime: msgspec.Raw = msgspec.Raw(b"null")
    cache_hit: Any = None
    metadata: _Metadata | None = None
    response: msgspec.Raw = msgspec.Raw(b"null")
    model_parameters: msgspec.Raw = msgspec.Raw(b"null")


_decoder: Final = msgspec.json.Decoder(_Payload)


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry) -> WireEvent | None:
    """Turn one payload into a whole event; None for one that used no tokens of a provider.

    That is an answer from LiteLLM's own cache, and a call that is none of a model. Raises
    `EventRejectedError` naming the field, what is wrong with it and how to fix it.
    """
    payload = decoded(_decoder, raw, "StandardLoggingPayload of LiteLLM")
    usage = {} if payload.metadata is None else payload.metadata.usage_object
    if _is_no_usage(payload, usage):
        return None
    start_ns = unix_ns(payload.startTime, "startTime") or 0
    end_ns = unix_ns(payload.endTime, "endTime")
    if end_ns is None:
        raise missing("endTime", "time")
    return assemble(
        {
            "id": _identity(payload, start_ns),
            "source": SOURCE,
            "tenant": key.tenant,
            "region": key.region,
            "time": moment(end_ns, "endTime"),
            "duration_ms": duration_ms(start_ns, end_ns),
            "status": _status(payload),
            **_provider_and_model(payload, key),
            **_quantities(payload, usage),
        }
    )


def _is_no_usage(payload: _Payload, usage: object) -> bool:
    if payload.cache_hit is True:
        return True
    # A failed call counts as a failed request, with what it used if anything.
    return payload.status == "success" and not (
        usage or payload.prompt_tokens or payload.completion_tokens
    )


def _identity(payload: _Payload, start_ns: int) -> object:
    """Take the response's id, or the call's where that is none or not unique.

    A call's id is shared by its attempts: those that failed are told apart by when they began, so
    that each counts, and the success after them too.
    """
    given, call = payload.id, payload.litellm_call_id
    trusted = isinstance(given, str) and len(given) >= RESPONSE_ID_LENGTH_MIN
    if trusted and given != call:
        return given
    chosen = given if call is None else call
    if chosen is None or chosen == _NO_ID:
        raise missing("id", "id")
    if payload.status == "failure" and isinstance(chosen, str):
        return failed_attempt_id(chosen, start_ns)
    return chosen


def _provider_and_model(payload: _Payload, key: KeyEntry) -> dict[str, Any]:
    if not payload.model:
        raise missing("model", "model")
    return provider_and_model(payload.model, payload.custom_llm_provider or None, key)


def _status(payload: _Payload) -> str:
    match payload.status:
        case "success":
            return "ok"
        case "failure":
            return "error"
        case other:
            raise EventRejectedError(
                "invalid_value", f"status is {shown_value(other)}: give success or failure"
            )


def _quantities(payload: _Payload, usage: object) -> dict[str, Any]:
    totals = _totals(payload, usage)
    beside = beside_usage(payload.response)
    if totals.service_tier is None and beside.get(_TIER) is None:
        beside[_TIER] = beside_usage(payload.model_parameters).get(_TIER)
    return fields_beside(totals, beside, _FORMAT)


def _totals(payload: _Payload, usage: object) -> Totals:
    whole = dict(usage) if isinstance(usage, dict) else {}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if (given := getattr(payload, name)) is not None:
            whole[name] = given
    if payload.status == "failure" and not whole:
        # It says nothing of what it used, so that was nothing.
        return NO_TOKENS
    return provider_usage.read_objects([whole], _FORMAT, _USAGE)

"""PURE: CloudEvents, as OpenMeter's SDKs, LiteLLM's callback and the CloudEvents SDKs send them.

Identity and time come from the envelope, tenant and region from the API key (`subject` is
OpenMeter's customer, and a body never says whom to bill). The quantities in `data` come in one
of four forms:

========================================  =======================================================
``input_tokens``, ``output_tokens``, …    our own names, optional fields among them
``prompt_tokens``, ``completion_tokens``  LiteLLM's `openmeter` callback; ``total_tokens``, where
                                          present and not 0, must be their sum
``tokens``, ``type: input | output``      OpenMeter's sample: one event per kind
``usage``, ``usage_format``               a provider's usage object as it came
========================================  =======================================================

Counts may be digits as text. All totals include their parts but those of a usage object, which
`provider_usage.py` reads. The tier and units may stand beside any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.wire import WireEvent
from services.ingest.adapters import provider_usage
from services.ingest.adapters.assembly import assemble, provider_and_model
from services.ingest.adapters.counts import count, optional_count
from services.ingest.adapters.field_sizes import check_field, check_fields
from services.ingest.adapters.native import foreign_tenant
from services.ingest.adapters.price_facts import PARTS, UNITS, fields_beside
from services.ingest.adapters.totals import (
    INCLUSIVE,
    NO_TOKENS,
    Reading,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields import unread
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    inside,
    known,
    other_unit,
    tier,
    total,
    unit,
)
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED, shown_value
from services.ingest.keys.entry import KeyEntry

OPENMETER: Final = INCLUSIVE
#: What may be in `data` of a CloudEvent; a usage object has the register of its format.
REGISTER: Final = Register(
    "cloudevents",
    total(Quantity.INPUT, "input_tokens", "prompt_tokens", "tokens"),
    total(Quantity.OUTPUT, "output_tokens", "completion_tokens"),
    total(Quantity.SUM, "total_tokens"),
    inside(Quantity.CACHE_READ, "cache_read_input_tokens"),
    inside(Quantity.CACHE_WRITE, "cache_write_input_tokens"),
    inside(Quantity.REASONING, "reasoning_output_tokens"),
    *(inside(quantities[0], name) for name, quantities in PARTS.items()),
    *(unit(quantities[0], name) for name, quantities in UNITS.items()),
    tier("service_tier"),
    other_unit("cost", "duration_ms"),
    known("usage.*", "usage[].*"),
)
#: Our own fields that `data` may carry beside the quantities.
_OWN_FIELDS: Final = ("status", "quality", "duration_ms", "entry", "adjusts", "reason", "region")
_SUBSETS: Final = (
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
    *PARTS,
)
_TIER: Final = "service_tier"
_KINDS: Final = {"input": "input_tokens", "output": "output_tokens"}
_DATA: Final = "data."
#: The forms of quantities, each by its first field, and the fields that tell it.
_FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": ("input_tokens", "output_tokens"),
    "prompt_tokens": ("prompt_tokens", "completion_tokens"),
    "tokens": ("tokens",),
    "usage": provider_usage.FIELDS,
}


class _Envelope(msgspec.Struct):
    """What is read of a CloudEvent; the rest is passed over."""

    specversion: Any = None
    id: Any = None
    source: Any = None
    type: Any = None
    time: Any = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


#: What is read of its data, which may hold whole conversations beside.
_DATA_FIELDS: Final = frozenset(
    (
        *("model", "provider", "tenant", "type", "total_tokens", _TIER),
        *_OWN_FIELDS,
        *_SUBSETS,
        *UNITS,
        *(name for form in _FORMS.values() for name in form),
    )
)
_envelope: Final = msgspec.json.Decoder(_Envelope)
_data_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
#: An object beside them above this is content: no numbers are looked for in it.
_NUMBERS_BYTES_MAX: Final = 4096
_NUMBERS: Final = frozenset(bytes([byte]) for byte in b"-0123456789")


def _data_fields(raw: bytes | msgspec.Raw) -> Any:
    """Read the fields of the data that matter; the whole of what is no object, for its message.

    And numbers, alone or in small objects, for the register; nothing else is decoded.
    """
    if bytes(raw)[:64].lstrip()[:1] != b"{":
        check_field("data", raw)
        return msgspec.json.decode(raw)
    fields: dict[str, Any] = {}
    for name, value in _data_decoder.decode(raw).items():
        if name in _DATA_FIELDS:
            check_field(f"data.{name}", value)
            fields[name] = msgspec.json.decode(value)
        elif (text := bytes(value))[:1] in _NUMBERS or (
            text[:1] == b"{" and len(text) <= _NUMBERS_BYTES_MAX
        ):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                fields[name] = msgspec.json.decode(text)
    return fields


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry, received: datetime) -> WireEvent:
    """Turn one CloudEvent (JSON, structured mode) into a whole event.

    ``received`` is the event time of an event that has none. Raises `EventRejectedError` naming
    the field, what is wrong with it and how to fix it.
    """
    try:
        check_fields(_envelope, raw)
        read = _envelope.decode(raw)
        envelope = {name: getattr(read, name) for name in read.__struct_fields__}
        envelope["data"] = _data_fields(read.data)
        if read.data_base64 is msgspec.UNSET:
            del envelope["data_base64"]
    except msgspec.ValidationError:
        raise EventRejectedError("not_an_object", "a CloudEvent must be a JSON object") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventRejectedError("invalid_json", f"this is no JSON: {error}") from None
    return _adapt(envelope, key, received)


def adapt_binary(
    attributes: Mapping[str, str], raw: bytes, key: KeyEntry, received: datetime
) -> WireEvent:
    """Turn one CloudEvent in binary mode, attributes in headers and data as body, into an event.

    Raises as `adapt` does.
    """
    try:
        data = _data_fields(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventRejectedError("invalid_json", f"the data is no JSON: {error}") from None
    return _adapt({**attributes, "data": data}, key, received)


def _adapt(envelope: dict[str, Any], key: KeyEntry, received: datetime) -> WireEvent:
    data = _data(envelope)
    unread.note(REGISTER.name, REGISTER.unread(data))
    fields: dict[str, Any] = {
        "id": _envelope_text(envelope, "id"),
        "source": _envelope_text(envelope, "source"),
        "tenant": _tenant(data, key),
        "region": key.region,
        **{name: data[name] for name in _OWN_FIELDS if data.get(name) is not None},
        **_provider_and_model(data, key),
        **_quantities(data),
    }
    time = envelope.get("time")
    # As a time, not as text: what we write ourselves needs no parsing.
    fields["time"] = received if time is None else time
    return assemble(fields)


def _envelope_text(envelope: dict[str, Any], name: str) -> Any:
    if envelope.get(name) is None:
        raise EventRejectedError(
            "missing_field", f"{name} is missing: CloudEvents need it; give {EXPECTED[name]}"
        )
    return envelope[name]


def _data(envelope: dict[str, Any]) -> dict[str, Any]:
    """Check the envelope as far as it concerns us, and take the data out of it."""
    version = envelope.get("specversion")
    if version != "1.0":
        raise EventRejectedError(
            "invalid_value", f"specversion is {shown_value(version)}: give the text '1.0'"
        )
    event_type = envelope.get("type")
    if not isinstance(event_type, str) or not event_type:
        raise EventRejectedError(
            "missing_field", "type is missing: CloudEvents need it; give any text"
        )
    data = envelope.get("data")
    if data is None:
        hint = " as JSON in data, not in data_base64" if "data_base64" in envelope else ""
        raise EventRejectedError(
            "missing_field", f"data is missing: give the model and its token counts{hint}"
        )
    if not isinstance(data, dict):
        raise EventRejectedError(
            "wrong_type", f"data is {shown_value(data)}: give a JSON object with token counts"
        )
    return data


def _tenant(data: dict[str, Any], key: KeyEntry) -> str:
    tenant = data.get("tenant")
    if tenant is None:
        return key.tenant
    if not isinstance(tenant, str) or not key.allows_tenant(tenant):
        raise foreign_tenant()
    return tenant


def _provider_and_model(data: dict[str, Any], key: KeyEntry) -> dict[str, Any]:
    model = data.get("model")
    if model is None:
        raise EventRejectedError(
            "missing_field", f"data.model is missing: give {EXPECTED['model']}"
        )
    return provider_and_model(model, data.get("provider"), key)


def _quantities(data: dict[str, Any]) -> dict[str, Any]:
    forms = [name for name, fields in _FORMS.items() if _any(data, fields)]
    if "usage" in forms and len(forms) > 1:
        raise EventRejectedError(
            "unknown_field",
            f"data.{forms[0]} is given beside data.usage: leave out one of them, so nothing"
            " counts twice",
        )
    told = [name for name in forms if name != "usage" or data.get("usage") is not None]
    beside = _units(data) | {_TIER: data.get(_TIER)}
    if not told and data.get("status") == "error":
        # A failed call that says nothing of what it used, used nothing.
        return fields_beside(NO_TOKENS, beside, str(data.get("usage_format")))
    match forms:
        case ["usage"]:
            usage_format = data.get("usage_format")
            totals = provider_usage.read(data.get("usage"), usage_format)
            return fields_beside(totals, beside, str(usage_format))
        case ["input_tokens", *_]:
            counts = {name: _count(data, name) for name in ("input_tokens", "output_tokens")}
            return _subsets(data) | counts | beside
        case ["prompt_tokens", *_]:
            return _subsets(data) | _prompt_and_completion(data) | beside
        case ["tokens"]:
            return _one_kind(data) | beside
    raise EventRejectedError(
        "no_token_counts",
        "data has no token counts: give prompt_tokens and completion_tokens, or input_tokens and"
        " output_tokens, or tokens with type input or output, or usage with usage_format",
    )


def _any(data: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(data.get(name) is not None for name in names)


def _subsets(data: dict[str, Any]) -> dict[str, int | None]:
    return {name: optional_count(data, name, _DATA, digits=True) for name in _SUBSETS}


def _units(data: dict[str, Any]) -> dict[str, int | None]:
    return {name: optional_count(data, name, _DATA, digits=True) for name in UNITS}


def _prompt_and_completion(data: dict[str, Any]) -> dict[str, int | None]:
    # LiteLLM writes 0 where a provider gives no sum.
    whole = optional_count(data, "total_tokens", _DATA, digits=True) or None
    if data.get("completion_tokens") is None and whole == _count(data, "prompt_tokens"):
        return {"input_tokens": whole, "output_tokens": 0}  # Embeddings: the sum proves it.
    reading = Reading(_count(data, "prompt_tokens"), _count(data, "completion_tokens"))
    totals = check_total(canonical(reading, OPENMETER), whole, "data.total_tokens")
    return {"input_tokens": totals.input_tokens, "output_tokens": totals.output_tokens}


def _one_kind(data: dict[str, Any]) -> dict[str, int | None]:
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise EventRejectedError(
            "invalid_value", f"data.type is {shown_value(kind)}: give input or output"
        )
    # The event is about the one kind only: the other is not missing, it has an event of its own.
    return {"input_tokens": 0, "output_tokens": 0, _KINDS[kind]: _count(data, "tokens")}


def _count(data: dict[str, Any], name: str) -> int:
    """Read a quantity: an integer, or its digits as text, as OpenMeter's sample has it."""
    return count(data, name, _DATA, digits=True)

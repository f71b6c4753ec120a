"""PURE: CloudEvents as OpenMeter's ingest API takes them, from its SDKs and from LiteLLM.

Identity and time come from the envelope, tenant and region from the API key (`subject` is
OpenMeter's customer, and a body never says whom to bill). The quantities in `data` come in one
of three forms:

======================================  =========================================================
``input_tokens``, ``output_tokens``, …  our own names, optional fields among them
``prompt_tokens``, ``completion_tokens``  LiteLLM's `openmeter` callback; ``total_tokens``, where
                                        present, must be their sum
``tokens``, ``type: input | output``    OpenMeter's sample: one event per kind
======================================  =========================================================
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.usage_event import TOKENS_MAX
from schemas.wire import WireEvent
from services.ingest.adapters.native import foreign_tenant
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED, explain, shown_value
from services.ingest.keys import KeyEntry

#: Stands for a provider that neither the event nor its key names.
PROVIDER_UNKNOWN: Final = "unknown"
#: Our own fields that `data` may carry beside the quantities.
_OWN_FIELDS: Final = ("status", "quality", "duration_ms", "entry", "adjusts", "reason", "region")
_SUBSETS: Final = (
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
)
_KINDS: Final = {"input": "input_tokens", "output": "output_tokens"}
#: 10**12 has 13 digits; more than this is out of range whatever they are.
_DIGITS_MAX: Final = 20


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry, received: datetime) -> WireEvent:
    """Turn one CloudEvent (JSON, structured mode) into a whole event.

    ``received`` is the event time of an event that has none. Raises `EventRejectedError` naming
    the field, what is wrong with it and how to mend it.
    """
    try:
        envelope: Any = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventRejectedError("invalid_json", f"this is no JSON: {error}") from None
    if not isinstance(envelope, dict):
        raise EventRejectedError("not_an_object", "a CloudEvent must be a JSON object")
    data = _data(envelope)
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
    return _whole_event(fields)


def _whole_event(fields: dict[str, Any]) -> WireEvent:
    try:
        return msgspec.convert(fields, WireEvent)
    except msgspec.ValidationError as error:
        if isinstance(fields["time"], datetime):
            fields["time"] = fields["time"].isoformat()
        raise explain(fields, str(error)) from None


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
    if data.get("tenant") not in (None, key.tenant):
        raise foreign_tenant()
    return key.tenant


def _provider_and_model(data: dict[str, Any], key: KeyEntry) -> dict[str, Any]:
    """Tell provider and model apart: LiteLLM writes ``openai/gpt-4o`` for both."""
    model = data.get("model")
    if model is None:
        raise EventRejectedError(
            "missing_field", f"data.model is missing: give {EXPECTED['model']}"
        )
    provider = data.get("provider")
    if isinstance(model, str):
        prefix, slash, rest = model.partition("/")
        if slash and prefix and rest and provider in (None, prefix):
            provider, model = prefix, rest
    if provider is None:
        provider = key.provider or PROVIDER_UNKNOWN
    return {"provider": provider, "model": model}


def _quantities(data: dict[str, Any]) -> dict[str, Any]:
    subsets = {name: _count(data, name) for name in _SUBSETS if data.get(name) is not None}
    if data.get("input_tokens") is not None or data.get("output_tokens") is not None:
        return subsets | {
            "input_tokens": _count(data, "input_tokens"),
            "output_tokens": _count(data, "output_tokens"),
        }
    if data.get("prompt_tokens") is not None or data.get("completion_tokens") is not None:
        return subsets | _prompt_and_completion(data)
    if data.get("tokens") is not None:
        return _one_kind(data)
    raise EventRejectedError(
        "no_token_counts",
        "data has no token counts: give prompt_tokens and completion_tokens, or input_tokens and"
        " output_tokens, or tokens with type input or output",
    )


def _prompt_and_completion(data: dict[str, Any]) -> dict[str, int]:
    prompt, completion = _count(data, "prompt_tokens"), _count(data, "completion_tokens")
    if data.get("total_tokens") is not None:
        total = _count(data, "total_tokens")
        if total != prompt + completion:
            raise EventRejectedError(
                "total_mismatch",
                f"data.total_tokens is {total}, but prompt_tokens + completion_tokens is"
                f" {prompt + completion}: correct one of them, or leave total_tokens out",
            )
    return {"input_tokens": prompt, "output_tokens": completion}


def _one_kind(data: dict[str, Any]) -> dict[str, int]:
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise EventRejectedError(
            "invalid_value", f"data.type is {shown_value(kind)}: give input or output"
        )
    # The event is about the one kind only: the other is not missing, it has an event of its own.
    return {"input_tokens": 0, "output_tokens": 0, _KINDS[kind]: _count(data, "tokens")}


def _count(data: dict[str, Any], name: str) -> int:
    """Read a quantity: an integer, or its digits as text, as OpenMeter's sample has it."""
    value = data.get(name)
    if value is None:
        raise EventRejectedError(
            "missing_field", f"data.{name} is missing: give {EXPECTED['input_tokens']}"
        )
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value) if len(value) <= _DIGITS_MAX else -1
    if not isinstance(value, int) or isinstance(value, bool):
        raise EventRejectedError(
            "wrong_type",
            f"data.{name} is {shown_value(value)}: give {EXPECTED['input_tokens']}",
        )
    if not 0 <= value <= TOKENS_MAX:
        raise EventRejectedError(
            "out_of_range",
            f"data.{name} is {shown_value(data[name])}: give {EXPECTED['input_tokens']}",
        )
    return value

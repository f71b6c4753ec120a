"""PURE: native events. The API key fills in what it knows: tenant, region, perhaps provider.

Instead of our own token fields an event may carry the provider's usage object as it came
(`provider_usage.py`), with what its answer says beside that: the tier in the provider's own word,
and units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from schemas.identity import compact_id
from schemas.wire import Name, UncheckedEvent, WireEvent
from services.ingest.adapters import provider_usage
from services.ingest.adapters.assembly import assemble
from services.ingest.adapters.field_sizes import check_field
from services.ingest.adapters.price_facts import PARTS, UNITS, fields_beside
from services.ingest.adapters.totals import NO_TOKENS
from services.ingest.errors import EventRejectedError
from services.ingest.explain import explain
from services.ingest.keys.entry import KeyEntry
from services.ingest.providers import provider_and_model_of

#: What a usage object tells; an event with one has none of them itself.
_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
    *PARTS,
)
_COUNTS: Final = (*_TOKENS, *UNITS)
#: What providers tell of the price beside their usage object.
_BESIDE: Final = ("service_tier", *UNITS)


LongId = Annotated[str, msgspec.Meta(min_length=1)]


class NativeEvent(UncheckedEvent, frozen=True, gc=False, kw_only=True):
    """A usage event as a gateway may send it: without what its key says already."""

    id: LongId
    time: str  # type: ignore[assignment]

    tenant: Name | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]
    region: Name | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]
    provider: Name | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]
    adjusts: LongId | None = None


_one: Final = msgspec.json.Decoder(NativeEvent)


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry) -> WireEvent:
    """Turn the JSON text of one native event into a whole event.

    Raises `EventRejectedError` naming the field, what is wrong with it and how to fix it.
    """
    try:
        event = _one.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _otherwise(raw, key, str(error))
    return _complete(event, key)


def _complete(event: NativeEvent, key: KeyEntry) -> WireEvent:
    """Fill in what the key knows."""
    fields = msgspec.structs.asdict(event)
    if event.tenant is msgspec.UNSET:
        fields["tenant"] = key.tenant
    elif not key.allows_tenant(event.tenant):
        raise foreign_tenant()
    if event.region is msgspec.UNSET:
        fields["region"] = key.region
    said = key.provider if event.provider is msgspec.UNSET else event.provider
    fields["provider"], fields["model"] = provider_and_model_of(event.model, said)
    if fields["provider"] is None:
        raise _provider_missing()
    # Recreated, not filled up: a redefined field is written at the end, not in the wire's order.
    return assemble(fields)


def foreign_tenant() -> EventRejectedError:
    """Refuse an event whose tenant is not the key's."""
    return EventRejectedError(
        "tenant_not_allowed",
        "tenant is not the one this API key is bound to: leave it out, or use that tenant's key",
    )


def _provider_missing() -> EventRejectedError:
    return EventRejectedError(
        "missing_field",
        "provider is missing: give who served the tokens, such as openai, or have a"
        " provider bound to the API key",
    )


def _otherwise(raw: bytes | msgspec.Raw, key: KeyEntry, fallback: str) -> WireEvent:
    """Take an event with a usage object; raises `EventRejectedError` for anything else."""
    # Whatever it is: an event has a few fields, and a usage object some dozens.
    check_field("the event", raw)
    try:
        fields: Any = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise EventRejectedError("invalid_json", f"this is no JSON: {fallback}") from None
    if not isinstance(fields, dict):
        raise EventRejectedError("not_an_object", "an event must be a JSON object")
    given = {"tenant": key.tenant, "region": key.region}
    if key.provider is not None:
        given["provider"] = key.provider
    if isinstance(fields.get("tenant"), str) and not key.allows_tenant(fields["tenant"]):
        raise foreign_tenant()
    if any(name in fields for name in provider_usage.FIELDS):
        return _from_usage(given | fields)
    event = given | fields
    for name in ("id", "adjusts"):
        if isinstance(event.get(name), str):
            event[name] = compact_id(event[name])
    if _is_failure_without_counts(fields):
        return assemble(_with_provider(event) | {"input_tokens": 0, "output_tokens": 0})
    raise explain(event, fallback)


def _is_failure_without_counts(fields: Mapping[str, Any]) -> bool:
    """Say whether it is a failed call that says nothing of what it used: then that was nothing."""
    return fields.get("status") == "error" and all(fields.get(name) is None for name in _COUNTS)


def _from_usage(fields: dict[str, Any]) -> WireEvent:
    """Make an event of one whose counts are in a provider's usage object."""
    beside = [name for name in _TOKENS if name in fields]
    if beside:
        raise EventRejectedError(
            "unknown_field",
            f"{beside[0]} is given beside usage: leave out one of them, so nothing counts twice",
        )
    told = {name: fields[name] for name in _BESIDE if fields.get(name) is not None}
    taken = (*provider_usage.FIELDS, *_BESIDE)
    event = _with_provider({name: value for name, value in fields.items() if name not in taken})
    usage, usage_format = fields.get("usage"), fields.get("usage_format")
    if usage is None and event.get("status") == "error":
        return assemble(event | fields_beside(NO_TOKENS, told, str(usage_format)))
    totals = provider_usage.read(usage, usage_format)
    return assemble(event | fields_beside(totals, told, str(usage_format)))


def _with_provider(fields: dict[str, Any]) -> dict[str, Any]:
    """Name provider and model as the catalogue does."""
    event = dict(fields)
    model, said = event.get("model"), event.get("provider")
    if isinstance(model, str) and (said is None or isinstance(said, str)):
        event["provider"], event["model"] = provider_and_model_of(model, said)
    if event.get("provider") is None and "provider" not in fields:
        raise _provider_missing()
    return event

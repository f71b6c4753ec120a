"""PURE: native events. The API key fills in what it knows: tenant, region, perhaps provider."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

import msgspec

from schemas.wire import Name, WireEvent
from services.ingest.errors import EventRejectedError
from services.ingest.explain import explain
from services.ingest.keys import KeyEntry


class NativeEvent(WireEvent, frozen=True, gc=False, kw_only=True):
    """A usage event as a gateway may send it: without what its key says already."""

    tenant: Name | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]
    region: Name | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]
    provider: Name | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]


_one: Final = msgspec.json.Decoder(NativeEvent)
_many: Final = msgspec.json.Decoder(list[NativeEvent])


def adapt_all(body: bytes, key: KeyEntry) -> list[WireEvent] | None:
    """Turn a whole JSON array into events at once; None where any of them has a fault.

    The quick way for the usual case: the faulty event is then found by `adapt`, one by one.
    """
    try:
        return [_complete(event, key) for event in _many.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, EventRejectedError):
        return None


def adapt(raw: bytes | msgspec.Raw, key: KeyEntry) -> WireEvent:
    """Turn the JSON text of one native event into a whole event.

    Raises `EventRejectedError` naming the field, what is wrong with it and how to mend it.
    """
    try:
        event = _one.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _fault(raw, key, str(error)) from None
    return _complete(event, key)


def _complete(event: NativeEvent, key: KeyEntry) -> WireEvent:
    """Fill in what the key knows; the struct is frozen, but nobody else has it yet."""
    if event.tenant is msgspec.UNSET:
        msgspec.structs.force_setattr(event, "tenant", key.tenant)
    elif event.tenant != key.tenant:
        raise foreign_tenant()
    if event.region is msgspec.UNSET:
        msgspec.structs.force_setattr(event, "region", key.region)
    if event.provider is msgspec.UNSET:
        if key.provider is None:
            raise EventRejectedError(
                "missing_field",
                "provider is missing: give who served the tokens, such as openai, or have a"
                " provider bound to the API key",
            )
        msgspec.structs.force_setattr(event, "provider", key.provider)
    if event.time.tzinfo is not UTC:
        msgspec.structs.force_setattr(event, "time", event.time.astimezone(UTC))
    return event


def foreign_tenant() -> EventRejectedError:
    """Refuse an event whose tenant is not the key's."""
    return EventRejectedError(
        "tenant_not_allowed",
        "tenant is not the one this API key is bound to: leave it out, or use that tenant's key",
    )


def _fault(raw: bytes | msgspec.Raw, key: KeyEntry, fallback: str) -> EventRejectedError:
    try:
        fields: Any = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return EventRejectedError("invalid_json", f"this is no JSON: {fallback}")
    if not isinstance(fields, dict):
        return EventRejectedError("not_an_object", "an event must be a JSON object")
    given = {"tenant": key.tenant, "region": key.region}
    if key.provider is not None:
        given["provider"] = key.provider
    if isinstance(fields.get("tenant"), str) and fields["tenant"] != key.tenant:
        return foreign_tenant()
    return explain(given | fields, fallback)

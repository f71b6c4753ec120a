"""PURE: a whole body of native events at once, the quick way for the usual case.

One pass of C code decodes the batch into a struct whose defaults are what the key says; what is
left to do in Python for each event is a check of its fields taken together and the hash of its
identity. Where any event has a fault there is no result, and the slow way names the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import lru_cache, partial
from typing import Annotated, Any, Final, NamedTuple, get_type_hints

import msgspec
from xxhash import xxh3_128_digest

from schemas.event_rules import TIME_MAX, TIME_MIN, inconsistency, tells_closer
from schemas.identity import ID_LENGTH_MAX, compact_id, identity_hash, identity_prefix
from schemas.wire import PlainEvent, UncheckedEvent, read_times
from services.ingest.failed_calls import names_of_failed, used_nothing
from services.ingest.keys.key import Key
from services.ingest.providers import provider_and_model_of
from services.ingest.records import Record
from services.ingest.times import ANY_TIME, TimeLimits

_encode: Final = msgspec.json.Encoder().encode
#: Each decoder holds a struct type of a few kilobytes; keys that stand for the same share one.
_DECODERS_MAX: Final = 4096
#: Each of `CLOSER_SUBSETS`, and what they are parts of, has one of these in its name.
_KINDS: Final = (b"_5m_", b"_1h_", b"audio_", b"image_")
_LongId = Annotated[str, msgspec.Meta(min_length=1)]


def records_of_array(body: bytes, key: Key, times: TimeLimits = ANY_TIME) -> list[Record] | None:
    """Turn a JSON array of native events into records; None where any of them has a fault."""
    return _first(key, lambda kind: kind.many.decode(body), times, body)


def record_of_object(body: bytes, key: Key, times: TimeLimits = ANY_TIME) -> list[Record] | None:
    """Turn one native event into its record; None where it has a fault."""
    return _first(key, lambda kind: [kind.one.decode(body)], times, body)


def records_of_lines(body: bytes, key: Key, times: TimeLimits = ANY_TIME) -> list[Record] | None:
    """Turn NDJSON into records; None where any line is blank or its event has a fault."""

    def decode(kind: _Kind) -> Sequence[Any] | None:
        events = kind.one.decode_lines(body)
        # The decoder would also take one event that goes over several lines.
        whole = len(events) == body.count(b"\n") + (not body.endswith(b"\n"))
        return events if whole else None

    return _first(key, decode, times, body)


def _first(
    key: Key,
    decode: Callable[[_Kind], Sequence[Any] | None],
    times: TimeLimits,
    body: bytes,
) -> list[Record] | None:
    """Make records with the first kind of struct that has a place for all that the events say."""
    for kind in _kinds(key.entry.tenant, key.entry.region, key.entry.provider):
        try:
            events = decode(kind)
        except msgspec.ValidationError:
            continue
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        try:
            return None if events is None else _records(events, key, times, body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
    return None


def _records(
    events: Sequence[Any], key: Key, limits: TimeLimits, body: bytes
) -> list[Record] | None:
    tenants = {event.tenant for event in events}
    if not all(map(key.entry.allows_tenant, tenants)) or not _printable(events, body):
        return None
    _rename(events)
    if max((len(event.id) for event in events), default=0) > ID_LENGTH_MAX:
        for event in events:
            event.id = compact_id(event.id)
    # As text so far, which is cut to the microsecond: msgspec would round it.
    times = read_times([event.time for event in events])
    whole = bool(events) and hasattr(events[0], "service_tier")
    if times and not (
        min(times) >= max(TIME_MIN, limits.oldest)
        and max(times) < TIME_MAX
        and max(times) <= limits.newest
    ):
        return None
    may_tell_kinds = _may_tell_kinds(body)
    for event, time in zip(events, times, strict=True):
        # The usual case without a call.
        if (
            may_tell_kinds
            or (event.cache_read_input_tokens or 0) + (event.cache_write_input_tokens or 0)
            > event.input_tokens
            or (event.reasoning_output_tokens or 0) > event.output_tokens
            or (whole and tells_closer(event))
            or event.entry != "usage"
            or event.adjusts is not None
            or event.reason is not None
        ) and inconsistency(event) is not None:
            return None
        event.time = time if time.tzinfo is UTC else time.astimezone(UTC)
    failed = [event for event in events if event.status == "error" and used_nothing(event)]
    named = [event for event in events if not used_nothing(event)] if failed else events
    series = {(event.region, event.provider, event.model) for event in named}
    regions = {event.region for event in events} if failed else {region for region, _, _ in series}
    if not key.admit_all(regions, series):
        return None
    proven = {provider for _, provider, _ in series}, {model for _, _, model in series}
    for event in failed:
        event.provider, event.model = names_of_failed(event, key.use, key.at, proven)
    if len(tenants) != 1:
        return [
            {"key": identity_hash(event.tenant, event.source, event.id), "value": _encode(event)}
            for event in events
        ]
    tenant = tenants.pop()
    prefixes = {
        source: identity_prefix(tenant, source) for source in {event.source for event in events}
    }
    return [
        {"key": xxh3_128_digest(prefixes[event.source] + event.id), "value": _encode(event)}
        for event in events
    ]


def _may_tell_kinds(body: bytes) -> bool:
    """Say whether an event may have parts of totals that few have; names may be escaped as well."""
    return b"\\" in body or any(mark in body for mark in _KINDS)


def _printable(events: Sequence[Any], body: bytes) -> bool:
    """Say whether all texts are fit to be shown; some that are, are found so only one by one."""
    # A control can stand in JSON as an escape only, but for DEL and those beyond ASCII.
    if body.isascii() and b"\\" not in body and b"\x7f" not in body:
        return True
    texts = {event.source for event in events}
    texts |= {event.provider for event in events}
    texts |= {event.model for event in events}
    texts |= {event.region for event in events}
    for event in events:
        if event.entry != "usage":
            texts |= {event.adjusts or "", event.reason or ""}
    return "".join((*texts, *(event.id for event in events))).isprintable()


def _rename(events: Sequence[PlainEvent]) -> None:
    """Give providers and models the catalogue's names; a batch has few, mostly named so already."""
    renamed = {
        (provider, model): found
        for provider, model in {(event.provider, event.model) for event in events}
        if (found := provider_and_model_of(model, provider)) != (provider, model)
    }
    if not renamed:
        return
    for event in events:
        if (names := renamed.get((event.provider, event.model))) is not None:
            msgspec.structs.force_setattr(event, "provider", names[0])
            msgspec.structs.force_setattr(event, "model", names[1])


class _Kind(NamedTuple):
    """Decoders into a struct that fills in what a key says, of an array and of one event."""

    many: msgspec.json.Decoder[list[Any]]
    one: msgspec.json.Decoder[Any]


@lru_cache(_DECODERS_MAX)
def _kinds(tenant: str, region: str, provider: str | None) -> tuple[_Kind, _Kind]:
    """Make the decoders: of what most events say, which is quicker, and of all that one may say."""
    filled = {"tenant": tenant, "region": region, "provider": provider}
    return _kind(PlainEvent, filled), _kind(UncheckedEvent, filled)


def _kind(event: type[PlainEvent], filled: Mapping[str, str | None]) -> _Kind:
    """Make decoders that fill in what a key says.

    Fields stay in the order of the wire, which the aggregator reads fastest; so the struct is made
    again, since redefined fields would move to its end. Factories and not plain defaults: the
    encoder leaves plain defaults out.
    """
    fields: list[Any] = []
    kinds = get_type_hints(event, include_extras=True) | {"time": str, "id": _LongId}
    for field in msgspec.structs.fields(event):
        kind = kinds[field.name]
        value = filled.get(field.name)
        if value is not None:
            default = msgspec.field(default_factory=partial(str, value))
            fields.append((field.name, kind, default))
        elif field.required:
            fields.append((field.name, kind))
        else:
            fields.append((field.name, kind, field.default))
    struct: Any = msgspec.defstruct(
        "FilledEvent",
        fields,
        gc=False,
        kw_only=True,
        forbid_unknown_fields=True,
        omit_defaults=True,
    )
    return _Kind(msgspec.json.Decoder(list[struct]), msgspec.json.Decoder(struct))

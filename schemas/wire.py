"""The usage event on the log, decoded fast: the same contract as `usage_event.py`, in msgspec.

The aggregator decodes hundreds of thousands of these a second. A property test holds that this
decoder and the pydantic model accept and reject exactly the same bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

import msgspec

from schemas.event_rules import (
    DURATION_MS_MAX,
    MODEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    TIME_MAX,
    TIME_MIN,
    TOKENS_MAX,
    UNITS_MAX,
    floored,
    inconsistency,
)

if TYPE_CHECKING:
    from schemas.usage_event import UsageEvent

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Model = Annotated[str, msgspec.Meta(min_length=1, max_length=MODEL_LENGTH_MAX)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)]
#: `SERVICE_TIERS`, which a test holds.
Tier = Literal["standard", "batch", "flex", "priority", "fast", "scale", "reserved"]


class InvalidEventError(ValueError):
    """A record that is no valid usage event.

    `code` is a short reason for counting, `message` names the field and what is wrong with it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class PlainEvent(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """What most usage events say: with half of the fields a struct is decoded a lot faster."""

    id: Name
    source: Name
    tenant: Name
    time: Time
    region: Name
    provider: Name
    model: Model
    input_tokens: Tokens
    output_tokens: Tokens
    cache_read_input_tokens: Tokens | None = None
    cache_write_input_tokens: Tokens | None = None
    reasoning_output_tokens: Tokens | None = None
    status: Literal["ok", "error"] = "ok"
    quality: Literal["measured", "estimated"] = "measured"
    duration_ms: Annotated[int, msgspec.Meta(ge=0, le=DURATION_MS_MAX)] | None = None
    entry: Literal["usage", "debit", "credit"] = "usage"
    adjusts: Name | None = None
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LENGTH_MAX)] | None = None


class UncheckedEvent(PlainEvent, frozen=True, gc=False):
    """A usage event whose fields are each valid; what they say together is not checked yet."""

    service_tier: Tier | None = None
    cache_write_5m_input_tokens: Tokens | None = None
    cache_write_1h_input_tokens: Tokens | None = None
    audio_input_tokens: Tokens | None = None
    image_input_tokens: Tokens | None = None
    cache_read_audio_input_tokens: Tokens | None = None
    cache_read_image_input_tokens: Tokens | None = None
    audio_output_tokens: Tokens | None = None
    image_output_tokens: Tokens | None = None
    web_searches: Quantity | None = None
    file_searches: Quantity | None = None
    tool_calls: Quantity | None = None
    images: Quantity | None = None
    audio_milliseconds: Quantity | None = None
    video_milliseconds: Quantity | None = None
    characters: Quantity | None = None
    pages: Quantity | None = None


class _TimeText(msgspec.Struct):
    """The time of an event as it stands there: msgspec would round it, not cut it off."""

    time: str


class WireEvent(UncheckedEvent, frozen=True, gc=False):
    """One usage event as it lies on the log. Fields are described in `UsageEvent`."""

    def __post_init__(self) -> None:
        message = problem(self)
        if message is not None:
            raise ValueError(message)


class _Times(msgspec.Struct):
    """Types of structs are prepared once, others at each conversion."""

    times: list[Time]


def read_times(texts: Sequence[str]) -> list[datetime]:
    """Read RFC 3339 times with zone, cut to the microsecond, many at once.

    Raises `msgspec.ValidationError` where any of them is none. Their range is not checked.
    """
    if max(map(len, texts), default=0) >= _FINER_LENGTH_MIN:
        texts = [
            floored(text) if text[_FINER_AT : _FINER_AT + 1].isdigit() else text for text in texts
        ]
    return msgspec.convert({"times": texts}, _Times).times


def problem(event: UncheckedEvent) -> str | None:
    """Say what is wrong with valid fields taken together, or None."""
    if not TIME_MIN <= event.time < TIME_MAX:
        return "time must lie between the years 2000 and 2100"
    found = inconsistency(event)
    return None if found is None else found[1]


#: Where the seventh digit of a second's fraction stands, and how long a time with one is.
_FINER_AT: Final = len("2026-03-15T12:00:00.123456")
_FINER_LENGTH_MIN: Final = len("2026-03-15T12:00:00.1234567Z")
_plain: Final = msgspec.json.Decoder(PlainEvent)
_unchecked: Final = msgspec.json.Decoder(UncheckedEvent)
_time_text: Final = msgspec.json.Decoder(_TimeText)
_encoder: Final = msgspec.json.Encoder()
#: What decoders raise.
_NO_EVENT: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
Decode = Callable[[bytes], PlainEvent]
E = TypeVar("E", bound=PlainEvent)


def decode(record: bytes) -> WireEvent:
    """Decode one record of the log.

    Raises `InvalidEventError` with code ``invalid_json`` for what is no JSON at all and
    ``invalid_event`` for JSON that is no usage event.
    """
    try:
        event = decode_unchecked(record)
    except _NO_EVENT as error:
        raise invalid(error) from None
    try:
        return WireEvent(**msgspec.structs.asdict(event))
    except ValueError as error:
        raise InvalidEventError("invalid_event", str(error)) from None


def decode_many(
    records: Sequence[bytes], *, finer_times: bool = True
) -> tuple[list[PlainEvent], dict[int, InvalidEventError]]:
    """Decode many records: the valid ones in order, and the others by their index.

    Events are `UncheckedEvent` from the first one on that says more than a `PlainEvent` can.

    The caller still has to ask `problem` of each event, or know that it would find none. One
    record at a time: decoding all as one JSON array is no faster, and records could then run
    into one another. Where the caller knows that no time is finer than a microsecond, it is
    quicker without ``finer_times``.
    """
    plain: Decode = partial(_decode_finer, _plain.decode) if finer_times else _plain.decode
    whole: Decode = partial(_decode_finer, _unchecked.decode) if finer_times else _unchecked.decode
    with suppress(*_NO_EVENT):
        return [plain(record) for record in records], {}
    events: list[PlainEvent] = []
    failures: dict[int, InvalidEventError] = {}
    decode_one = plain
    for index, record in enumerate(records):
        try:
            events.append(decode_one(record))
        except _NO_EVENT:
            try:
                events.append(whole(record))
                # Where one event says more, others do.
                decode_one = whole
            except _NO_EVENT as error:
                failures[index] = invalid(error)
    return events, failures


def told_closer(events: Sequence[PlainEvent]) -> int:
    """The index of the first event of `decode_many` that is an `UncheckedEvent`, or how many."""
    return bisect_left(events, True, key=lambda event: isinstance(event, UncheckedEvent))


def decode_unchecked(record: bytes) -> UncheckedEvent:
    """Decode one record of which only each field is checked. Raises what msgspec does."""
    return _decode_finer(_unchecked.decode, record)


def _decode_finer(decode_one: Callable[[bytes], E], record: bytes) -> E:
    event = decode_one(record)
    (time,) = read_times([_time_text.decode(record).time])
    msgspec.structs.force_setattr(event, "time", time)
    return event


def invalid(error: Exception) -> InvalidEventError:
    """Name what msgspec raised: no JSON at all, or JSON that is no usage event."""
    if isinstance(error, msgspec.ValidationError):
        return InvalidEventError("invalid_event", str(error))
    return InvalidEventError("invalid_json", str(error))


def encode(event: UsageEvent | WireEvent) -> bytes:
    """Encode an event for the log: compact JSON, time in UTC, absent fields left out."""
    if isinstance(event, WireEvent):
        # msgspec decodes Z and +00:00 to this very object, and keeps any other offset.
        if event.time.tzinfo is not UTC:
            event = msgspec.structs.replace(event, time=event.time.astimezone(UTC))
        return _encoder.encode(event)
    return _encoder.encode(event.model_dump(exclude_defaults=True))

"""The usage event on the log, decoded fast: the same contract as `usage_event.py`, in msgspec.

The aggregator decodes hundreds of thousands of these a second. A property test holds that this
decoder and the pydantic model accept and reject exactly the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from schemas.usage_event import (
    DURATION_MS_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    TIME_MAX,
    TIME_MIN,
    TOKENS_MAX,
    UsageEvent,
    inconsistency,
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]


class InvalidEventError(ValueError):
    """A record that is no valid usage event.

    `code` is a short reason for counting, `message` names the field and what is wrong with it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class WireEvent(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """One usage event as it lies on the log. Fields are described in `UsageEvent`."""

    id: Name
    source: Name
    tenant: Name
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    region: Name
    provider: Name
    model: Name
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

    def __post_init__(self) -> None:
        if not TIME_MIN <= self.time < TIME_MAX:
            raise ValueError("time must lie between the years 2000 and 2100")
        # The hot path meets plain usage almost always; the full check is for the rest.
        if (
            self.entry != "usage"
            or self.adjusts is not None
            or self.reason is not None
            or (
                self.cache_read_input_tokens
                or self.cache_write_input_tokens
                or self.reasoning_output_tokens
            )
        ):
            problem = inconsistency(self)
            if problem is not None:
                raise ValueError(problem[1])


_decoder: Final = msgspec.json.Decoder(WireEvent)
_encoder: Final = msgspec.json.Encoder()


def decode(record: bytes) -> WireEvent:
    """Decode one record of the log.

    Raises `InvalidEventError` with code ``invalid_json`` for what is no JSON at all and
    ``invalid_event`` for JSON that is no usage event.
    """
    try:
        return _decoder.decode(record)
    except msgspec.ValidationError as error:
        raise InvalidEventError("invalid_event", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEventError("invalid_json", str(error)) from None


def encode(event: UsageEvent | WireEvent) -> bytes:
    """Encode an event for the log: compact JSON, time in UTC, absent fields left out."""
    if isinstance(event, WireEvent):
        return _encoder.encode(event)
    return _encoder.encode(event.model_dump(exclude_defaults=True))

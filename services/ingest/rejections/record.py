"""PURE: one rejection as it lies on its topic, JSON; `wattoken rejected` reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

Format = Literal["native", "cloudevents", "litellm", "envoy", "portkey", "otlp_traces", "otlp_logs"]


class KeptRejection(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was refused and why."""

    refused_at: datetime
    #: Lookup id of the API key; never its secret.
    key_id: str
    tenant: str
    format: Format
    code: str
    message: str
    #: Place in the request; None where the request was refused as a whole.
    index: int | None = None
    #: Redacted; None where there is nothing that may be kept.
    payload: str | None = None
    #: How long it was before it was redacted and cut.
    payload_bytes: int = 0
    cut: bool = False


class Requeued(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A note on the same topic that rejections were put back: their partitions and offsets."""

    requeued: list[tuple[int, int]]


_requeued_decoder: Final = msgspec.json.Decoder(Requeued)
_decoder: Final = msgspec.json.Decoder(KeptRejection)
encode: Final = msgspec.json.Encoder().encode


def decode(value: bytes) -> KeptRejection | None:
    """Read a record of the topic; None for what is none of ours."""
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def encode_requeued(places: list[tuple[int, int]]) -> bytes:
    """Write a note that the rejections at these places were put back."""
    return encode(Requeued(places))


def decode_requeued(value: bytes) -> list[tuple[int, int]]:
    """Read such a note; nothing for what is none."""
    try:
        return _requeued_decoder.decode(value).requeued
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []

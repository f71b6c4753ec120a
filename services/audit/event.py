"""PURE. One record of the log, read as docs/architecture.md and the schema say, and no faster.

A second reading of the contract: plain `json`, dicts and datetimes, and nothing of the decoders
that the meter uses. A property test holds that it accepts the same records as the model does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.event_rules import (
    DURATION_MS_MAX,
    MODEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    TIME_MAX,
    TIME_MIN,
    TOKENS_MAX,
    UNITS_MAX,
)
from schemas.price_class import SERVICE_TIERS, UNITS

#: What a slice adds up, in this order.
MEASURES: Final = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "estimated_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "cache_read_audio_input_tokens",
    "cache_read_image_input_tokens",
    "audio_output_tokens",
    "image_output_tokens",
)
Totals = tuple[int, ...]

NAMES: Final = ("id", "source", "tenant", "region", "provider", "model")
REQUIRED: Final = (*NAMES, "time", "input_tokens", "output_tokens")
SUBSETS: Final = (
    *("cache_read_input_tokens", "cache_write_input_tokens", "reasoning_output_tokens"),
    *MEASURES[8:],
)
WORDS: Final = {
    "status": ("ok", "error"),
    "quality": ("measured", "estimated"),
    "entry": ("usage", "debit", "credit"),
    "service_tier": SERVICE_TIERS,
}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):?([0-5]\d))",
    re.ASCII,
)


class Event(NamedTuple):
    """What the meter must make of one valid record.

    `time_us` counts microseconds since 1970; what is not reported is 0 in `measures` and
    `quantities`, to which it adds nothing.
    """

    tenant: str
    source: str
    id: str
    time_us: int
    entry: str
    region: str
    provider: str
    model: str
    measures: Totals
    #: '' where it is not reported.
    service_tier: str
    #: By `UNITS`.
    quantities: Totals


class NotAnEventError(ValueError):
    """The record is no usage event, as JSON or as what it says."""


def read_event(record: bytes | None) -> Event:
    """Read a record. Raises `NotAnEventError`."""
    try:
        # As text: given bytes, json would take UTF-16 and UTF-32 too.
        fields = _JSON.decode((record or b"").decode())
    except NotAnEventError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotAnEventError(f"no JSON: {error}") from None
    if type(fields) is not dict:
        raise NotAnEventError("no JSON object")
    for name in REQUIRED:
        if name not in fields:
            raise NotAnEventError(f"{name} is missing")
    time_us = _time_us(fields["time"])
    if not _EARLIEST_US <= time_us < _LATEST_US:
        raise NotAnEventError("time must lie between the years 2000 and 2100")
    tokens = {name: fields.get(name) or 0 for name in ("input_tokens", "output_tokens", *SUBSETS)}
    if contradicts_itself(tokens):
        raise NotAnEventError("a subset exceeds its total")
    entry = fields.get("entry", "usage")
    told = [fields.get(name) is not None for name in ("adjusts", "reason")]
    if told != [entry != "usage"] * 2:
        raise NotAnEventError("adjusts and reason belong to debits and credits, both")
    failed = fields.get("status") == "error"
    estimated = fields.get("quality") == "estimated"
    both = tokens["input_tokens"] + tokens["output_tokens"]
    counted = {"requests": 1, "failed_requests": int(failed), **tokens}
    counted["estimated_tokens"] = both if estimated else 0
    return Event(
        *(fields["tenant"], fields["source"], fields["id"], time_us, entry),
        *(fields["region"], fields["provider"], fields["model"]),
        tuple(counted[name] for name in MEASURES),
        fields.get("service_tier") or "",
        tuple(fields.get(name) or 0 for name in UNITS),
    )


def contradicts_itself(tokens: Mapping[str, int]) -> bool:
    """Whether some class of tokens is below 0: a count less its parts, which is what is priced.

    Of the input that is what was read from a cache, written to one, is audio or an image; audio and
    images from a cache would be taken out twice.
    """
    audio, image = tokens["audio_input_tokens"], tokens["image_input_tokens"]
    read, written = tokens["cache_read_input_tokens"], tokens["cache_write_input_tokens"]
    read_audio = tokens["cache_read_audio_input_tokens"]
    read_image = tokens["cache_read_image_input_tokens"]
    lifetimes = tokens["cache_write_5m_input_tokens"] + tokens["cache_write_1h_input_tokens"]
    told_out = tokens["audio_output_tokens"] + tokens["image_output_tokens"]
    classes = (
        read - read_audio - read_image,
        audio - read_audio,
        image - read_image,
        written - lifetimes,
        tokens["output_tokens"] - tokens["reasoning_output_tokens"] - told_out,
        tokens["input_tokens"] - read - written - audio - image + read_audio + read_image,
    )
    return min(classes) < 0


def _checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Check each field by itself; of one given twice both must be valid, and the last counts."""
    for name, value in pairs:
        if not _valid(name, value):
            raise NotAnEventError(f"{name[:40]} cannot be {str(value)[:40]!r}")
        if name == "time":
            _time_us(value)
    return dict(pairs)


def _valid(name: str, value: Any) -> bool:
    if name in NAMES or name == "time":
        longest = {"time": 1 << 30, "model": MODEL_LENGTH_MAX}.get(name, NAME_LENGTH_MAX)
        return type(value) is str and 0 < len(value) <= longest and _is_text(value)
    if name in ("input_tokens", "output_tokens"):
        return _is_count(value, TOKENS_MAX)
    if name in SUBSETS:
        return value is None or _is_count(value, TOKENS_MAX)
    if name in UNITS:
        return value is None or _is_count(value, UNITS_MAX)
    if name == "service_tier" and value is None:
        return True
    if name in WORDS:
        return type(value) is str and value in WORDS[name]
    if name == "duration_ms":
        return value is None or _is_count(value, DURATION_MS_MAX)
    if name in ("adjusts", "reason"):
        longest = NAME_LENGTH_MAX if name == "adjusts" else REASON_LENGTH_MAX
        return value is None or (
            type(value) is str and 0 < len(value) <= longest and _is_text(value)
        )
    return False


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_text(value: str) -> bool:
    """Whether a text is one that UTF-8 can write: half of a surrogate pair is none."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _time_us(text: str) -> int:
    """Read a time of any year; only the one that counts must lie in the meter's years."""
    found = RFC3339.fullmatch(text)
    if found is None:
        raise NotAnEventError("time is not RFC 3339 with a zone")
    *moment, fraction, sign, hours, minutes = found.groups()
    try:
        time = datetime(*map(int, moment), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise NotAnEventError("time is no time of the calendar") from None
    # Cut off, not rounded: 23:59:59.9999999 lies in its own hour.
    time_us = (time - EPOCH) // MICROSECOND + int((fraction or "").ljust(6, "0")[:6])
    if sign is not None:
        offset_us = (60 * int(hours) + int(minutes)) * 60_000_000
        time_us += offset_us if sign == "-" else -offset_us
    return time_us


def _no_constant(name: str) -> None:
    raise NotAnEventError(f"no JSON: {name}")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_checked, parse_constant=_no_constant)
_EARLIEST_US: Final = (TIME_MIN - EPOCH) // MICROSECOND
_LATEST_US: Final = (TIME_MAX - EPOCH) // MICROSECOND

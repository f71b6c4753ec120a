"""PURE: reads times as gateways write them: numbers since 1970, or RFC 3339."""

from __future__ import annotations

import calendar
from datetime import UTC
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from schemas.wire import read_times
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value

_NS_PER_SECOND: Final = 1_000_000_000
#: Far beyond the years that an event may have; more digits than this are none of a time.
_SECONDS_MAX: Final = 10**10
_DIGITS_MAX: Final = 40


def unix_ns(raw: msgspec.Raw, name: str, *, per_second: int = 1) -> int | None:
    """Read a time as nanoseconds since 1970; None where it is null.

    It is a number, or its digits as text, with ``per_second`` of its unit in a second; or RFC 3339.
    The number is read as it is written, digit by digit, and cut to the nanosecond. Raises
    `EventRejectedError` naming ``name``.
    """
    text = bytes(raw).decode("utf-8", "replace").strip()
    if text == "null":
        return None
    value: Any = text
    if text.startswith('"'):
        value = msgspec.json.decode(raw)
        if isinstance(value, str) and "T" in value.upper():
            return _rfc3339_ns(value, name)
        text = value
    number = _decimal(text)
    if number is None:
        raise EventRejectedError(
            "wrong_type", f"{name} is {_shown(value)}: give {_unit(per_second)} since 1970"
        )
    if not abs(number) < _SECONDS_MAX * per_second:
        raise EventRejectedError(
            "invalid_time", f"{name} is {_shown(value)}: give {_unit(per_second)} since 1970"
        )
    return int(number * (_NS_PER_SECOND // per_second) // 1)


def _decimal(text: str) -> Decimal | None:
    if len(text) > _DIGITS_MAX or not text[:1].lstrip("-").isascii():
        return None
    if not text.lstrip("-")[:1].isdigit():
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _rfc3339_ns(text: str, name: str) -> int:
    try:
        (moment,) = read_times([text])
        moment = moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise EventRejectedError(
            "invalid_time", f"{name} is {shown_value(text)}: give seconds since 1970, or RFC 3339"
        ) from None
    seconds = calendar.timegm(moment.utctimetuple())
    return seconds * _NS_PER_SECOND + moment.microsecond * 1000


def _unit(per_second: int) -> str:
    return {1: "seconds", 1000: "milliseconds"}[per_second]


def _shown(value: Any) -> str:
    """Show what was read: a number's digits, or the text that it stands in."""
    try:
        return shown_value(msgspec.json.decode(value)) if isinstance(value, str) else "no time"
    except msgspec.DecodeError:
        return shown_value(value)

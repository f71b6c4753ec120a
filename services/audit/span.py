"""PURE. Which windows an audit recounts: all that the log still tells of, or a named span."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from services.platform.errors import ConfigurationError

#: The end of what ClickHouse's DateTime can say.
FOREVER: Final = 2**32 - 1
UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Span:
    """Event times from `since` to before `until`, in seconds since 1970; whole minutes.

    Without `since` it is everything that can be recounted.
    """

    since: int | None = None
    until: int = FOREVER


def span_of(
    since: datetime | None, until: datetime | None, last: str | None, now: datetime
) -> Span:
    """Make a span of the options --from, --to and --last; times without a zone are UTC.

    Raises `ConfigurationError` for what contradicts itself or cannot be read.
    """
    if last is not None:
        if since is not None:
            raise ConfigurationError("give --last or --from, not both")
        since = (_utc(until) if until is not None else now) - _length(last)
    begin = None if since is None else _minute(_utc(since), up=False)
    end = FOREVER if until is None else _minute(_utc(until), up=True)
    if begin is not None and begin >= end:
        raise ConfigurationError("the span is empty: --to must lie after --from")
    return Span(begin, end)


def _length(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(
            f"--last {text!r} is no length of time: give minutes, hours or days, as 90m, 1h or 2d"
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _minute(moment: datetime, *, up: bool) -> int:
    seconds = int(moment.timestamp())
    return (-(-seconds // 60) if up else seconds // 60) * 60

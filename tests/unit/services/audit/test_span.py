"""Spans as people give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.audit.span import FOREVER, Span, span_of
from services.platform.errors import ConfigurationError

NOW = datetime(2026, 3, 15, 12, 0, 30, tzinfo=UTC)
NOON = 1_773_576_000


def test_nothing_named_is_everything() -> None:
    assert span_of(None, None, None, NOW) == Span(None, FOREVER)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5_400), ("1h", 3_600), ("2d", 172_800)])
def test_the_last(text: str, seconds: int) -> None:
    assert span_of(None, None, text, NOW) == Span(NOON - seconds, FOREVER)


def test_from_and_to_in_whole_minutes() -> None:
    since = datetime(2026, 3, 15, 11, 0, 59)  # noqa: DTZ001 - as the command line gives it
    until = datetime(2026, 3, 15, 13, 0, 1, tzinfo=timezone(timedelta(hours=1)))
    assert span_of(since, until, None, NOW) == Span(NOON - 3600, NOON + 60)
    assert span_of(None, until, "1h", NOW) == Span(NOON - 3600, NOON + 60)


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "1w", "-1h", "1.5h", "1 h", "9999999m"])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no length of time"):
        span_of(None, None, text, NOW)


def test_what_contradicts_itself() -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        span_of(NOW, None, "1h", NOW)
    with pytest.raises(ConfigurationError, match="empty"):
        span_of(NOW, NOW - timedelta(hours=1), None, NOW)

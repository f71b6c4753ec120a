"""Times as gateways write them, read digit by digit and cut off, never rounded."""

from __future__ import annotations

import msgspec
import pytest

from services.ingest.adapters.clock import unix_ns
from services.ingest.errors import EventRejectedError

END_NS = 1_773_576_000_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1773576000", END_NS),
        ("1773576000.0", END_NS),
        ('"1773576000"', END_NS),
        ("1773575999.9999999", END_NS - 100),
        ("1773575999.9999999999", END_NS - 1),
        ("1.773576e9", END_NS),
        ('"2026-03-15T12:00:00Z"', END_NS),
        ('"2026-03-15T13:00:00+01:00"', END_NS),
        ('"2026-03-15T11:59:59.9999999Z"', END_NS - 1000),
        ("-1.5", -1_500_000_000),
        ("null", None),
    ],
)
def test_seconds_and_rfc_3339(text: str, expected: int | None) -> None:
    assert unix_ns(msgspec.Raw(text.encode()), "endTime") == expected


def test_milliseconds() -> None:
    assert unix_ns(msgspec.Raw(b"1773576000123"), "t", per_second=1000) == END_NS + 123_000_000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("true", "wrong_type"),
        ('"soon"', "wrong_type"),
        ('""', "wrong_type"),
        ("[]", "wrong_type"),
        ("{}", "wrong_type"),
        ("1e400", "invalid_time"),
        ("1773576000000", "invalid_time"),
        ("9" * 50, "wrong_type"),
        ('"2026-13-45T00:00:00Z"', "invalid_time"),
        ('"0001-01-01T00:00:00+23:59"', "invalid_time"),
    ],
)
def test_anything_else_is_refused(text: str, code: str) -> None:
    with pytest.raises(EventRejectedError) as caught:
        unix_ns(msgspec.Raw(text.encode()), "endTime")
    assert caught.value.code == code
    assert "endTime" in caught.value.message
    assert len(caught.value.message) < 200

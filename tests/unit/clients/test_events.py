"""From the fields of a call to a line of NDJSON."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel
from wattoken.client.errors import InvalidEventError
from wattoken.client.events import EVENT_BYTES_MAX, UsageFields, encode
from wattoken.client.ids import compact_id, new_id

from schemas.usage_event import UsageEvent


class Usage(BaseModel):
    prompt_tokens: int
    cached_tokens: int | None = None


def test_none_is_absent_and_zero_is_zero() -> None:
    fields = {"model": "m", "input_tokens": 0, "output_tokens": None, "region": None}
    line = encode(fields, {"region": "eu", "source": "s"})
    assert json.loads(line) == {"model": "m", "input_tokens": 0, "region": "eu", "source": "s"}


def test_every_field_of_the_schema_can_be_given() -> None:
    taken = set(get_type_hints(UsageFields))
    assert taken == set(UsageEvent.model_fields) | {"usage", "usage_format"}


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 3, 15, 13, 0, 0, 250_000, timezone(timedelta(hours=1)))
    assert json.loads(encode({"time": moment}, {}))["time"] == "2026-03-15T12:00:00.250000Z"
    given = "2026-03-15T12:00:00+01:00"
    assert json.loads(encode({"time": given}, {}))["time"] == given


def test_usage_objects_become_plain() -> None:
    for usage, plain in (
        (Usage(prompt_tokens=3), {"prompt_tokens": 3}),
        ({"a": 1}, {"a": 1}),
        ([None, Usage(prompt_tokens=3)], [None, {"prompt_tokens": 3}]),
    ):
        assert json.loads(encode({"usage": usage}, {}))["usage"] == plain


@pytest.mark.parametrize(
    "fields",
    [
        {"input_tokens": float("inf")},
        {"usage": object()},
        {"time": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"reason": "x" * EVENT_BYTES_MAX},
    ],
)
def test_what_is_no_event_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidEventError):
        encode(fields, {})


def test_ids_are_uuids_of_version_7_and_sort_by_time() -> None:
    first = new_id()
    time.sleep(0.002)
    second = new_id()
    assert first < second
    parsed = uuid.UUID(first)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    made = datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC)
    assert abs((datetime.now(UTC) - made).total_seconds()) < 5
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_long_ids_go_as_their_digests() -> None:
    fields = {"model": "m", "id": "x" * 300, "adjusts": "y" * 300}
    event = json.loads(encode(fields, {}))
    assert event["id"] == compact_id("x" * 300)
    assert event["adjusts"] == compact_id("y" * 300)

"""A call that is reported twice and not alike is noticed, once, and what is missing counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.wire import WireEvent
from services.ingest.batches import Counts, counts_of
from services.ingest.double_reports import DoubleReports, better
from services.ingest.records import Record

POOR: Counts = (100, 20, None, None, None)
RICH: Counts = (100, 20, 80, 5, None)


def record(name: str) -> Record:
    return {"key": name.encode(), "value": b""}


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (POOR, RICH, "second"),
        (RICH, POOR, "first"),
        ((100, 20, 0, None, None), (100, 20, 80, None, None), "neither"),
        ((100, 20, None, None, None), (105, 20, None, None, None), "neither"),
        # What a price depends on is known as well.
        (POOR, (*POOR, "flex", 5), "second"),
        ((*POOR, "flex", None), POOR, "first"),
        ((*POOR, "flex", None), (*POOR, "flex", 5), "second"),
        ((*POOR, "flex", None), (*POOR, "batch", 5), "neither"),
        ((*POOR, "flex", None), RICH, "neither"),
    ],
)
def test_which_knew_more(first: Counts, second: Counts, found: str) -> None:
    assert better(first, second) == found


def test_the_better_second_report_is_known_with_what_it_had_more() -> None:
    reports = DoubleReports()
    assert not reports.note("cloudevents", [record("a"), record("b")], [POOR, POOR]).reports
    found = reports.note("litellm", [record("a"), record("c")], [RICH, RICH])
    assert found.reports == {("cloudevents", "litellm", "second"): 1}
    assert found.unmetered_tokens == {"cache_read": 80, "cache_write": 5}


def test_a_tier_that_only_the_second_told_is_no_token() -> None:
    reports = DoubleReports()
    reports.note("cloudevents", [record("a")], [POOR])
    found = reports.note("litellm", [record("a")], [(*POOR, "flex", 5)])
    assert found.reports == {("cloudevents", "litellm", "second"): 1}
    assert not found.unmetered_tokens


def test_what_is_remembered_of_an_event_is_short_where_it_tells_little() -> None:
    fields: dict[str, Any] = dict.fromkeys(("id", "source", "tenant", "region", "provider"), "a")
    fields |= {"input_tokens": 7, "output_tokens": 2}
    event = WireEvent(time=datetime(2026, 3, 15, tzinfo=UTC), model="m", **fields)
    assert counts_of(event) == (7, 2, None, None, None)
    more = msgspec.structs.replace(event, service_tier="flex", pages=0)
    assert counts_of(more) == (7, 2, None, None, None, "flex", *[None] * 15, 0)


def test_a_resend_is_no_difference() -> None:
    reports = DoubleReports()
    for _ in range(3):
        assert not reports.note("litellm", [record("a")], [RICH]).reports


def test_within_one_request_too() -> None:
    found = DoubleReports().note("litellm", [record("a"), record("a")], [POOR, RICH])
    assert found.reports == {("litellm", "litellm", "second"): 1}


def test_memory_is_bounded_and_the_oldest_goes() -> None:
    reports = DoubleReports(2)
    for name in "abc":
        reports.note("litellm", [record(name)], [POOR])
    assert not reports.note("litellm", [record("a")], [RICH]).reports
    assert reports.note("litellm", [record("c")], [RICH]).reports

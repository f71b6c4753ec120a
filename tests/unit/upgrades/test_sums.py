"""The sum that judges an upgrade sees what is lost, doubled or put into another row."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.contributions import COLUMNS_OF, VIEWS
from tests.upgrades.load import event_of, key_of, record_of
from tests.upgrades.sums import Rows, Shape, expected, shapes, verdict

NOW_MS = 1_800_000_000_000
EVENTS = [event_of(number, NOW_MS, classed=number > 300) for number in range(600)]
WHOLE = shapes({view: {*keys, *COLUMNS_OF[view]} for view, keys in VIEWS.items()})


def shown(events: list[dict[str, Any]]) -> dict[str, Rows]:
    return {shape.view: expected(shape, events) for shape in WHOLE}


MUST = [(shape, expected(shape, EVENTS)) for shape in WHOLE]


def test_what_is_right_is_exact() -> None:
    found = verdict(MUST, shown(EVENTS))
    assert found.exact
    assert found.rows_compared == sum(len(rows) for _, rows in MUST) > 200


def test_every_kind_of_event_is_sent() -> None:
    for name in ("service_tier", "web_searches", "entry", "status", "cache_read_input_tokens"):
        assert any(name in event for event in EVENTS)
    assert not any("service_tier" in event for event in EVENTS[:300])
    assert max(NOW_MS - event["time_ms"] for event in EVENTS) > 86_400_000


@pytest.mark.parametrize("number", [3, 77, 599])
def test_a_lost_event_is_seen_in_each_view(number: int) -> None:
    found = verdict(MUST, shown(EVENTS[:number] + EVENTS[number + 1 :]))
    assert (found.lost, found.doubled) == (1, 0)
    for view in ("registers", "usage_minute", "usage_hour", "usage_hour_entries"):
        assert any(each.startswith(f"{view} [") for each in found.differences)


def test_a_doubled_event_is_seen() -> None:
    found = verdict(MUST, shown([*EVENTS, EVENTS[5]]))
    assert (found.lost, found.doubled) == (0, 1)
    assert not found.exact


def test_an_event_in_another_class_is_seen_by_its_hour_alone() -> None:
    number = next(n for n, event in enumerate(EVENTS) if event.get("service_tier") == "batch")
    other = {**EVENTS[number], "service_tier": "flex"}
    found = verdict(MUST, shown([*EVENTS[:number], other, *EVENTS[number + 1 :]]))
    assert {each.partition(" ")[0] for each in found.differences} == {"usage_hour_entries"}


def test_an_older_database_is_compared_by_what_it_has() -> None:
    found = shapes(
        {
            "registers": {"region", "provider", "model", "requests", "input_tokens"},
            "usage_hour_entries": {"window_start", "tenant", "entry", "requests"},
        }
    )
    assert found == [
        Shape("registers", ("region", "provider", "model"), ("requests", "input_tokens")),
        Shape("usage_hour_entries", ("window_start", "tenant", "entry"), ("requests",)),
    ]
    (hours,) = [expected(shape, EVENTS) for shape in found[1:]]
    assert sum(requests for (requests,) in hours.values()) == len(EVENTS)


def test_a_resend_is_the_same_to_the_byte() -> None:
    again = event_of(42, NOW_MS, classed=False)
    assert record_of(again) == record_of(EVENTS[42])
    assert key_of(again) == key_of(EVENTS[42])

"""What an event adds to the rows of views, by hand."""

from __future__ import annotations

from tests.chaos.contributions import COLUMNS_OF, VIEWS, contributions

NOW_MS = 1_795_000_000_000


def test_what_an_event_adds_to_its_class_and_units() -> None:
    event = {
        **{"time_ms": NOW_MS, "input_tokens": 200_000, "output_tokens": 5},
        **{"audio_input_tokens": 4, "web_searches": 2, "pages": 0},
    }
    ((said, values),) = contributions("usage_hour_entries", event)
    assert said == {"entry": "usage", "service_tier": "", "context_band": 199_999}
    assert values == (1, 200_000, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 0, 0)
    assert [*contributions("usage_unit_hours", event)] == [
        ({"entry": "usage", "unit": "web_searches"}, (2,))
    ]
    ((said, values),) = contributions(
        "usage_hour_entries",
        {**event, "input_tokens": 200_001, "entry": "debit", "service_tier": "flex"},
    )
    assert said == {"entry": "debit", "service_tier": "flex", "context_band": 200_000}
    assert values[:2] == (1, 200_001)


def test_every_view_has_as_many_columns_as_numbers_are_added() -> None:
    event = {"input_tokens": 1, "output_tokens": 2, "pages": 3}
    for view in VIEWS:
        ((_, values),) = contributions(view, event)
        assert len(values) == len(COLUMNS_OF[view]), view

"""The page of the event is what the contract says."""

from __future__ import annotations

import pytest

from schemas.usage_event import UsageEvent
from tools.site.event import PAGE, render, value_of


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_each_field_has_a_row() -> None:
    text = render()
    assert all(f"| `{name}` |" in text for name in UsageEvent.model_fields)
    assert "| `quality` | `measured`, `estimated` | no: `measured` |" in text


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 1000}, "integer, 0 to 1,000"),
        ({"anyOf": [{"enum": ["a", "b"], "type": "string"}, {"type": "null"}]}, "`a`, `b`"),
        ({"type": "string", "format": "date-time"}, "time with zone, RFC 3339"),
    ],
)
def test_values_in_words(field: dict[str, object], said: str) -> None:
    assert value_of(field) == said

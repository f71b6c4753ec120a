"""No text of a viewer becomes text of a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exporter.control_room.questions import MEASURES, question
from services.exporter.control_room.series_queries import curves_sql, ranking_sql

NOW = 1_773_576_000
names = st.text(max_size=40).filter(lambda name: name != "" and "\x00" not in name)


@given(names, names, names, st.sampled_from(MEASURES))
def test_names_are_bound_and_never_written(
    region: str, provider: str, model: str, measure: str
) -> None:
    def asked(*three: str) -> list[str]:
        kinds = zip(("region", "provider", "model"), three, strict=True)
        one = question([("measure", measure), ("last", "1d"), *kinds], NOW)
        return [ranking_sql(one), curves_sql(one)]

    assert asked(region, provider, model) == asked("r", "p", "m")


@pytest.mark.parametrize(
    ("last", "measure", "table"),
    [
        ("3h", "tokens", "usage_minute_parts"),
        ("7d", "requests", "usage_hour_parts"),
        ("3h", "spend", "charge_parts"),
    ],
)
def test_short_stretches_are_made_of_minutes_and_long_ones_of_hours(
    last: str, measure: str, table: str
) -> None:
    asked = question([("last", last), ("measure", measure)], NOW)
    assert f"FROM {table}\n" in ranking_sql(asked)
    assert "tenant" not in ranking_sql(asked) + curves_sql(asked)

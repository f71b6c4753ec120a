"""The tables say of prices what the files do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue, load_catalogue
from schemas.catalogue.rows import table_rows
from services.billing.stored_catalogue import catalogue_of
from services.platform.errors import ConfigurationError

TEST = load_catalogue(Path(__file__).parents[3] / "integration" / "billing_catalogue")
Rows = dict[str, list[tuple[Any, ...]]]


def rows_of(catalogue: Catalogue) -> Rows:
    return {one.table: list(one.rows) for one in table_rows(catalogue)}


def stored(rows: Rows) -> Catalogue:
    return catalogue_of(
        tariffs=rows["tariffs"],
        periods=rows["tou_periods"],
        days=rows["calendar_days"],
        regions=rows["regions"],
        names=rows["listed_models"],
    )


@pytest.mark.parametrize("catalogue", [load_catalogue(), TEST], ids=["shipped", "test"])
def test_what_is_read_back_would_fill_the_tables_alike(catalogue: Catalogue) -> None:
    rows = rows_of(catalogue)
    again = rows_of(stored(rows))
    for table in ("tariffs", "listed_models", "tou_periods", "calendar_days"):
        assert sorted(map(repr, again[table])) == sorted(map(repr, rows[table])), table
    zones = {one.region: one.time_zone for one in catalogue.regions.regions}
    assert {one.region: one.time_zone for one in stored(rows).regions.regions} == zones


def test_days_of_a_kind_that_the_calendar_has_no_hours_for_are_their_weekday() -> None:
    rows = rows_of(load_catalogue())
    rows["calendar_days"].append(("deepseek-peak", date(2026, 9, 16), 9))
    assert stored(rows) == stored(rows_of(load_catalogue()))


def test_tables_that_make_no_catalogue_are_an_error_that_says_where() -> None:
    rows = rows_of(TEST)
    rows["tou_periods"] = [row for row in rows["tou_periods"] if row[0] != "nights"]
    with pytest.raises(ConfigurationError, match="tables make no sense: .*no calendar nights"):
        stored(rows)

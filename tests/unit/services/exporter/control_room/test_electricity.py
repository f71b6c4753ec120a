"""Electricity by region from rows, by hand-made examples."""

from __future__ import annotations

from services.exporter.control_room.electricity import (
    REGIONS_MAX,
    ElectricityRow,
    Estimate,
    electricity,
)
from services.exporter.control_room.rows import Window

DAY = 1_773_532_800  # 2026-03-15
WINDOW = Window(DAY + 3_600, DAY, DAY)
UNKNOWN = (None, None, None)


def row(region: str, kwh: float | None, unrated: int = 0) -> ElectricityRow:
    of = UNKNOWN if kwh is None else (kwh, 2 * kwh, 3 * kwh)
    return ElectricityRow(region, 10, unrated, of, of, UNKNOWN, of)


def test_regions_that_take_most_come_first_and_all_are_in_the_sum() -> None:
    rows = [row(f"r{n}", float(n)) for n in range(REGIONS_MAX + 2)]
    told = electricity(rows, WINDOW)
    assert [one.region for one in told.regions] == ["r9", "r8", "r7", "r6", "r5", "r4", "r3", "r2"]
    assert told.system.kwh == Estimate(45.0, 90.0, 135.0)
    assert told.system.tokens == "100"
    assert told.month_start == DAY - 14 * 86_400


def test_what_nobody_rated_is_none_and_counted() -> None:
    told = electricity([row("a", None, unrated=10), row("b", 1.0, unrated=4)], WINDOW)
    assert [one.amounts.kwh for one in told.regions] == [Estimate(1.0, 2.0, 3.0), None]
    assert told.system.kwh == Estimate(1.0, 2.0, 3.0)
    assert told.system.unrated_tokens == "14"
    assert told.system.market_gco2e is None


def test_without_usage_nothing_is_known() -> None:
    told = electricity([], WINDOW)
    assert (told.system.kwh, told.system.tokens, told.regions) == (None, "0", [])

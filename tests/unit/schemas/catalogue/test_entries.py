"""What entries of regions, calendars and holidays may say."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from schemas.catalogue.entries import (
    DAY_KINDS,
    WEEKDAYS,
    CalendarEntry,
    HolidayList,
    HourRange,
    RegionEntry,
)


def test_hours_run_forwards() -> None:
    with pytest.raises(ValidationError, match="forwards"):
        HourRange.model_validate({"from": 23, "to": 2})


def test_zones_are_known_ones() -> None:
    region = {"region": "r", "country": "DE", "capacity_tokens_per_second": 1, "source": "s"}
    region |= {"source_date": "2026-01-01"}
    assert RegionEntry.model_validate(region | {"time_zone": "Europe/Berlin"})
    for zone in ("Europe/Nowhere", "../etc/passwd", ""):
        with pytest.raises(ValidationError, match="time zone"):
            RegionEntry.model_validate(region | {"time_zone": zone})


def test_a_calendar_says_the_period_of_an_hour() -> None:
    calendar = CalendarEntry.model_validate(
        {
            "calendar": "c",
            "zone": "region",
            "periods": {
                "peak": [{"from": 8, "to": 20, "weekdays": ["mon"]}],
                "night": [{"from": 0, "to": 9}],
            },
        }
    )
    assert calendar.periods_at(1, 7) == ["night"]
    assert calendar.periods_at(1, 8) == ["peak", "night"]
    assert calendar.periods_at(1, 19) == ["peak"]
    assert calendar.periods_at(2, 19) == []
    assert calendar.hours("peak") == [(1, hour) for hour in range(8, 20)]
    with pytest.raises(ValidationError, match="taken"):
        CalendarEntry.model_validate({"calendar": "c", "zone": "UTC", "periods": {"unpriced": []}})


def holidays(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {"holidays": "h", "covers_from": "2026-01-01"}
    fields |= {"covers_to": "2026-12-31", "source": "s", "source_date": "2026-01-01"}
    fields |= {"days_off": ["2026-05-01"], "makeup_workdays": ["2026-05-09"]}
    return fields | changes


def calendar_of(*ranges: dict[str, object], holidays: str | None = "h") -> CalendarEntry:
    return CalendarEntry.model_validate(
        {"calendar": "c", "zone": "UTC", "holidays": holidays, "periods": {"all": ranges}}
    )


def test_a_holiday_is_no_weekday_and_a_make_up_workday_is_one_where_nothing_names_it() -> None:
    days = HolidayList.model_validate(holidays())
    friday, saturday = date(2026, 5, 1), date(2026, 5, 9)
    whole_day: dict[str, object] = {"from": 0, "to": 24}
    plain = calendar_of(whole_day)
    assert (plain.kind_of(friday, days), plain.kind_of(saturday, days)) == (8, 6)
    assert plain.kind_of(date(2026, 5, 8), days) == 5
    assert plain.day_kinds == (*WEEKDAYS, "holiday")
    assert len(plain.hours("all")) == 8 * 24
    worked = calendar_of(whole_day | {"weekdays": ["mon", "makeup_workday"]})
    assert worked.kind_of(saturday, days) == 9
    assert worked.periods_at(9, 12) == ["all"] and worked.periods_at(6, 12) == []
    assert {kind for kind, _ in worked.hours("all")} == {1, 9}
    # Named by a range of all kinds, in whatever order, it is one.
    for kinds in (DAY_KINDS, DAY_KINDS[::-1]):
        named = calendar_of(whole_day | {"weekdays": list(kinds)})
        assert named.day_kinds == DAY_KINDS
    without = calendar_of(whole_day, holidays=None)
    assert without.kind_of(friday, None) == 5
    assert len(without.hours("all")) == 7 * 24


def test_days_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        HolidayList.model_validate(holidays(makeup_workdays=["2026-05-01"]))
    for day in ("1969-12-31", "2150-01-01"):
        with pytest.raises(ValidationError, match="2000-01-01|2100-01-01"):
            HolidayList.model_validate(holidays(covers_from=day, covers_to=day, days_off=[day]))
    with pytest.raises(ValidationError, match="2027-01-01 lies outside"):
        HolidayList.model_validate(holidays(days_off=["2027-01-01"]))
    for kind in ("holiday", "makeup_workday"):
        with pytest.raises(ValidationError, match="has no list of them"):
            calendar_of({"from": 0, "to": 24, "weekdays": ["mon", kind]}, holidays=None)

"""What a catalogue entry may say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.catalogue.entries import (
    DAY_KINDS,
    WEEKDAYS,
    CalendarEntry,
    ClassPrices,
    HolidayList,
    HourRange,
    PriceVersion,
    RegionEntry,
    TariffEntry,
)

PRICES: dict[str, Any] = {
    "uncached_input": "1",
    "cache_read": "0.1",
    "cache_write": {"same_as": "uncached_input"},
    "output": "6",
    "reasoning": {"same_as": "output"},
}
VERSION: dict[str, Any] = {
    "valid_from": "2026-01-01T00:00:00Z",
    "source": "list",
    "source_date": "2026-01-01",
    "prices": {"flat": PRICES},
}
TARIFF: dict[str, Any] = {"tariff": "t", "provider": "p", "model": "m", "region": "*"}


def test_a_class_is_billed_at_its_own_price_or_as_another() -> None:
    prices = ClassPrices.model_validate(PRICES)
    assert prices.price("reasoning") == Decimal(6)
    assert prices.billed_as("reasoning") == "output"
    assert prices.billed_as("cache_read") == "cache_read"


@pytest.mark.parametrize("missing", PRICES)
def test_no_class_may_be_left_out(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        ClassPrices.model_validate({key: PRICES[key] for key in PRICES if key != missing})


@pytest.mark.parametrize(
    ("price", "complaint"),
    [
        (0.1, "float"),
        ("-1", "greater than or equal to 0"),
        ("1000000.000000001", r"less than or equal to Decimal\(.1000000.\)"),
        ("0.0000000001", "decimal places"),
        ("NaN", "finite"),
        ({"same_as": "reasoning"}, "its own price"),
    ],
)
def test_prices_that_are_none(price: object, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ClassPrices.model_validate(PRICES | {"output": price})


def test_a_day_is_its_midnight_in_utc_and_a_time_needs_its_zone() -> None:
    version = PriceVersion.model_validate(
        VERSION | {"valid_to": datetime.fromisoformat("2026-02-01T02:00:00+02:00")}
    )
    assert version.valid_to == datetime(2026, 2, 1, tzinfo=UTC)
    with pytest.raises(ValidationError, match="zone"):
        PriceVersion.model_validate(VERSION | {"valid_to": datetime(2026, 2, 1)})  # noqa: DTZ001


def test_a_span_runs_forwards() -> None:
    with pytest.raises(ValidationError, match="before valid_to"):
        PriceVersion.model_validate(VERSION | {"valid_to": "2026-01-01T00:00:00Z"})
    with pytest.raises(ValidationError, match="forwards"):
        HourRange.model_validate({"from": 23, "to": 2})


def test_flat_prices_and_calendars_exclude_each_other() -> None:
    assert TariffEntry.model_validate(TARIFF | {"versions": [VERSION]}).calendar is None
    with pytest.raises(ValidationError, match="flat"):
        TariffEntry.model_validate(TARIFF | {"versions": [VERSION], "calendar": "c"})
    peak = VERSION | {"prices": {"peak": PRICES}}
    with pytest.raises(ValidationError, match="one period, flat"):
        TariffEntry.model_validate(TARIFF | {"versions": [peak]})


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

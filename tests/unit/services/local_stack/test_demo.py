"""The demo's result file: its fields add up, and an old one never stays to be believed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.catalogue import load_catalogue
from schemas.metering_rules import DAY_MS
from services.local_stack import demo
from services.local_stack.demo import EVENT_AGE_MAX_DAYS, result_fields
from services.platform.errors import ConfigurationError
from services.simulator.audit import AuditResult
from services.simulator.comparison import CountDifference, MeterCounts, RowDifference
from services.simulator.expected import Bounds, LedgerTotals
from services.simulator.fleet import emissions
from services.simulator.lateness import days_off
from services.simulator.reading import EPOCH, METERED

EXPECTED = LedgerTotals(
    sent=110,
    unique=100,
    unresolved=0,
    refused=2,
    wrongly_refused=0,
    wrongly_taken=0,
    received=Bounds(108, 108),
    accepted=Bounds(100, 100),
    duplicate=Bounds(5, 5),
    late=Bounds(7, 7),
    rejected={"invalid_json": Bounds(3, 3)},
)
FOUND = MeterCounts(108, 100, 5, 7, {"invalid_json": 3}, {"invalid_json": 3})


def fields(rows: list[RowDifference], counts: list[CountDifference]) -> dict[str, object]:
    result = AuditResult(EXPECTED, FOUND, {}, rows, counts)
    return result_fields(result, broker="b", clickhouse_version="c", elapsed_seconds=1.26)


def test_fields_add_up() -> None:
    assert fields([], []) == {
        "events_sent": 110,
        "unique_events": 100,
        "metered_events": 100,
        "duplicates_dropped": 5,
        "rejected": 5,
        "mismatched_rows": 0,
        "exact": True,
        "broker": "b",
        "clickhouse_version": "c",
        "elapsed_seconds": 1.3,
    }


def test_holidays_are_those_of_the_catalogue() -> None:
    days = demo.holidays(load_catalogue())
    assert date(2026, 10, 1) in days
    assert list(days) == sorted(set(days))


def test_any_difference_is_not_exact() -> None:
    row = RowDifference("registers", ("eu",), "missing", ())
    assert fields([row], [])["exact"] is False
    assert fields([row], [])["mismatched_rows"] == 1
    assert fields([], [CountDifference("late", Bounds(1, 1), 2)])["exact"] is False


def test_a_failing_run_leaves_no_old_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "demo.json").write_text('{"exact": true}')

    def fail(*args: object, **options: object) -> None:
        raise ConfigurationError("no stack today")

    monkeypatch.setattr(demo, "Infrastructure", fail)
    with pytest.raises(ConfigurationError, match="no stack"):
        demo.run(seconds=1, rate=1, seed=1, broker="kafka", keep=False)
    assert not (tmp_path / "out" / "demo.json").exists()


def test_an_unknown_broker_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="rabbit"):
        demo.run(seconds=1, rate=1, seed=1, broker="rabbit", keep=False)


def days_without_a_holiday(known: set[date]) -> list[date]:
    year = [date(2026, 1, 10) + timedelta(day) for day in range(350)]
    return [
        day
        for day in year
        if not known
        & {
            EPOCH.date() + timedelta(number)
            for number in days_off(noon_ms(day), sorted(known), EVENT_AGE_MAX_DAYS * DAY_MS)
        }
    ]


def noon_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)


def test_some_events_are_of_a_holiday_but_in_two_weeks_of_a_year() -> None:
    known = set(demo.holidays(load_catalogue(with_price_lists=False)))
    without = days_without_a_holiday(known)
    # The longest time without a holiday lies between June's and the end of September.
    assert len(without) <= 14
    assert {day.month for day in without} <= {9}


@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 8, 20), date(2026, 11, 27)])
def test_some_of_a_holiday_are_of_a_model_whose_price_goes_by_it(day: date) -> None:
    known = set(demo.holidays(load_catalogue(with_price_lists=False)))
    plan = demo.fleet_plan(1, noon_ms(day), 2500, 10)
    of_holidays = [
        one.reading
        for one in emissions(plan)
        if one.reading.expected == METERED
        and one.reading.model.startswith("deepseek")
        and datetime.fromtimestamp(one.reading.time_ms / 1000, ZoneInfo("Asia/Shanghai")).date()
        in known
    ]
    assert len(of_holidays) >= 3

"""The shipped list of holidays against the one that others keep."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar

from schemas.catalogue import load_catalogue

CHINA = next(one for one in load_catalogue().tou.holidays if one.holidays == "cn-public")


def days() -> list[date]:
    span = (CHINA.covers_to - CHINA.covers_from).days
    return [CHINA.covers_from + timedelta(days=number) for number in range(span + 1)]


def test_it_covers_whole_years() -> None:
    assert (CHINA.covers_from.month, CHINA.covers_from.day) == (1, 1)
    assert (CHINA.covers_to.month, CHINA.covers_to.day) == (12, 31)


def test_days_off_and_worked_are_those_of_chinesecalendar() -> None:
    off = {day for day in days() if day in chinese_calendar.holidays}
    worked = {day for day in days() if day in chinese_calendar.workdays}
    assert off == set(CHINA.days_off)
    assert worked == set(CHINA.makeup_workdays)
